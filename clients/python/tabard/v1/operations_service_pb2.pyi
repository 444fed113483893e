from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ServerState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SERVER_STATE_UNSPECIFIED: _ClassVar[ServerState]
    SERVER_STATE_STARTING: _ClassVar[ServerState]
    SERVER_STATE_DRAINING: _ClassVar[ServerState]
    SERVER_STATE_STALLED: _ClassVar[ServerState]
    SERVER_STATE_STALE: _ClassVar[ServerState]
    SERVER_STATE_DEGRADED: _ClassVar[ServerState]
    SERVER_STATE_SERVING: _ClassVar[ServerState]

class Prediction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PREDICTION_UNSPECIFIED: _ClassVar[Prediction]
    PREDICTION_EPSILON: _ClassVar[Prediction]
    PREDICTION_V_PREDICTION: _ClassVar[Prediction]
    PREDICTION_SAMPLE: _ClassVar[Prediction]
    PREDICTION_FLOW_PREDICTION: _ClassVar[Prediction]

class Tier(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TIER_UNSPECIFIED: _ClassVar[Tier]
    TIER_HOST: _ClassVar[Tier]
    TIER_SLOT: _ClassVar[Tier]
SERVER_STATE_UNSPECIFIED: ServerState
SERVER_STATE_STARTING: ServerState
SERVER_STATE_DRAINING: ServerState
SERVER_STATE_STALLED: ServerState
SERVER_STATE_STALE: ServerState
SERVER_STATE_DEGRADED: ServerState
SERVER_STATE_SERVING: ServerState
PREDICTION_UNSPECIFIED: Prediction
PREDICTION_EPSILON: Prediction
PREDICTION_V_PREDICTION: Prediction
PREDICTION_SAMPLE: Prediction
PREDICTION_FLOW_PREDICTION: Prediction
TIER_UNSPECIFIED: Tier
TIER_HOST: Tier
TIER_SLOT: Tier

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("version", "base_family", "base_fingerprint", "base_source", "device", "registry_id", "registry_seq", "rows_waiting", "rows_running", "draining", "residents", "samplers", "uptime", "native_width", "native_height", "registry_lag", "memory_plan", "merged_digests", "base_prediction", "base_zero_snr", "base_remarks", "state", "causes", "identity", "traces", "tenants", "steps", "row_steps", "sampler_options", "schedules", "c2pa", "safety", "compiled")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    BASE_FAMILY_FIELD_NUMBER: _ClassVar[int]
    BASE_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    BASE_SOURCE_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    REGISTRY_ID_FIELD_NUMBER: _ClassVar[int]
    REGISTRY_SEQ_FIELD_NUMBER: _ClassVar[int]
    ROWS_WAITING_FIELD_NUMBER: _ClassVar[int]
    ROWS_RUNNING_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    RESIDENTS_FIELD_NUMBER: _ClassVar[int]
    SAMPLERS_FIELD_NUMBER: _ClassVar[int]
    UPTIME_FIELD_NUMBER: _ClassVar[int]
    NATIVE_WIDTH_FIELD_NUMBER: _ClassVar[int]
    NATIVE_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    REGISTRY_LAG_FIELD_NUMBER: _ClassVar[int]
    MEMORY_PLAN_FIELD_NUMBER: _ClassVar[int]
    MERGED_DIGESTS_FIELD_NUMBER: _ClassVar[int]
    BASE_PREDICTION_FIELD_NUMBER: _ClassVar[int]
    BASE_ZERO_SNR_FIELD_NUMBER: _ClassVar[int]
    BASE_REMARKS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CAUSES_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    TRACES_FIELD_NUMBER: _ClassVar[int]
    TENANTS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    ROW_STEPS_FIELD_NUMBER: _ClassVar[int]
    SAMPLER_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULES_FIELD_NUMBER: _ClassVar[int]
    C2PA_FIELD_NUMBER: _ClassVar[int]
    SAFETY_FIELD_NUMBER: _ClassVar[int]
    COMPILED_FIELD_NUMBER: _ClassVar[int]
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
    residents: _containers.RepeatedCompositeFieldContainer[Resident]
    samplers: _containers.RepeatedScalarFieldContainer[str]
    uptime: _duration_pb2.Duration
    native_width: int
    native_height: int
    registry_lag: _duration_pb2.Duration
    memory_plan: MemoryPlan
    merged_digests: _containers.RepeatedScalarFieldContainer[str]
    base_prediction: Prediction
    base_zero_snr: bool
    base_remarks: _containers.RepeatedScalarFieldContainer[str]
    state: ServerState
    causes: _containers.RepeatedCompositeFieldContainer[Cause]
    identity: _containers.RepeatedScalarFieldContainer[str]
    traces: bool
    tenants: _containers.RepeatedCompositeFieldContainer[TenantLoad]
    steps: int
    row_steps: int
    sampler_options: _containers.RepeatedCompositeFieldContainer[SamplerOptions]
    schedules: _containers.RepeatedCompositeFieldContainer[ScheduleNames]
    c2pa: ContentCredentials
    safety: SafetyCheck
    compiled: Compiled
    def __init__(self, version: _Optional[str] = ..., base_family: _Optional[str] = ..., base_fingerprint: _Optional[str] = ..., base_source: _Optional[str] = ..., device: _Optional[str] = ..., registry_id: _Optional[str] = ..., registry_seq: _Optional[int] = ..., rows_waiting: _Optional[int] = ..., rows_running: _Optional[int] = ..., draining: bool = ..., residents: _Optional[_Iterable[_Union[Resident, _Mapping]]] = ..., samplers: _Optional[_Iterable[str]] = ..., uptime: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., native_width: _Optional[int] = ..., native_height: _Optional[int] = ..., registry_lag: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., memory_plan: _Optional[_Union[MemoryPlan, _Mapping]] = ..., merged_digests: _Optional[_Iterable[str]] = ..., base_prediction: _Optional[_Union[Prediction, str]] = ..., base_zero_snr: bool = ..., base_remarks: _Optional[_Iterable[str]] = ..., state: _Optional[_Union[ServerState, str]] = ..., causes: _Optional[_Iterable[_Union[Cause, _Mapping]]] = ..., identity: _Optional[_Iterable[str]] = ..., traces: bool = ..., tenants: _Optional[_Iterable[_Union[TenantLoad, _Mapping]]] = ..., steps: _Optional[int] = ..., row_steps: _Optional[int] = ..., sampler_options: _Optional[_Iterable[_Union[SamplerOptions, _Mapping]]] = ..., schedules: _Optional[_Iterable[_Union[ScheduleNames, _Mapping]]] = ..., c2pa: _Optional[_Union[ContentCredentials, _Mapping]] = ..., safety: _Optional[_Union[SafetyCheck, _Mapping]] = ..., compiled: _Optional[_Union[Compiled, _Mapping]] = ...) -> None: ...

class Compiled(_message.Message):
    __slots__ = ("ready", "waiting", "slower", "failure", "unfit")
    READY_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    SLOWER_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    UNFIT_FIELD_NUMBER: _ClassVar[int]
    ready: int
    waiting: int
    slower: int
    failure: str
    unfit: int
    def __init__(self, ready: _Optional[int] = ..., waiting: _Optional[int] = ..., slower: _Optional[int] = ..., failure: _Optional[str] = ..., unfit: _Optional[int] = ...) -> None: ...

class SamplerOptions(_message.Message):
    __slots__ = ("name", "title", "timestep_spacings", "schedules", "takes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    TIMESTEP_SPACINGS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULES_FIELD_NUMBER: _ClassVar[int]
    TAKES_FIELD_NUMBER: _ClassVar[int]
    name: str
    title: str
    timestep_spacings: _containers.RepeatedScalarFieldContainer[str]
    schedules: _containers.RepeatedScalarFieldContainer[str]
    takes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., title: _Optional[str] = ..., timestep_spacings: _Optional[_Iterable[str]] = ..., schedules: _Optional[_Iterable[str]] = ..., takes: _Optional[_Iterable[str]] = ...) -> None: ...

class ScheduleNames(_message.Message):
    __slots__ = ("name", "title", "aliases")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    name: str
    title: str
    aliases: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., title: _Optional[str] = ..., aliases: _Optional[_Iterable[str]] = ...) -> None: ...

