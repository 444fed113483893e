# SPDX-License-Identifier: Apache-2.0
"""Which passes run a library: those whose kind is built, and only where it is sooner.

In: passes of the UNet. Out: the library that the next one runs, or none. What is not built yet is
ordered and never waited for. Used from the engine's thread; what it says of itself, from any.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import torch

from tabard_server.engine.compiled.builder import Builder
from tabard_server.engine.compiled.folder import LibraryFolder
from tabard_server.engine.compiled.graph import PassShape
from tabard_server.engine.compiled.library import LibraryDamaged
from tabard_server.engine.compiled.trial import Trial
from tabard_server.engine.compiled.ways import Graph, Way, way_of
from tabard_server.engine_port.costs import INDUCTOR, Compiled
from tabard_server.telemetry.logs import log_event, log_problem

PASSES_BEFORE = 8
"""Passes of a kind before it is worth minutes of a compiler."""
_BOUND, _NARROW_BOUND = 1e-3, 3e-2
"""How far predictions may be from the model's, of the largest: of wide values, and of narrow."""
_NARROW_BYTES = 2

Tensors = Callable[[], Mapping[str, torch.Tensor]]
"""Says which tensors the UNet has now: those of the base, or of a merged copy that it wears."""


class CompiledPasses:
    """The libraries of one UNet."""

    def __init__(
        self,
        *,
        folder: LibraryFolder,
        builder: Builder,
        tensors: Tensors,
        way: Way | None = None,
    ) -> None:
        """Take where libraries are kept, what builds them, and the UNet's tensors.

        Args:
            folder: Where they are kept.
            builder: Builds those that are not there.
            tensors: Asked now, for those of the base, and while a merged copy is worn.
            way: How they are made; None: by AOTInductor.
        """
        self._way = way or way_of(INDUCTOR)
        self._folder, self._builder, self._tensors = folder, builder, tensors
        self._pristine = tensors()
        self._base: dict[PassShape, Graph] = {}
        self._merged: dict[PassShape, tuple[Graph, int]] = {}
        self._trials: dict[PassShape, Trial] = {}
        self._seen: Counter[PassShape] = Counter()
        self._missing: set[PassShape] = set()
        self._damaged: set[PassShape] = set()
        self._checked: set[PassShape] = set()
        self._kinds: set[PassShape] = set()
        self._ready: set[PassShape] = set()
        self._unfit: set[PassShape] = set()

    @property
    def state(self) -> Compiled:
        """What is built and what is not; from any thread."""
        trials = list(self._trials.values())
        slower = sum(one.is_over and not one.takes_library for one in trials)
        return Compiled(
            ready=len(trials) - slower,
            slower=slower,
            waiting=self._builder.waiting + self._compiling,
            unfit=len(self._unfit),
            failure=self._builder.failure,
        )

    def warm(self, shapes: Sequence[PassShape]) -> None:
        """Order those of these kinds that are not kept from an earlier start."""
        for shape in shapes:
            kind = self._kind_of(shape)
            if kind is not None and self._load(kind) is None and kind not in self._base:
                self._builder.want(kind)

    def choose(self, shape: PassShape, *, layout: int | None) -> Graph | None:
        """Return the library that this pass runs; None: none.

        Args:
            shape: Its kind.
            layout: Counts which tensors a merged copy has, if the UNet wears that now.
        """
        kind = self._kind_of(shape)
        if kind is None or not (layout is None or self._way.wears_copies):
            self._unfit.add(shape)
            return None
        library = self._load(kind)
        if library is None:
            self._seen[shape] += 1
            if self._seen[shape] >= PASSES_BEFORE and kind not in self._base:
                self._builder.want(kind)
            return None
        trial = self._trials.setdefault(shape, Trial())
        if self._way.is_tried and not trial.takes_library:
            return None
        return library if layout is None else self._bound(kind, layout=layout)

    def is_unchecked(self, shape: PassShape) -> bool:
        """Say whether nobody has seen yet that its library gives what the model gives."""
        return shape not in self._checked

    def check(self, shape: PassShape, *, found: torch.Tensor, expected: torch.Tensor) -> None:
        """Compare a library's first predictions with the model's, and drop it if they differ."""
        self._checked.add(shape)
        bound = _NARROW_BOUND if expected.dtype.itemsize <= _NARROW_BYTES else _BOUND
        difference = float((found - expected).abs().max() / expected.abs().max().clamp_min(1e-12))
        if not difference > bound:  # NaN in both is the model's own
            return
        self._drop(
            self._way.kind_of(shape) or shape,
            why=f"it is {difference:.1e} of the largest value away from the model",
        )

    def note(self, seconds: float, *, shape: PassShape, samples: int, is_compiled: bool) -> None:
        """Take what a pass took: while both ways are tried, it counts."""
        trial = self._trials.get(shape)
        if trial is None or trial.is_over or not self._way.is_tried:
            return
        trial.note(seconds, samples=samples, is_compiled=is_compiled)
        if trial.is_over:
            ratio = min(trial.compiled) / min(trial.eager)
            if trial.takes_library:
                log_event("compile.taken", library=shape.name, ratio=ratio)
            else:
                log_event("compile.slower", library=shape.name, ratio=ratio)

    def _bound(self, shape: PassShape, *, layout: int) -> Graph | None:
        """Return the same library once more, around the tensors of the merged copy."""
        found = self._merged.get(shape)
        if found is not None and found[1] == layout:
            return found[0]
        if found is not None:
            found[0].bind(self._tensors())
            self._merged[shape] = found[0], layout
            return found[0]
        path = self._folder.find(shape)
        if path is None:
            return None
        self._merged[shape] = self._way.load(path, self._tensors()), layout
        return self._merged[shape][0]

    def _kind_of(self, shape: PassShape) -> PassShape | None:
        """Return the kind of the graph that runs it; None: there is none, or no place for it."""
        kind = self._way.kind_of(shape)
        if kind is None or (kind not in self._kinds and len(self._kinds) >= self._way.graphs_max):
            return None
        self._kinds.add(kind)
        return kind

    @property
    def _compiling(self) -> int:
        return len(self._base) - len(self._ready)

    def _load(self, kind: PassShape) -> Graph | None:
        """Return the graph of a kind, from the folder when it is first asked for or built."""
        if kind in self._damaged:
            return None
        try:
            if kind not in self._base:
                if kind in self._missing and not self._builder.is_built(kind):
                    return None
                path = self._folder.find(kind)
                if path is None:
                    self._missing.add(kind)
                    return None
                self._base[kind] = self._way.load(path, self._pristine)
            if not self._base[kind].is_ready:
                return None
        except LibraryDamaged as error:
            self._drop(kind, why=str(error))
            return None
        self._ready.add(kind)
        return self._base[kind]

    def _drop(self, kind: PassShape, *, why: str) -> None:
        """Serve a kind as it is from now on, and say why."""
        for known in (self._base, self._merged):
            known.pop(kind, None)
        self._ready.discard(kind)
        for shape in [one for one in self._trials if self._way.kind_of(one) == kind]:
            del self._trials[shape]
        self._damaged.add(kind)
        self._folder.remove_kind(kind)
        log_problem(
            "compile.damaged",
            reason="LIBRARY_DAMAGED",
            message=f"{kind.name}: {why}",
            hint="it is removed, and built again when it is wanted after the next start",
        )
