# SPDX-License-Identifier: Apache-2.0
"""What a caller asks for, the job it becomes, and the events of a job's life.

Frozen values that every room may hold. They know neither protobuf nor torch, neither queues nor
threads.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tabard_registry import Release
from tabard_registry.identity.identity import ANYBODY, Identity
from tabard_server.callers.caller import NOBODY, Caller
from tabard_server.engine_port.drawing import Drawing, WantedDrawing
from tabard_server.engine_port.weights.strength import Controls, Strength, Weight
from tabard_server.jobs.words.controls import NOTHING_SAID, SaidControls
from tabard_server.scheduler.claims import Claim, Priority

ImageFormat: TypeAlias = Literal["png", "jpeg", "webp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """How images are written.

    Attributes:
        format: As what.
        quality: From 0 to 100, of what is written with loss.
    """

    format: ImageFormat = "png"
    quality: int = 95


PNG = Written()
"""Without loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedAdapter:
    """A ref as it was written, and what was said beside it; both may say it, one of them does.

    Attributes:
        ref: `namespace/name[@selector]`, maybe with its weight and its controls behind it.
        weight: None: the ref says its own.
        controls: Likewise.
    """

    ref: str
    weight: float | None = None
    controls: SaidControls = NOTHING_SAID


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What another run of a job takes from its first one, here or on a server that was lost.

    Attributes:
        pins: What its refs meant then, by how they were written: the digest, and whether it was the
            candidate of a canary; None: a caller says so, who is not asked that.
        job_id: Its id; empty: another server gave it one, and this run has its own.
        seed: The seed of image 0; None: as the request says.
        registry_seq: The log position at which they meant that.
    """

    pins: Mapping[str, tuple[str, bool | None]]
    job_id: str = ""
    seed: int | None = None
    registry_seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """A request as it was written; None where it says nothing.

    Attributes:
        wanted: What every image shall be.
        adapters: What it shall wear.
        seed: Seed of image 0; image i uses seed + i.
        images: How many.
        is_deterministic: Byte-identical files for the same request.
        preview_every: A preview every so many steps; 0: none.
        seconds_left: Time until the caller's deadline; None: no deadline.
        caller: Whose seats its images take.
        identity: Who asks, and what they may wear.
        traceparent: The caller's own trace, as W3C writes it; empty: there is none.
        priority: Who of one tenant goes first.
        request_id: Its caller's own id of it; empty: none.
        declines_canary: Whether channels mean what they point to, whatever is tried there.
        canary_key: What the caller is known by to a canary, where nobody is asked who they are.
        may_lack_words: Whether a textual inversion may be worn without its word, as where it shall
            change nothing. No caller can say it.
        again: What it takes from an earlier run; None: it is its first.
        written: How its images are written.
        base: Fingerprint of the base it shall be drawn on, or its first digits; empty: any.
    """

    wanted: WantedDrawing
    adapters: tuple[WantedAdapter, ...] = ()
    seed: int | None = None
    images: int | None = None
    is_deterministic: bool = False
    preview_every: int = 0
    seconds_left: float | None = None
    caller: Caller = NOBODY
    identity: Identity = ANYBODY
    traceparent: str = ""
    priority: Priority = Priority.NORMAL
    request_id: str = ""
    declines_canary: bool = False
    canary_key: str = ""
    may_lack_words: bool = False
    again: Again | None = None
    written: Written = PNG
    base: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PutIn:
    """Trigger words that a request asked to have put into its prompts.

    Attributes:
        prompt: The prompt without them, in which `{trigger}` may stand.
        is_auto: Whether it was to be done without that.
        words: Those that were put in.
        negative_prompt: The negative prompt without them.
        negative_words: Those that were put into that.
    """

    prompt: str
    is_auto: bool
    words: tuple[str, ...]
    negative_prompt: str = ""
    negative_words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingWarning:
    """One thing of a request that is drawn otherwise than it seems, or than a release was made for.

    Attributes:
        release: `namespace/name@version`; empty where the base itself draws it so.
        field: The field of the request.
        message: What is drawn, and what the release was made for.
    """

    release: str
    field: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WornRecipe:
    """A recipe that brought a release into a stack.

    Attributes:
        release: The recipe.
        weight: Its weight in the request.
        controls: What the request says of it beside that.
    """

    release: Release
    weight: float
    controls: Controls | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worn:
    """One pinned release of a stack; never a recipe, which is worn as its members.

    Attributes:
        ref: The ref as the caller wrote it.
        release: What it meant at admission, or the member of the recipe it meant.
        weight: How strongly it acts.
        controls: Where it acts otherwise; None: nothing is said beside the weight.
        recipe: The recipe that brought it; None when the ref names the release itself.
        is_canary: Whether it is the candidate of a canary, in place of what the channel points to.
    """

    ref: str
    release: Release
    weight: float
    controls: Controls | None = None
    recipe: WornRecipe | None = None
    is_canary: bool = False

    @property
    def digest(self) -> str:
        """`sha256:…` of the release."""
        return str(self.release.digest)

    @property
    def strength(self) -> Weight:
        """Its weight and its controls, as an engine is told of them."""
        if self.controls is None:
            return self.weight
        return Strength(weight=self.weight, controls=self.controls)


def worn_for(release: Release) -> tuple[str, ...]:
    """Return the digests that are loaded for a release: its own, or those of its members."""
    return tuple(str(member.digest) for member in release.members) or (str(release.digest),)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """An admitted request: checked, pinned, numbered. What it wears never changes.

    Attributes:
        id: Random id.
        ticket: Place in the order of admission.
        drawing: What every image is.
        worn: The stack, pinned.
        seeds: One for each image.
        is_deterministic: Every image runs in a forward pass of its own.
        preview_every: A preview every so many steps; 0: none.
        registry_seq: Log position the refs were resolved at.
        admitted_at: Monotonic seconds.
        deadline_at: Monotonic seconds; None: no deadline.
        prompt_windows: Windows that the longer prompt fills.
        identity: Who asked.
        trace_id: Id of its trace; empty: none is kept.
        tenant: Whose share it uses; empty: nobody said.
        priority: Who of one tenant goes first.
        warnings: What of it the worn releases were not made for.
        put_in: Trigger words that were put into its prompt; None: it did not ask for that.
        written: How its images are written.
        base_fingerprint: The base it is drawn on; empty: nobody asks.
    """

    id: str
    ticket: int
    drawing: Drawing
    worn: tuple[Worn, ...]
    seeds: tuple[int, ...]
    is_deterministic: bool
    preview_every: int
    registry_seq: int
    admitted_at: float
    deadline_at: float | None
    prompt_windows: int
    identity: Identity = ANYBODY
    trace_id: str = ""
    tenant: str = ""
    priority: Priority = Priority.NORMAL
    warnings: tuple[SamplingWarning, ...] = ()
    put_in: PutIn | None = None
    written: Written = PNG
    base_fingerprint: str = ""

    @property
    def claim(self) -> Claim:
        """What one of its images is to the others in a queue."""
        return Claim(tenant=self.tenant, priority=self.priority, work=self.drawing.work)

    @property
    def digests(self) -> tuple[str, ...]:
        """Digests of the stack, in its order."""
        return tuple(worn.digest for worn in self.worn)

    @property
    def recipes(self) -> tuple[WornRecipe, ...]:
        """The recipes of the stack, each once."""
        found = (worn.recipe for worn in self.worn if worn.recipe is not None)
        return tuple({str(recipe.release.digest): recipe for recipe in found}.values())

    @property
    def pinned(self) -> frozenset[str]:
        """Digests of everything it relies on: the stack and its recipes."""
        return frozenset((*self.digests, *(str(one.release.digest) for one in self.recipes)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The job is admitted and pinned; `rows_ahead` images wait before it."""

    job: Job
    rows_ahead: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Steps done by one image."""

    index: int
    step: int
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A rough look at an unfinished image, as a file."""

    index: int
    step: int
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReady:
    """A finished image as a file, and its provenance as JSON.

    `is_altered`: it is not what was drawn, as where the safety classifier had it blurred.
    """

    index: int
    content: bytes
    seed: int
    provenance_json: str
    format: ImageFormat = "png"
    is_altered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Every image was sent. Seconds from admission to the first step, and to the last image."""

    queue_seconds: float
    total_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The job ended without all its images."""

    error: Exception


Event: TypeAlias = Accepted | Progress | Preview | ImageReady | Done | Failed
"""Anything that happens to a job, in the order it happens."""
