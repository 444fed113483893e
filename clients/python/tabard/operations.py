# SPDX-License-Identifier: Apache-2.0
"""What an operator sees of a running server: its status, what lies in memory, how a drain went.

Plain frozen values; they know nothing of protobuf or the network.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """A release in memory: its highest tier (`slot` or `host`), bytes there, jobs holding it."""

    adapter: str
    version: str
    digest: str
    tier: str
    bytes: int
    leases: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """What a server planned to use of its device when it started, in bytes.

    Attributes:
        base_bytes: Weights of all models.
        slot_bytes: Tables of rank rows beside every layer.
        merged_bytes: The merged copy when every layer is changed; 0 without one.
        gathered_bytes: Factors kept from one step to the next.
        activation_bytes: A full batch at the base's own size.
        free_bytes: What the device had for all of this; 0 where nobody could say.
        rows_per_step: Rows that may share a step.
        chosen: Settings that nobody fixed, and that were chosen so that all of this fits.
        packed_bytes: Weights once more, laid out for a CPU's kernels or for compiled passes.
        text_bytes: Encoded prompts that are kept.
        shelved_bytes: Text encoders that lie in host memory between uses; no part of the total.
    """

    base_bytes: int
    slot_bytes: int
    merged_bytes: int
    gathered_bytes: int
    activation_bytes: int
    free_bytes: int
    rows_per_step: int
    chosen: tuple[str, ...]
    packed_bytes: int
    text_bytes: int
    shelved_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """Everything but what is free."""
        weights = self.base_bytes + self.slot_bytes + self.merged_bytes + self.packed_bytes
        return weights + self.gathered_bytes + self.text_bytes + self.activation_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentCredentials:
    """What signs the pictures that callers are sent, by C2PA.

    Attributes:
        subject: Whom the certificate names, as RFC 4514 writes it.
        expires_at: Until when the certificate is valid, and those between it and its CA.
        algorithm: What signs, like `es256`.
    """

    subject: str
    expires_at: str
    algorithm: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyLabel:
    """A label that counts to a safety classifier, from a score on."""

    label: str
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyCheck:
    """A classifier that looks at pictures before callers are sent them.

    Attributes:
        model: Name of its folder.
        policy: What follows where a label counts: `flag`, `blur` or `withhold`.
        labels: The labels that count.
        failure: Why the last picture could not be looked at, so that it was not sent; empty: it
            could.
    """

    model: str
    policy: str
    labels: tuple[SafetyLabel, ...]
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a server is not simply serving.

    Attributes:
        state: The state that follows from it.
        reason: Stable code, like `ENGINE_STALLED`.
        message: The same in words.
        seconds: Since it began.
    """

    state: str
    reason: str
    message: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantLoad:
    """What a tenant has on a server now: images that wait, and images begun and not sent."""

    tenant: str
    rows_waiting: int
    rows_running: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerOptions:
    """How a sampler can be walked on the base of a server.

    Attributes:
        name: Short name, as in `ServerStatus.samplers`.
        title: The name that UIs show.
        timestep_spacings: What `timestep_spacing` may be with it; empty: it has its own.
        schedules: What `schedule` may be with it.
        takes: Which of `timesteps`, `sigmas` and `eta` may be said with it.
    """

    name: str
    title: str
    timestep_spacings: tuple[str, ...] = ()
    schedules: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleNames:
    """A schedule that a request may name, the title that UIs show, and other names of it."""

    name: str
    title: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """Kinds of pass of the UNet that are compiled beside a server, which draws as ever meanwhile.

    Attributes:
        ready: That run compiled.
        waiting: That are being compiled, or in line.
        slower: That do not, because that was seen to be slower.
        failure: Why nothing more is compiled; empty: nothing failed.
        unfit: That stay as they are because no graph here runs them.
    """

    ready: int = 0
    waiting: int = 0
    slower: int = 0
    failure: str = ""
    unfit: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """What a server is, and how busy.

    Attributes:
        version: Version of Tabard.
        base_family: e.g. `sd1`.
        base_fingerprint: All components of the base.
        base_source: Where the base was loaded from.
        device: `cpu`, `cuda:0`, ….
        registry_id: Id of its registry.
        registry_seq: Log position it has seen.
        rows_waiting: Images waiting.
        rows_running: Images being denoised.
        draining: True once a drain was asked for.
        residents: Releases in memory.
        samplers: Samplers that can be asked for.
        uptime_seconds: Since start.
        native_width: Pixels.
        native_height: Pixels.
        registry_lag_seconds: Since the registry last answered; grows while it is out of reach.
        memory_plan: What it uses of its device; None when nobody asked.
        merged_digests: What the merged copy of the base wears now; empty: it is not in use.
        base_prediction: What its network predicts: `epsilon`, `v_prediction`, `sample` or
            `flow_prediction`.
        base_zero_snr: Whether its noise schedule ends in pure noise.
        base_remarks: What is worth knowing of the base, such as keys that are not read.
        state: What it does now: `serving` and `degraded` take new jobs; `draining`, `stalled` and
            `stale` refuse them.
        causes: Why it is not simply serving, the gravest first.
        identity: How callers can show who they are; empty: nobody is asked.
        traces: Whether traces of jobs are sent to a collector.
        tenants: Who has images here now, the busiest first: whoever may not `operate` in all
            namespaces sees its own tenant alone.
        steps: Denoise steps since its start.
        row_steps: The same for each row: a step of four rows counts four times.
        sampler_options: How each of `samplers` can be walked, in the same order.
        schedules: Those that any of them takes.
        c2pa: What signs the pictures that callers are sent; None: nothing does.
        safety: What looks at them before; None: nothing does.
        compiled: How far its compiled passes are; None: nothing is compiled beside it.
    """

    version: str
    base_family: str
    base_fingerprint: str
    base_source: str
    device: str
    registry_id: str
    registry_seq: int
    rows_waiting: int
    rows_running: int
    draining: bool
    residents: tuple[Resident, ...]
    samplers: tuple[str, ...]
    uptime_seconds: float
    native_width: int
    native_height: int
    registry_lag_seconds: float = 0.0
    memory_plan: MemoryPlan | None = None
    merged_digests: tuple[str, ...] = ()
    base_prediction: str = ""
    base_zero_snr: bool = False
    base_remarks: tuple[str, ...] = ()
    state: str = ""
    causes: tuple[Cause, ...] = ()
    identity: tuple[str, ...] = ()
    traces: bool = False
    tenants: tuple[TenantLoad, ...] = ()
    steps: int = 0
    row_steps: int = 0
    sampler_options: tuple[SamplerOptions, ...] = ()
    schedules: tuple[ScheduleNames, ...] = ()
    c2pa: ContentCredentials | None = None
    safety: SafetyCheck | None = None
    compiled: Compiled | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedComponent:
    """The weights of one component: fingerprints of what was loaded, and of what is there now."""

    component: str
    loaded_fingerprint: str
    found_fingerprint: str

    @property
    def is_sound(self) -> bool:
        """Whether nothing has changed."""
        return self.loaded_fingerprint == self.found_fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a server found when it hashed the weights in its memory again.

    Attributes:
        components: Every component of the base.
        seconds: What it took.
    """

    components: tuple[VerifiedComponent, ...]
    seconds: float

    @property
    def is_sound(self) -> bool:
        """Whether nothing has changed."""
        return all(one.is_sound for one in self.components)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """A server of a registry, as it told of itself last.

    Attributes:
        id: 32 hexadecimal digits, drawn at its start.
        address: Where its settings say that others reach it; empty: they do not say.
        host: The name of its machine.
        version: Of Tabard.
        record_version: The highest version of a record that it reads.
        base_family: e.g. `sd1`.
        base_fingerprint: All components of its base.
        device: `cpu`, `cuda:0`, ….
        state: What it did for callers, as in `ServerStatus`.
        started_at: When it began, by its own clock.
        age_seconds: Since it told of itself, by the clock of the store.
        interval_seconds: How often it does.
        is_lost: Whether it has left that out three times: it is gone without a word, or cannot
            reach the store.
        registry_seq: Log position that it had seen.
        registry_lag_seconds: Since the registry had last answered it.
        clock_ahead_seconds: How far its clock is ahead of that of the server that was asked; a
            second or two say nothing.
        rows_waiting: Images that waited.
        rows_running: Images that were being denoised.
    """

    id: str
    address: str
    host: str
    version: str
    record_version: int
    base_family: str
    base_fingerprint: str
    device: str
    state: str
    started_at: str
    age_seconds: float
    interval_seconds: float
    is_lost: bool
    registry_seq: int
    registry_lag_seconds: float
    clock_ahead_seconds: float
    rows_waiting: int
    rows_running: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """The servers of a registry.

    Attributes:
        replicas: Those that told of themselves in the last day, the latest first.
        replica_id: Which of them was asked; it is not there where its settings say so.
        registry_seq: Log position that it has seen.
    """

    replicas: tuple[Replica, ...]
    replica_id: str
    registry_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """How far a drain got: jobs still running when the wait was over."""

    jobs_left: int
