# SPDX-License-Identifier: Apache-2.0
"""Which passes run a library: none waits for one, and none runs one that is slower."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tabard_server.engine.compiled.builder import Builder
from tabard_server.engine.compiled.folder import LibraryFolder
from tabard_server.engine.compiled.graph import PassShape
from tabard_server.engine.compiled.library import LibraryDamaged
from tabard_server.engine.compiled.order import BaseOrder
from tabard_server.engine.compiled.passes import PASSES_BEFORE, CompiledPasses
from tabard_server.engine.compiled.ways import way_of
from tabard_server.engine_port.costs import INDUCTOR, OPENVINO
from tests.server.engine.compiled.conftest import lay_down, shape, until


class _Library:
    """Remembers what it is bound to."""

    is_ready = True

    def __init__(self, path: Path, tensors: Mapping[str, Any]) -> None:
        self.path = path
        self.bound = [tensors]

    def bind(self, tensors: Mapping[str, Any]) -> None:
        self.bound.append(tensors)


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    return {"unet.weight": torch.zeros(1)}


@pytest.fixture
def passes(
    folder: LibraryFolder,
    base_order: BaseOrder,
    tensors: dict[str, torch.Tensor],
) -> CompiledPasses:
    return _passes(folder, base_order, tensors, compiler=INDUCTOR)


def _passes(
    folder: LibraryFolder, order: BaseOrder, tensors: Mapping[str, Any], *, compiler: str
) -> CompiledPasses:
    return CompiledPasses(
        folder=folder,
        builder=Builder(order, folder=folder, run=lay_down),
        tensors=lambda: dict(tensors),
        way=replace(way_of(compiler), load=_Library),  # type: ignore[arg-type]
    )


def _try(passes: CompiledPasses, kind: PassShape, *, compiled: float) -> list[bool]:
    """Take passes until it is decided; say which ran a library."""
    ways = []
    for _ in range(8):
        is_compiled = passes.choose(kind, layout=None) is not None
        ways.append(is_compiled)
        passes.note(
            compiled if is_compiled else 1.0, shape=kind, samples=1, is_compiled=is_compiled
        )
    return ways


def test_seldom_kind_is_not_built(passes: CompiledPasses) -> None:
    """A kind is ordered when it was seen often enough; until it is built, passes go on."""
    for _ in range(PASSES_BEFORE - 1):
        assert passes.choose(shape(), layout=None) is None
    assert passes.state.waiting == 0 == passes.state.ready

    passes.choose(shape(), layout=None)
    until(lambda: passes.choose(shape(), layout=None) is not None)

    assert (passes.state.ready, passes.state.waiting) == (1, 0)


@pytest.mark.parametrize(("compiled", "is_taken"), [(0.5, True), (2.0, False)])
def test_slower_library_is_left(passes: CompiledPasses, compiled: float, is_taken: bool) -> None:
    """Both ways take turns; then the sooner one goes on, and the state says so."""
    passes.warm([shape()])
    until(lambda: passes.state.waiting == 0)

    ways = _try(passes, shape(), compiled=compiled)

    assert ways == [True, False] * 3 + [is_taken] * 2
    assert (passes.state.ready, passes.state.slower) == (int(is_taken), int(not is_taken))


def test_merged_copy_has_its_own_tensors(
    passes: CompiledPasses, tensors: dict[str, torch.Tensor]
) -> None:
    """The base's library never points into the copy, and the copy's follows its layout."""
    passes.warm([shape()])
    until(lambda: passes.state.waiting == 0)
    tensors["unet.weight"] = torch.ones(1)

    merged: Any = passes.choose(shape(), layout=1)
    again: Any = passes.choose(shape(), layout=1)
    tensors["unet.weight"] = torch.ones(1) * 2
    other: Any = passes.choose(shape(), layout=2)
    base: Any = passes.choose(shape(), layout=None)

    assert merged is again is other is not base
    assert [float(one["unet.weight"]) for one in merged.bound] == [1, 2]
    assert [float(one["unet.weight"]) for one in base.bound] == [0]


@pytest.mark.parametrize(("factor", "is_kept"), [(1 + 1e-5, True), (1.01, False)])
def test_wrong_library_is_dropped(
    passes: CompiledPasses, folder: LibraryFolder, factor: float, is_kept: bool
) -> None:
    """A library's first predictions are those of the model, or it is not run again."""
    passes.warm([shape()])
    until(lambda: passes.state.waiting == 0)
    assert passes.choose(shape(), layout=None) is not None and passes.is_unchecked(shape())
    expected = torch.randn(2, 4, 8, 8)

    passes.check(shape(), found=expected * factor, expected=expected)

    assert not passes.is_unchecked(shape())
    assert (passes.choose(shape(), layout=None) is not None) is is_kept
    assert (folder.find(shape()) is not None) is is_kept


def test_damaged_library_is_removed(
    passes: CompiledPasses, folder: LibraryFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said once, and passes go on without."""

    def damaged(_path: Path, _tensors: object) -> None:
        raise LibraryDamaged("it cannot be loaded")

    passes.warm([shape()])
    until(lambda: passes.state.waiting == 0)
    monkeypatch.setattr(passes, "_way", replace(passes._way, load=damaged))

    assert passes.choose(shape(), layout=None) is None
    assert passes.choose(shape(), layout=None) is None
    assert folder.find(shape()) is None
    assert passes.state.ready == 0


def test_openvino_has_one_graph(
    folder: LibraryFolder, base_order: BaseOrder, tensors: dict[str, torch.Tensor]
) -> None:
    """All passes of the first size share it, each tried by itself; what it cannot run is said."""
    passes = _passes(folder, base_order, tensors, compiler=OPENVINO)
    passes.warm([shape(2), shape(8)])
    until(lambda: passes.state.waiting == 0)
    worn = replace(shape(4), rows=2, ranks=16)

    graphs = [passes.choose(one, layout=None) for one in (shape(2), worn)]
    others = [
        passes.choose(replace(shape(2), height=16), layout=None),
        passes.choose(replace(worn, magnitudes=1), layout=None),
        passes.choose(replace(worn, has_kernels=True), layout=None),
        passes.choose(shape(2), layout=1),
    ]

    assert graphs[0] is graphs[1] is not None and others == [None] * 4
    assert (passes.state.ready, passes.state.waiting, passes.state.unfit) == (2, 0, 4)


def test_graph_that_compiles_is_not_waited_for(
    folder: LibraryFolder, base_order: BaseOrder, tensors: dict[str, torch.Tensor]
) -> None:
    """Passes go on without, and the state counts it; one that fails is dropped."""
    passes = _passes(folder, base_order, tensors, compiler=OPENVINO)
    passes.warm([shape(2)])
    until(lambda: passes.choose(shape(2), layout=None) is not None)
    graph: Any = passes.choose(shape(2), layout=None)

    graph.is_ready = False
    assert passes.choose(shape(2), layout=None) is None

    graph.is_ready = True
    assert passes.choose(shape(2), layout=None) is graph
