# SPDX-License-Identifier: Apache-2.0
"""A whole engine whose text encoders lie elsewhere between uses draws the same picture."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tabard_server.adapters.host_adapter import HostAdapter
from tabard_server.engine.base.loading import load_base
from tabard_server.engine.engine import Engine
from tabard_server.engine.row import Row
from tests.server.drawings import row_spec


@pytest.mark.parametrize("name", ["kohya", "plum"])
def test_shelved_texts_draw_the_same(
    tiny_base: Path, adapters: dict[str, HostAdapter], engine: Engine, name: str
) -> None:
    """To the bit, with a LoRA in the text encoder and with a word that is taught to it."""
    assert engine.plan is not None
    plan = replace(engine.plan, shelved=1)
    base = load_base(str(tiny_base), dtype=torch.float64)
    options = {"device": torch.device("cpu"), "dtype": torch.float64, "slot_rank_total": 64}
    shelved = Engine(base, plan=plan, **options)

    rows = []
    for one in (engine, shelved):
        spec = row_spec(stack=((adapters[name], 0.8),), prompt="a <plum>", seed=3)
        (row,) = one.open_rows([spec])
        assert isinstance(row, Row), row
        rows.append(row)
        one.close_row(row)

    assert shelved._shelf.components.keys() == {"text_encoder"}
    assert torch.equal(rows[0].conditioning.text, rows[1].conditioning.text)
