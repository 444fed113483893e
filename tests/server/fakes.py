# SPDX-License-Identifier: Apache-2.0
"""An engine without weights: its pixels are a pure function of what a row wears and asks.

Steps take a settable time, or wait for permission one by one; failures can be injected at every
place where the real engine can fail.
"""

import hashlib
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tabard_registry import BaseProfile, Digest, ModuleShape, Registry
from tabard_server.engine.text.prompt_syntax import read_plain, read_weighted
from tabard_server.engine_port.base_facts import BaseFacts
from tabard_server.engine_port.costs import Compiled, Costs, TextCounts
from tabard_server.engine_port.drawing import Pixels
from tabard_server.engine_port.errors import EngineError, SamplerNotServed, SlotsExhausted
from tabard_server.engine_port.memory import MemoryPlan
from tabard_server.engine_port.prompt_style import PromptReading, PromptStyle
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.samplers import resolve_sampler
from tabard_server.engine_port.stack import HostAdapterLike, Resident, StackKey
from tabard_server.engine_port.work import Work

if TYPE_CHECKING:
    from tabard_server.adapters.host_adapter import HostAdapter

WIDTH = 8
UNET_MODULE = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
TEXT_MODULE = "text_model.encoder.layers.0.self_attn.q_proj"
TOKEN_LIMIT = 30

PROFILE = BaseProfile(
    family="sd1",
    fingerprints={"unet": "sha256:" + "a" * 64, "text_encoder": "sha256:" + "b" * 64},
    modules={
        "unet": {UNET_MODULE: ModuleShape(kind="linear", inputs=WIDTH, outputs=WIDTH)},
        "text_encoder": {TEXT_MODULE: ModuleShape(kind="linear", inputs=WIDTH, outputs=WIDTH)},
    },
    token_widths={"text_encoder": WIDTH},
    prediction="epsilon",
    is_zero_snr=False,
)
BASE_FACTS = BaseFacts(
    native_width=64,
    native_height=64,
    pixel_multiple=8,
    latent_factor=8,
    clip_skip_max=11,
    train_timesteps=1000,
    prediction="epsilon",
    samplers=("ddim", "euler"),
    dtype="float32",
    versions={"fake": "1.0"},
    remarks=("2 keys are not read",),
)


@dataclass(slots=True, kw_only=True, eq=False)
class FakeRow:
    """A row that counts its steps."""

    spec: RowSpec
    steps_done: int = 0
    failure: EngineError | None = None
    is_open: bool = True

    @property
    def steps_total(self) -> int:
        return self.spec.drawing.steps

    @property
    def is_done(self) -> bool:
        return self.steps_done >= self.spec.drawing.steps


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeReadback:
    """Pixels that are there at once."""

    drawn: Pixels

    def pixels(self) -> Pixels:
        return self.drawn


