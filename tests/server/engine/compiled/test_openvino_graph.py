# SPDX-License-Identifier: Apache-2.0
"""OpenVINO's graph gives what the model gives, around the tensors that lie here."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tabard_server.engine.compiled.library import LibraryDamaged, tensors_of
from tabard_server.engine.compiled.openvino_graph import OpenVinoGraph
from tabard_server.engine.slots.slotted_layers import has_kernel
from tabard_server.engine.slots.worn_rows import WornRows
from tests.server.engine.compiled.conftest import RANK_ROWS, TOKENS, until


@pytest.fixture
def graph(unet: Any, kept_graph: Path) -> OpenVinoGraph:
    found = OpenVinoGraph(kept_graph, tensors_of(unet))
    until(lambda: found.is_ready)
    return found


def test_graph_gives_the_models_own(unet: Any, graph: OpenVinoGraph) -> None:
    """Bare, of several ranks, rows and samples; and what a swap writes is seen."""
    kinds = ((0, 2, 0), (1, 2, 16), (2, 2, 4), (2, 4, 16), (3, 3, 16), (1, 1, 16))
    for rows, samples, ranks in kinds:
        worn = _wear(rows, ranks=ranks) if rows else None
        given = _given(samples)
        expected = _model(unet, worn, given)
        torch.testing.assert_close(graph.run(worn, *given, None), expected, rtol=1e-4, atol=1e-5)
        assert not rows or not torch.allclose(expected, _model(unet, None, given), atol=1e-3)
    unet.down_blocks[0].attentions[0].proj_in.slot_up.mul_(2)
    assert not torch.allclose(_model(unet, worn, given), expected, atol=1e-4)
    torch.testing.assert_close(
        graph.run(worn, *given, None), _model(unet, worn, given), rtol=1e-4, atol=1e-5
    )


def test_weights_by_block_are_worn(unet: Any, graph: OpenVinoGraph) -> None:
    """Each layer takes the weight of its own block."""
    blocks = graph._blocks
    worn = _wear(2, ranks=4)
    worn.weight = torch.rand(blocks, 2, 4, 1)
    given = _given(2)

    torch.testing.assert_close(
        graph.run(worn, *given, None), _model(unet, worn, given), rtol=1e-4, atol=1e-5
    )


def test_nobody_is_told_of_it(graph: OpenVinoGraph) -> None:
    """What sends OpenVINO's statistics was never imported."""
    assert sys.modules["openvino_telemetry"] is None


def test_no_graph_is_damaged(unet: Any, tmp_path: Path) -> None:
    """It is said by whoever asks for it."""
    path = tmp_path / "one.so"
    path.write_bytes(b"kernels")
    found = OpenVinoGraph(path, tensors_of(unet))

    with pytest.raises(LibraryDamaged, match="OpenVINO cannot"):
        until(lambda: found.is_ready)


def _given(samples: int) -> tuple[torch.Tensor, ...]:
    return (
        torch.randn(samples, 4, 8, 8),
        torch.arange(1, samples + 1) * 100,
        torch.randn(samples, TOKENS, 8),
    )


def _wear(rows: int, *, ranks: int) -> WornRows:
    index = torch.stack([torch.randperm(RANK_ROWS - 1)[:ranks] + 1 for _ in range(rows)])
    weight = torch.rand(rows, ranks, 1)
    return WornRows(index=index, weight=weight, samples_per_row=1, active=None)


def _model(unet: Any, worn: WornRows | None, given: Any) -> torch.Tensor:
    """Return what the model itself says; its larger kernels wear nothing."""
    with torch.inference_mode():
        unet.tests_binding.worn = worn
        kernels = [one for one in unet.modules() if has_kernel(one)]
        kept = [(one.slot_up, one) for one in kernels]
        for table, one in kept:
            one.slot_up = torch.zeros_like(table)
        (found,) = unet(*given, return_dict=False)
        for table, one in kept:
            one.slot_up = table
        unet.tests_binding.clear()
    prediction: torch.Tensor = found
    return prediction