class ContentCredentials(_message.Message):
    __slots__ = ("subject", "expire_time", "algorithm")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    subject: str
    expire_time: _timestamp_pb2.Timestamp
    algorithm: str
    def __init__(self, subject: _Optional[str] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., algorithm: _Optional[str] = ...) -> None: ...

class SafetyCheck(_message.Message):
    __slots__ = ("model", "policy", "labels", "failure")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    model: str
    policy: str
    labels: _containers.RepeatedCompositeFieldContainer[SafetyLabel]
    failure: str
    def __init__(self, model: _Optional[str] = ..., policy: _Optional[str] = ..., labels: _Optional[_Iterable[_Union[SafetyLabel, _Mapping]]] = ..., failure: _Optional[str] = ...) -> None: ...

class SafetyLabel(_message.Message):
    __slots__ = ("label", "threshold")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    label: str
    threshold: float
    def __init__(self, label: _Optional[str] = ..., threshold: _Optional[float] = ...) -> None: ...

class TenantLoad(_message.Message):
    __slots__ = ("tenant", "rows_waiting", "rows_running")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    ROWS_WAITING_FIELD_NUMBER: _ClassVar[int]
    ROWS_RUNNING_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    rows_waiting: int
    rows_running: int
    def __init__(self, tenant: _Optional[str] = ..., rows_waiting: _Optional[int] = ..., rows_running: _Optional[int] = ...) -> None: ...