class FakePromptReader:
    """Counts words; reads A1111's syntax as the real one does."""

    def read(self, prompt: str, tokens: Mapping[str, int], style: PromptStyle) -> PromptReading:
        read = read_weighted if style.syntax == "a1111" else read_plain
        pieces = read(prompt, tokens, match=style.token_match)
        text = " ".join(piece.text for piece in pieces)
        used = frozenset(piece.text for piece in pieces) & frozenset(tokens)
        count = len(re.findall(r"\S+", text))
        count += sum(tokens[token] - 1 for token in used)
        return PromptReading(
            token_count=count,
            token_limit=TOKEN_LIMIT * style.windows_max,
            used=used,
            window_count=max(1, -(-count // TOKEN_LIMIT)),
            window_limit=style.windows_max,
        )


@dataclass(slots=True, kw_only=True)
class FakeEngine:
    """An engine that draws noise.

    Attributes:
        step_seconds: How long a step takes.
        rank_total: Rank rows of all slots.
        break_row: Says whether a row breaks in its next step, and how.
        step_errors: Raised by the next steps, one each.
        open_errors: Raised by the next openings, one each.
        decode_errors: Raised by the next decodes, one each.
        batches: The rows of every step, as they were asked for.
        closed: Rows closed so far.
        forgotten: Releases whose slots were to be emptied, and were.
        can_merge: Whether steps may be merged.
        merged_steps: Merged steps so far, those that failed included.
        merge_errors: Raised by the next merged steps, one each.
        work: What its calls take, as it says.
        changed_weights: Fingerprints of components that are not as they were loaded.
    """

    step_seconds: float = 0.0
    rank_total: int = 64
    break_row: Callable[[RowSpec], EngineError | None] = lambda spec: None
    step_errors: list[Exception] = field(default_factory=list)
    open_errors: list[Exception] = field(default_factory=list)
    decode_errors: list[Exception] = field(default_factory=list)
    batches: list[list[RowSpec]] = field(default_factory=list)
    closed: int = 0
    forgotten: list[str] = field(default_factory=list)
    plan: MemoryPlan | None = None
    can_merge: bool = False
    merged_stack: StackKey = ()
    merged_steps: int = 0
    merge_errors: list[Exception] = field(default_factory=list)
    compiled: Compiled | None = None
    work: Work = field(default_factory=Work)
    changed_weights: dict[str, str] = field(default_factory=dict)
    profile: BaseProfile = PROFILE
    source: str = "/bases/fake-base"
    device: str = "cpu"
    facts: BaseFacts = BASE_FACTS
    _rows: list[FakeRow] = field(default_factory=list)
    _permits: threading.Semaphore | None = None
    _is_let_go: bool = False

    def new_prompt_reader(self) -> FakePromptReader:
        return FakePromptReader()

    @property
    def loaded_fingerprints(self) -> Mapping[str, str]:
        return self.profile.fingerprints

    def hash_weights(self, *, between: Callable[[], None]) -> dict[str, str]:
        """Go through the components, one a piece."""
        found = {}
        for component, fingerprint in self.profile.fingerprints.items():
            between()
            found[component] = self.changed_weights.get(component, fingerprint)
        return found

    def resolve_sampler(self, name: str) -> str:
        found = resolve_sampler(name)
        if found not in self.facts.samplers:
            raise SamplerNotServed(f"{found} cannot draw here", hint="choose one of: ddim, euler")
        return found

    def hold_steps(self) -> None:
        """Make every step wait for `allow`."""
        self._permits, self._is_let_go = threading.Semaphore(0), False

    def allow(self, steps: int) -> None:
        """Let so many steps happen."""
        assert self._permits is not None, "steps are not held"
        self._permits.release(steps)

    def let_go(self) -> None:
        """Hold steps no longer."""
        if self._permits is not None:
            self._is_let_go = True
            # For the one thread that may wait already.
            self._permits.release()

    @property
    def open_count(self) -> int:
        """Rows that are open."""
        return len(self._rows)

    def can_open(self, spec: RowSpec) -> bool:
        return self._ranks_with(spec) <= self.rank_total

    def open_rows(self, specs: Sequence[RowSpec]) -> list[FakeRow | EngineError]:
        if self.open_errors:
            raise self.open_errors.pop(0)
        return [self._open(spec) for spec in specs]

    def costs(self) -> Costs:
        return Costs(work=self.work)

    def step(self, rows: Sequence[FakeRow], *, is_merged: bool) -> None:
        self.merged_steps += is_merged
        if is_merged and self.merge_errors:
            raise self.merge_errors.pop(0)
        if self._permits is not None and not self._is_let_go:
            self._permits.acquire()
        time.sleep(self.step_seconds)
        assert len({row.spec.drawing.size for row in rows}) == 1
        assert all(row.is_open and not row.is_done for row in rows)
        self.batches.append([row.spec for row in rows])
        if self.step_errors:
            raise self.step_errors.pop(0)
        for row in rows:
            row.failure = self.break_row(row.spec)
            row.steps_done += 1

    def preview(self, row: FakeRow) -> FakeReadback:
        return FakeReadback(drawn=draw(row.spec)[::8, ::8].copy())

    def decode(self, row: FakeRow) -> FakeReadback:
        assert row.is_done
        if self.decode_errors:
            raise self.decode_errors.pop(0)
        return FakeReadback(drawn=draw(row.spec))

    def close_row(self, row: FakeRow) -> None:
        if row.is_open:
            row.is_open = False
            self._rows.remove(row)
            self.closed += 1

    def forget(self, digest: str) -> bool:
        worn = any(
            adapter.digest == digest for row in self._rows for adapter, _weight in row.spec.stack
        )
        if not worn:
            self.forgotten.append(digest)
        return not worn

    def residents(self) -> list[Resident]:
        worn: dict[str, list[HostAdapterLike]] = {}
        for row in self._rows:
            for adapter, _weight in row.spec.stack:
                worn.setdefault(adapter.digest, []).append(adapter)
        return [
            Resident(digest=digest, bytes=uses[0].resident_bytes, leases=len(uses))
            for digest, uses in worn.items()
        ]

    @property
    def texts(self) -> TextCounts:
        return TextCounts(encoded=self.closed + len(self._rows))

    @property
    def resident_bytes(self) -> int:
        return sum(one.bytes for one in self.residents())

    def holds(self, digest: str) -> bool:
        return any(one.digest == digest for one in self.residents())

    def _open(self, spec: RowSpec) -> FakeRow | EngineError:
        if not self.can_open(spec):
            return SlotsExhausted("no room", hint="wear less")
        row = FakeRow(spec=spec)
        self._rows.append(row)
        return row

    def _ranks_with(self, spec: RowSpec) -> int:
        adapters = [a for row in self._rows for a, _ in row.spec.stack]
        adapters += [adapter for adapter, _weight in spec.stack]
        return sum({adapter.digest: adapter.rank for adapter in adapters}.values())


def draw(spec: RowSpec) -> Pixels:
    """Return the pixels of a row: noise, seeded by everything that shapes it."""
    return noise(
        stack=[(adapter.digest, weight) for adapter, weight in spec.stack],
        prompt=spec.drawing.prompt,
        seed=spec.seed,
        width=spec.drawing.width,
        height=spec.drawing.height,
    )


def noise(
    *, stack: Sequence[tuple[str, float]], prompt: str, seed: int, width: int, height: int
) -> Pixels:
    """Return what the fake engine draws for these digests and weights, prompt, seed and size."""
    told = repr((list(stack), prompt, seed, width, height)).encode()
    rng = np.random.default_rng(list(hashlib.sha256(told).digest()))
    return rng.integers(0, 256, size=(height, width, 3), dtype=np.uint8)


class FakeLoader:
    """Loads releases without their weights; single loads can be held up or made to fail."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._gates: dict[str, threading.Event] = {}
        self.errors: list[Exception] = []
        self.loaded: list[str] = []

    def hold(self, digest: str) -> threading.Event:
        """Hold loads of a digest until the returned event is set."""
        return self._gates.setdefault(digest, threading.Event())

    def __call__(self, digest: str) -> "HostAdapter":
        # They bring torch: a server that is started to be ended loads nothing, and is there sooner.
        import torch  # noqa: PLC0415

        from tabard_server.adapters.host_adapter import HostAdapter, PackedLayer  # noqa: PLC0415

        if gate := self._gates.get(digest):
            assert gate.wait(timeout=60), "a held load was never let go"
        if self.errors:
            raise self.errors.pop(0)
        self.loaded.append(digest)
        manifest = self._registry.manifest(Digest.parse(digest))
        nothing = torch.empty(0)
        return HostAdapter(
            digest=digest,
            kind=manifest.kind,
            rank=manifest.rank,
            # Names are enough for who wears what; nothing here is ever multiplied.
            layers={
                (target.component, target.module): PackedLayer(down=nothing, up=nothing)
                for target in manifest.targets
            },
            tokens=(),
            resident_bytes=1_000,
        )
