# SPDX-License-Identifier: Apache-2.0
"""The engine's whole step outside of its network, counted in launches: few, for any mix of rows.

What a GPU would be asked for between two calls of the network, by rows that stay as they are: what
the network is shown and told, which slots it gathers from, guidance, noise, samplers.
"""

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.samplers import SAMPLERS
from tests.server.drawings import row_spec
from tests.server.engine.rehearsal.device_rules import DeviceRules
from tests.server.engine.rehearsal.stages import FREE, STEPS, Stage, any_row, new_stage
from tests.server.engine.sampling.launches import counting

LAUNCHES_MAX = 8
WITH_CURVES_MAX = 9
"""Weights that change from step to step are one copy more, of a few hundred bytes."""


@pytest.fixture(scope="module", params=[torch.float32, torch.bfloat16], ids=str)
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """A base whose network is told of sizes, too; wide and narrow."""
    return new_stage(tmp_path_factory.mktemp("sdxl"), family="sdxl", dtype=request.param)


def test_samplers_share_few_launches(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every sampler that need not wait, guided, each row in a stack of its own."""
    one, two = stage.adapters
    worn = [((one, 0.8),), ((one, 0.5), (two, 1.0)), ((two, -0.4),)]
    specs = [
        row_spec(stack=worn[number % 3], sampler=sampler, steps=STEPS)
        for number, sampler in enumerate(FREE)
    ]

    launched = _count(stage, specs, monkeypatch)

    assert max(map(len, launched)) <= LAUNCHES_MAX - 3, launched


def test_any_mix_shares_few_launches(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guided and not, bare and worn, of many lengths, with masks and regions, all at once."""
    specs = [any_row(stage, *numbered) for numbered in enumerate(FREE)]
    steady = [spec for spec in specs if spec.is_steady]
    assert len(specs) > len(steady) > 8

    assert max(map(len, _count(stage, steady, monkeypatch))) <= LAUNCHES_MAX
    assert max(map(len, _count(stage, specs, monkeypatch))) <= WITH_CURVES_MAX


def test_what_is_counted_is_a_step(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first step writes what the others find; the product that moves all rows is in each."""
    specs = [row_spec(sampler=sampler, steps=STEPS) for sampler in list(SAMPLERS)[:4]]

    first, *others = _count(stage, specs, monkeypatch, first=0)

    assert len(first) > LAUNCHES_MAX
    assert all(one.count("bmm") == 1 for one in (first, *others))


def _count(
    stage: Stage, specs: Sequence[RowSpec], patch: pytest.MonkeyPatch, *, first: int = 1
) -> list[list[str]]:
    """Return what is launched outside of the network by steps of the same rows."""
    rows = stage.open(*specs)
    DeviceRules(patch)  # what is sent to the device, is sent to this one
    network: Any = stage.engine._base.network.module
    predict, found = network.forward, []

    def apart(*given: Any, **named: Any) -> Any:
        before = len(launched)
        said = predict(*given, **named)
        assert len(launched) > before + 100
        del launched[before:]
        return said

    with patch.context() as patched:
        patched.setattr(network, "forward", apart)
        for _ in range(STEPS - 2):
            with counting() as launched:
                stage.engine.step(rows)
            found.append(launched)
    stage.close(rows)
    return found[first:]