class Cause(_message.Message):
    __slots__ = ("state", "reason", "message", "duration")
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    state: ServerState
    reason: str
    message: str
    duration: _duration_pb2.Duration
    def __init__(self, state: _Optional[_Union[ServerState, str]] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ..., duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class VerifyRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class VerifyResponse(_message.Message):
    __slots__ = ("components", "duration")
    COMPONENTS_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    components: _containers.RepeatedCompositeFieldContainer[VerifiedComponent]
    duration: _duration_pb2.Duration
    def __init__(self, components: _Optional[_Iterable[_Union[VerifiedComponent, _Mapping]]] = ..., duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class VerifiedComponent(_message.Message):
    __slots__ = ("component", "loaded_fingerprint", "found_fingerprint")
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    LOADED_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    FOUND_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    component: str
    loaded_fingerprint: str
    found_fingerprint: str
    def __init__(self, component: _Optional[str] = ..., loaded_fingerprint: _Optional[str] = ..., found_fingerprint: _Optional[str] = ...) -> None: ...

class MemoryPlan(_message.Message):
    __slots__ = ("base_bytes", "slot_bytes", "merged_bytes", "gathered_bytes", "activation_bytes", "free_bytes", "rows_per_step", "chosen", "packed_bytes", "text_bytes", "shelved_bytes")
    BASE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SLOT_BYTES_FIELD_NUMBER: _ClassVar[int]
    MERGED_BYTES_FIELD_NUMBER: _ClassVar[int]
    GATHERED_BYTES_FIELD_NUMBER: _ClassVar[int]
    ACTIVATION_BYTES_FIELD_NUMBER: _ClassVar[int]
    FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    ROWS_PER_STEP_FIELD_NUMBER: _ClassVar[int]
    CHOSEN_FIELD_NUMBER: _ClassVar[int]
    PACKED_BYTES_FIELD_NUMBER: _ClassVar[int]
    TEXT_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHELVED_BYTES_FIELD_NUMBER: _ClassVar[int]
    base_bytes: int
    slot_bytes: int
    merged_bytes: int
    gathered_bytes: int
    activation_bytes: int
    free_bytes: int
    rows_per_step: int
    chosen: _containers.RepeatedScalarFieldContainer[str]
    packed_bytes: int
    text_bytes: int
    shelved_bytes: int
    def __init__(self, base_bytes: _Optional[int] = ..., slot_bytes: _Optional[int] = ..., merged_bytes: _Optional[int] = ..., gathered_bytes: _Optional[int] = ..., activation_bytes: _Optional[int] = ..., free_bytes: _Optional[int] = ..., rows_per_step: _Optional[int] = ..., chosen: _Optional[_Iterable[str]] = ..., packed_bytes: _Optional[int] = ..., text_bytes: _Optional[int] = ..., shelved_bytes: _Optional[int] = ...) -> None: ...

class Resident(_message.Message):
    __slots__ = ("adapter", "version", "digest", "tier", "bytes", "leases")
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    LEASES_FIELD_NUMBER: _ClassVar[int]
    adapter: str
    version: str
    digest: str
    tier: Tier
    bytes: int
    leases: int
    def __init__(self, adapter: _Optional[str] = ..., version: _Optional[str] = ..., digest: _Optional[str] = ..., tier: _Optional[_Union[Tier, str]] = ..., bytes: _Optional[int] = ..., leases: _Optional[int] = ...) -> None: ...

class WarmRequest(_message.Message):
    __slots__ = ("ref",)
    REF_FIELD_NUMBER: _ClassVar[int]
    ref: str
    def __init__(self, ref: _Optional[str] = ...) -> None: ...

class WarmResponse(_message.Message):
    __slots__ = ("resident",)
    RESIDENT_FIELD_NUMBER: _ClassVar[int]
    resident: Resident
    def __init__(self, resident: _Optional[_Union[Resident, _Mapping]] = ...) -> None: ...

class DrainRequest(_message.Message):
    __slots__ = ("wait",)
    WAIT_FIELD_NUMBER: _ClassVar[int]
    wait: _duration_pb2.Duration
    def __init__(self, wait: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class DrainResponse(_message.Message):
    __slots__ = ("jobs_left",)
    JOBS_LEFT_FIELD_NUMBER: _ClassVar[int]
    jobs_left: int
    def __init__(self, jobs_left: _Optional[int] = ...) -> None: ...

class ListReplicasRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListReplicasResponse(_message.Message):
    __slots__ = ("replicas", "replica_id", "registry_seq")
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    REGISTRY_SEQ_FIELD_NUMBER: _ClassVar[int]
    replicas: _containers.RepeatedCompositeFieldContainer[Replica]
    replica_id: str
    registry_seq: int
    def __init__(self, replicas: _Optional[_Iterable[_Union[Replica, _Mapping]]] = ..., replica_id: _Optional[str] = ..., registry_seq: _Optional[int] = ...) -> None: ...

class Replica(_message.Message):
    __slots__ = ("id", "address", "host", "version", "record_version", "base_family", "base_fingerprint", "device", "state", "start_time", "age", "interval", "is_lost", "registry_seq", "registry_lag", "clock_ahead", "rows_waiting", "rows_running")
    ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RECORD_VERSION_FIELD_NUMBER: _ClassVar[int]
    BASE_FAMILY_FIELD_NUMBER: _ClassVar[int]
    BASE_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    AGE_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    IS_LOST_FIELD_NUMBER: _ClassVar[int]
    REGISTRY_SEQ_FIELD_NUMBER: _ClassVar[int]
    REGISTRY_LAG_FIELD_NUMBER: _ClassVar[int]
    CLOCK_AHEAD_FIELD_NUMBER: _ClassVar[int]
    ROWS_WAITING_FIELD_NUMBER: _ClassVar[int]
    ROWS_RUNNING_FIELD_NUMBER: _ClassVar[int]
    id: str
    address: str
    host: str
    version: str
    record_version: int
    base_family: str
    base_fingerprint: str
    device: str
    state: ServerState
    start_time: _timestamp_pb2.Timestamp
    age: _duration_pb2.Duration
    interval: _duration_pb2.Duration
    is_lost: bool
    registry_seq: int
    registry_lag: _duration_pb2.Duration
    clock_ahead: _duration_pb2.Duration
    rows_waiting: int
    rows_running: int
    def __init__(self, id: _Optional[str] = ..., address: _Optional[str] = ..., host: _Optional[str] = ..., version: _Optional[str] = ..., record_version: _Optional[int] = ..., base_family: _Optional[str] = ..., base_fingerprint: _Optional[str] = ..., device: _Optional[str] = ..., state: _Optional[_Union[ServerState, str]] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., age: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., interval: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., is_lost: bool = ..., registry_seq: _Optional[int] = ..., registry_lag: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., clock_ahead: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., rows_waiting: _Optional[int] = ..., rows_running: _Optional[int] = ...) -> None: ...
