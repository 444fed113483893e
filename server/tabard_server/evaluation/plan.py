# SPDX-License-Identifier: Apache-2.0
"""An evaluation as it is pinned: releases by digest, a grid, cells, and the key of it all. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tabard_registry import DEFAULT_CHANNEL, AdapterRef, ByVersion, Release
from tabard_registry.evidence.documents import to_bytes
from tabard_registry.evidence.grid import Grid, trigger_of
from tabard_registry.evidence.report import PolicyNote
from tabard_registry.refs.digest import Digest, sha256_bytes
from tabard_registry.release.bounds import Bounds
from tabard_registry.release.gates import NO_GATES, Gates, bounds_asked
from tabard_registry.release.manifest import canonical_json
from tabard_server.admission.stack import weight_served
from tabard_server.engine_port.drawing import Pixels
from tabard_server.evaluation.cells import Cell, Side, Worn, cells_of
from tabard_server.evaluation.events import ReferenceSource, Started
from tabard_server.evaluation.looks import Encoders, Vectors
from tabard_server.judgement.verdict import GatePolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Everything of a server that shapes pictures, and is told in a report.

    Attributes:
        base_family: Family of its base.
        base_fingerprint: Fingerprint of it.
        device: Where it is computed.
        dtype: In what.
        libraries: By name, with what version.
        pixel_multiple: Pixels of a side that one latent stands for.
    """

    base_family: str
    base_fingerprint: str
    device: str
    dtype: str
    libraries: Mapping[str, str]
    pixel_multiple: int

    @property
    def key(self) -> str:
        """A text that is the same wherever the same pictures are drawn."""
        return canonical_json({**asdict(self), "libraries": dict(self.libraries)}).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Pictures that an evaluation compares with.

    Attributes:
        digests: Of their files, in their order, or of the embeddings that stand for them.
        pixels: What they show; none where there are embeddings.
        vectors: Embeddings by what looks at pictures, where there are no pictures.
        document: That they were published by, if they were.
    """

    digests: tuple[Digest, ...] = ()
    pixels: Sequence[Pixels] = field(default=(), repr=False)
    vectors: Mapping[str, Vectors] = field(default_factory=dict, repr=False)
    document: Digest | None = None

    @property
    def count(self) -> int:
        """How many there are."""
        return max((len(self.pixels), *map(len, self.vectors.values())))


NO_PICTURES = Pictures()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """One release and how strongly it is worn.

    Attributes:
        release: The release.
        weight: How strongly it is worn.
        unnamed_member: The member of a recipe that no word wakes; empty: there is none.
    """

    release: Release
    weight: float
    unnamed_member: str = ""

    @property
    def exact(self) -> AdapterRef:
        """A ref that means this release and no other."""
        return AdapterRef(adapter=self.release.adapter, selector=ByVersion(self.release.version))

    @property
    def is_as_served(self) -> bool:
        """Whether callers who say no weight are served this."""
        return self.worn.weight in (None, weight_served(self.release))

    @property
    def trigger(self) -> str:
        """What wakes it: a word, or all words of a recipe; empty: nothing does."""
        words = (*self.release.trigger_words, *(one.token for one in self.release.tokens))
        return trigger_of(self.release.kind, words=words)

    @property
    def works_unnamed(self) -> str:
        """Why it may act on prompts that name no word; empty: words wake all of it."""
        if not self.trigger:
            return "no word wakes it: it works unnamed"
        return f"a member works unnamed: {self.unnamed_member}" if self.unnamed_member else ""

    @property
    def worn(self) -> Worn:
        """What it wears; a textual inversion has no weight."""
        has_weight = self.release.kind != "textual_inversion"
        return Worn(
            digest=str(self.release.digest),
            adapter=str(self.release.adapter),
            weight=self.weight if has_weight else None,
            trigger=self.trigger,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is drawn and judged.

    Attributes:
        candidate: What is judged.
        against: What it would replace; None: the base alone.
        grid: Prompts and seeds.
        sampler: Short name of the sampler.
        source: Where the references come from.
        references: Those that there are already.
        training: What it was trained on; none: that is not checked.
        origin: Where it is drawn.
        channel: The channel that it is judged for.
        gates: What that channel stands behind, by pattern.
    """

    candidate: Pinned
    against: Pinned | None
    grid: Grid
    sampler: str
    source: ReferenceSource
    references: Pictures
    training: Pictures
    origin: Origin
    channel: str = DEFAULT_CHANNEL
    gates: Gates = field(default_factory=lambda: NO_GATES)

    @property
    def policies(self) -> tuple[PolicyNote, ...]:
        """What the policy says of the Success that the channel asks for, by pattern."""
        return tuple(
            PolicyNote(pattern=pattern, bounds=gate.bounds)
            for pattern, gate in self.gates.items()
            if gate.bounds
        )

    def bounds(self, defaults: Bounds) -> Bounds:
        """Return what it is judged by: what the channel asks for, else the server's bounds."""
        return bounds_asked(self.gates.values(), defaults=defaults)

    @property
    def cells(self) -> list[Cell]:
        """What is drawn."""
        sides = {Side.CANDIDATE: self.candidate.worn}
        if self.against is not None:
            sides[Side.AGAINST] = self.against.worn
        sides[Side.BASE] = Worn()
        return cells_of(self.grid, sides=sides, sampler=self.sampler, origin=self.origin.key)

    @property
    def grid_document(self) -> bytes:
        """The grid's document."""
        return to_bytes(self.grid)

    @property
    def controls(self) -> list[int]:
        """Places of the control prompts."""
        return [place for place, prompt in enumerate(self.grid.prompts) if prompt.control]

    @property
    def prompts(self) -> list[str]:
        """The prompts, as the candidate is asked."""
        return [prompt.drawn(self.candidate.trigger) for prompt in self.grid.prompts]

    def started(self, defaults: Bounds) -> Started:
        """Say what is told first."""
        bounds = self.bounds(defaults)
        return Started(
            release=self.candidate.release,
            weight=self.candidate.weight,
            against=None if self.against is None else self.against.release,
            grid=self.grid.name,
            grid_digest=str(sha256_bytes(self.grid_document)),
            prompt_count=len(self.grid.prompts),
            seed_count=len(self.grid.seeds),
            source=self.source,
            reference_count=self.references.count,
            channel=self.channel,
            asked={name: one for name, one in bounds.items() if one != defaults[name]},
        )

    def inputs(self, *, encoders: Encoders, policy: GatePolicy) -> Digest:
        """Return the hash of all that a report rests on."""
        cells = [one.key for cell in self.cells for one in cell.pictures.values()]
        said: dict[str, Any] = {
            "v": 3,
            "cells": cells,
            "grid": str(sha256_bytes(self.grid_document)),
            "purpose": self.candidate.release.purpose,
            "works_unnamed": self.candidate.works_unnamed,
            "source": str(self.source),
            "references": [str(one) for one in self.references.digests],
            "training": [str(one) for one in self.training.digests],
            "encoders": {name: one.digest for name, one in encoders.all.items()},
            "policy": dict(policy.bounds),
            "bounds": dict(self.bounds(policy.bounds)),
            "policies": {one.pattern: dict(one.bounds) for one in self.policies},
        }
        return sha256_bytes(canonical_json(said))
