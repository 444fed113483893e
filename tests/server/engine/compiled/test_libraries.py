# SPDX-License-Identifier: Apache-2.0
"""From a resident UNet to libraries around its weights."""

import time
from pathlib import Path
from typing import Any

import pytest
import torch

from tabard_server.engine.compiled.builder import run_process
from tabard_server.engine.compiled.graph import PassShape
from tabard_server.engine.compiled.libraries import libraries_of
from tabard_server.engine.compiled.passes import CompiledPasses
from tabard_server.engine.slots.worn_rows import WornRows
from tabard_server.engine_port.costs import Compiling
from tests.server.engine.compiled.conftest import RANK_ROWS, TOKENS, lay_down, until

SHAPE = PassShape(samples=2, height=8, width=8, tokens=TOKENS, rows=2, ranks=16)
SECONDS_MAX = 1_800


def _passes(unet: Any, root: Path, **options: Any) -> CompiledPasses:
    compiling = Compiling(root=root)
    return libraries_of(
        unet,
        binding=unet.tests_binding,
        device=torch.device("cpu"),
        dtype=torch.float32,
        rank_rows=RANK_ROWS,
        compiling=compiling,
        **options,
    )


def test_nothing_is_built_unasked(unet: Any, tmp_path: Path) -> None:
    """And what is asked for lies under the base's own key."""
    passes = _passes(unet, tmp_path, run=lay_down)
    assert not list(tmp_path.iterdir())

    passes.warm([SHAPE])
    until(lambda: passes.state.waiting == 0)

    assert [one.parent.parent for one in tmp_path.rglob("*.so")] == [tmp_path]


@pytest.mark.oracle
def test_library_is_built_once_and_equal(unet: Any, tmp_path: Path) -> None:
    """A real compiler's; the second start loads it in a fraction of the processor's time."""
    took: list[dict[str, float]] = []

    def run(order: Any, scratch: Path) -> dict[str, float]:
        took.append(run_process(order, scratch))
        return took[-1]

    first = _passes(unet, tmp_path, run=run)
    first.warm([SHAPE])
    deadline = time.monotonic() + SECONDS_MAX
    while first.state.waiting and time.monotonic() < deadline:
        time.sleep(0.2)
    assert first.state.failure == "" and len(took) == 1

    begun_at = time.process_time()
    second = _passes(unet, tmp_path, run=run)
    second.warm([SHAPE])
    library = second.choose(SHAPE, layout=None)
    seconds = time.process_time() - begun_at

    assert library is not None and len(took) == 1
    assert seconds <= 0.15 * took[0]["cpu_seconds"]
    index = torch.arange(1, 17).expand(2, 16).contiguous()
    for weight in (0.0, 0.8):
        worn = WornRows(
            index=index, weight=torch.full((2, 16, 1), weight), samples_per_row=1, active=None
        )
        given = torch.randn(2, 4, 8, 8), torch.tensor([500, 3]), torch.randn(2, TOKENS, 8)
        with torch.inference_mode():
            found = library.run(worn, *given, None)
            unet.tests_binding.worn = worn
            (expected,) = unet(*given, return_dict=False)
            unet.tests_binding.clear()
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    unet.conv_in.slot_up.mul_(2)  # a swap: the library reads the tables where they lie
    with torch.inference_mode():
        assert not torch.equal(library.run(worn, *given, None), found)
