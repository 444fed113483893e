from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReleaseKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RELEASE_KIND_UNSPECIFIED: _ClassVar[ReleaseKind]
    RELEASE_KIND_LORA: _ClassVar[ReleaseKind]
    RELEASE_KIND_TEXTUAL_INVERSION: _ClassVar[ReleaseKind]
    RELEASE_KIND_DREAMBOOTH: _ClassVar[ReleaseKind]
    RELEASE_KIND_RECIPE: _ClassVar[ReleaseKind]

class Purpose(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PURPOSE_UNSPECIFIED: _ClassVar[Purpose]
    PURPOSE_CONCEPT: _ClassVar[Purpose]
    PURPOSE_STYLE: _ClassVar[Purpose]
    PURPOSE_SUBJECT: _ClassVar[Purpose]

class ActionType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACTION_TYPE_UNSPECIFIED: _ClassVar[ActionType]
    ACTION_TYPE_PUBLISH: _ClassVar[ActionType]
    ACTION_TYPE_PROMOTE: _ClassVar[ActionType]
    ACTION_TYPE_ROLLBACK: _ClassVar[ActionType]
    ACTION_TYPE_YANK: _ClassVar[ActionType]
    ACTION_TYPE_UNYANK: _ClassVar[ActionType]
    ACTION_TYPE_QUARANTINE: _ClassVar[ActionType]
    ACTION_TYPE_LIFT: _ClassVar[ActionType]
    ACTION_TYPE_PURGE: _ClassVar[ActionType]
    ACTION_TYPE_SIGN: _ClassVar[ActionType]
    ACTION_TYPE_KEY: _ClassVar[ActionType]
    ACTION_TYPE_POLICY: _ClassVar[ActionType]
    ACTION_TYPE_GC_INTENT: _ClassVar[ActionType]
    ACTION_TYPE_GC_DONE: _ClassVar[ActionType]
    ACTION_TYPE_EDIT: _ClassVar[ActionType]
    ACTION_TYPE_EVIDENCE: _ClassVar[ActionType]
    ACTION_TYPE_GRID: _ClassVar[ActionType]
    ACTION_TYPE_REVIEW: _ClassVar[ActionType]
    ACTION_TYPE_VOTE: _ClassVar[ActionType]
    ACTION_TYPE_CANARY: _ClassVar[ActionType]

class Proof(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROOF_UNSPECIFIED: _ClassVar[Proof]
    PROOF_TOKEN: _ClassVar[Proof]
    PROOF_JWT: _ClassVar[Proof]
    PROOF_CERTIFICATE: _ClassVar[Proof]
RELEASE_KIND_UNSPECIFIED: ReleaseKind
RELEASE_KIND_LORA: ReleaseKind
RELEASE_KIND_TEXTUAL_INVERSION: ReleaseKind
RELEASE_KIND_DREAMBOOTH: ReleaseKind
RELEASE_KIND_RECIPE: ReleaseKind
PURPOSE_UNSPECIFIED: Purpose
PURPOSE_CONCEPT: Purpose
PURPOSE_STYLE: Purpose
PURPOSE_SUBJECT: Purpose
ACTION_TYPE_UNSPECIFIED: ActionType
ACTION_TYPE_PUBLISH: ActionType
ACTION_TYPE_PROMOTE: ActionType
ACTION_TYPE_ROLLBACK: ActionType
ACTION_TYPE_YANK: ActionType
ACTION_TYPE_UNYANK: ActionType
ACTION_TYPE_QUARANTINE: ActionType
ACTION_TYPE_LIFT: ActionType
ACTION_TYPE_PURGE: ActionType
ACTION_TYPE_SIGN: ActionType
ACTION_TYPE_KEY: ActionType
ACTION_TYPE_POLICY: ActionType
ACTION_TYPE_GC_INTENT: ActionType
ACTION_TYPE_GC_DONE: ActionType
ACTION_TYPE_EDIT: ActionType
ACTION_TYPE_EVIDENCE: ActionType
ACTION_TYPE_GRID: ActionType
ACTION_TYPE_REVIEW: ActionType
ACTION_TYPE_VOTE: ActionType
ACTION_TYPE_CANARY: ActionType
PROOF_UNSPECIFIED: Proof
PROOF_TOKEN: Proof
PROOF_JWT: Proof
PROOF_CERTIFICATE: Proof

class WeightedRef(_message.Message):
    __slots__ = ("ref", "weight", "controls")
    REF_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    CONTROLS_FIELD_NUMBER: _ClassVar[int]
    ref: str
    weight: float
    controls: AdapterControls
    def __init__(self, ref: _Optional[str] = ..., weight: _Optional[float] = ..., controls: _Optional[_Union[AdapterControls, _Mapping]] = ...) -> None: ...

class AdapterControls(_message.Message):
    __slots__ = ("text_encoder", "unet", "points", "start", "end", "blocks", "block_weights", "region")
    TEXT_ENCODER_FIELD_NUMBER: _ClassVar[int]
    UNET_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    BLOCK_WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    text_encoder: float
    unet: float
    points: _containers.RepeatedCompositeFieldContainer[WeightPoint]
    start: float
    end: float
    blocks: _containers.RepeatedCompositeFieldContainer[BlockWeight]
    block_weights: _containers.RepeatedScalarFieldContainer[float]
    region: str
    def __init__(self, text_encoder: _Optional[float] = ..., unet: _Optional[float] = ..., points: _Optional[_Iterable[_Union[WeightPoint, _Mapping]]] = ..., start: _Optional[float] = ..., end: _Optional[float] = ..., blocks: _Optional[_Iterable[_Union[BlockWeight, _Mapping]]] = ..., block_weights: _Optional[_Iterable[float]] = ..., region: _Optional[str] = ...) -> None: ...

class WeightPoint(_message.Message):
    __slots__ = ("weight", "at")
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    weight: float
    at: float
    def __init__(self, weight: _Optional[float] = ..., at: _Optional[float] = ...) -> None: ...

class BlockWeight(_message.Message):
    __slots__ = ("block", "weight")
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    block: str
    weight: float
    def __init__(self, block: _Optional[str] = ..., weight: _Optional[float] = ...) -> None: ...

class Release(_message.Message):
    __slots__ = ("adapter", "version", "digest", "kind", "purpose", "base_family", "base_fingerprint", "trigger_words", "rank", "target_count", "original_bytes", "dialect", "notes", "licence", "training", "seq", "publish_time", "published_by", "yanked", "yank_reason", "parent_digest", "members", "quarantined", "quarantine_reason", "purged", "purge_reason", "publish_reason", "signatures", "troubled_members", "title", "previews_digest", "sampling")
    class TrainingEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    BASE_FAMILY_FIELD_NUMBER: _ClassVar[int]
    BASE_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_WORDS_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    TARGET_COUNT_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    DIALECT_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    LICENCE_FIELD_NUMBER: _ClassVar[int]
    TRAINING_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    PUBLISH_TIME_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_BY_FIELD_NUMBER: _ClassVar[int]
    YANKED_FIELD_NUMBER: _ClassVar[int]
    YANK_REASON_FIELD_NUMBER: _ClassVar[int]
    PARENT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    QUARANTINED_FIELD_NUMBER: _ClassVar[int]
    QUARANTINE_REASON_FIELD_NUMBER: _ClassVar[int]
    PURGED_FIELD_NUMBER: _ClassVar[int]
    PURGE_REASON_FIELD_NUMBER: _ClassVar[int]
    PUBLISH_REASON_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    TROUBLED_MEMBERS_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    PREVIEWS_DIGEST_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    adapter: str
    version: str
    digest: str
    kind: ReleaseKind
    purpose: Purpose
    base_family: str
    base_fingerprint: str
    trigger_words: _containers.RepeatedScalarFieldContainer[str]
    rank: int
    target_count: int
    original_bytes: int
    dialect: str
    notes: str
    licence: str
    training: _containers.ScalarMap[str, str]
    seq: int
    publish_time: _timestamp_pb2.Timestamp
    published_by: str
    yanked: bool
    yank_reason: str
    parent_digest: str
    members: _containers.RepeatedCompositeFieldContainer[Member]
    quarantined: bool
    quarantine_reason: str
    purged: bool
    purge_reason: str
    publish_reason: str
    signatures: _containers.RepeatedCompositeFieldContainer[ReleaseSignature]
    troubled_members: _containers.RepeatedScalarFieldContainer[str]
    title: str
    previews_digest: str
    sampling: Sampling
    def __init__(self, adapter: _Optional[str] = ..., version: _Optional[str] = ..., digest: _Optional[str] = ..., kind: _Optional[_Union[ReleaseKind, str]] = ..., purpose: _Optional[_Union[Purpose, str]] = ..., base_family: _Optional[str] = ..., base_fingerprint: _Optional[str] = ..., trigger_words: _Optional[_Iterable[str]] = ..., rank: _Optional[int] = ..., target_count: _Optional[int] = ..., original_bytes: _Optional[int] = ..., dialect: _Optional[str] = ..., notes: _Optional[str] = ..., licence: _Optional[str] = ..., training: _Optional[_Mapping[str, str]] = ..., seq: _Optional[int] = ..., publish_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., published_by: _Optional[str] = ..., yanked: bool = ..., yank_reason: _Optional[str] = ..., parent_digest: _Optional[str] = ..., members: _Optional[_Iterable[_Union[Member, _Mapping]]] = ..., quarantined: bool = ..., quarantine_reason: _Optional[str] = ..., purged: bool = ..., purge_reason: _Optional[str] = ..., publish_reason: _Optional[str] = ..., signatures: _Optional[_Iterable[_Union[ReleaseSignature, _Mapping]]] = ..., troubled_members: _Optional[_Iterable[str]] = ..., title: _Optional[str] = ..., previews_digest: _Optional[str] = ..., sampling: _Optional[_Union[Sampling, _Mapping]] = ...) -> None: ...

class Sampling(_message.Message):
    __slots__ = ("samplers", "steps", "guidance", "spacing", "timesteps", "sigmas", "clip_skip", "prediction", "weight", "enforce", "sources", "prompt")
    SAMPLERS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    GUIDANCE_FIELD_NUMBER: _ClassVar[int]
    SPACING_FIELD_NUMBER: _ClassVar[int]
    TIMESTEPS_FIELD_NUMBER: _ClassVar[int]
    SIGMAS_FIELD_NUMBER: _ClassVar[int]
    CLIP_SKIP_FIELD_NUMBER: _ClassVar[int]
    PREDICTION_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    ENFORCE_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    samplers: _containers.RepeatedScalarFieldContainer[str]
    steps: SamplingSpan
    guidance: SamplingSpan
    spacing: str
    timesteps: _containers.RepeatedScalarFieldContainer[int]
    sigmas: _containers.RepeatedScalarFieldContainer[float]
    clip_skip: int
    prediction: str
    weight: SamplingSpan
    enforce: str
    sources: _containers.RepeatedScalarFieldContainer[str]
    prompt: str
    def __init__(self, samplers: _Optional[_Iterable[str]] = ..., steps: _Optional[_Union[SamplingSpan, _Mapping]] = ..., guidance: _Optional[_Union[SamplingSpan, _Mapping]] = ..., spacing: _Optional[str] = ..., timesteps: _Optional[_Iterable[int]] = ..., sigmas: _Optional[_Iterable[float]] = ..., clip_skip: _Optional[int] = ..., prediction: _Optional[str] = ..., weight: _Optional[_Union[SamplingSpan, _Mapping]] = ..., enforce: _Optional[str] = ..., sources: _Optional[_Iterable[str]] = ..., prompt: _Optional[str] = ...) -> None: ...

class SamplingSpan(_message.Message):
    __slots__ = ("min", "max", "recommended")
    MIN_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    RECOMMENDED_FIELD_NUMBER: _ClassVar[int]
    min: float
    max: float
    recommended: float
    def __init__(self, min: _Optional[float] = ..., max: _Optional[float] = ..., recommended: _Optional[float] = ...) -> None: ...

class Member(_message.Message):
    __slots__ = ("adapter", "version", "digest", "weight")
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    adapter: str
    version: str
    digest: str
    weight: float
    def __init__(self, adapter: _Optional[str] = ..., version: _Optional[str] = ..., digest: _Optional[str] = ..., weight: _Optional[float] = ...) -> None: ...

class ReleaseSignature(_message.Message):
    __slots__ = ("key_id", "signature", "seq")
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    key_id: str
    signature: str
    seq: int
    def __init__(self, key_id: _Optional[str] = ..., signature: _Optional[str] = ..., seq: _Optional[int] = ...) -> None: ...

class Channel(_message.Message):
    __slots__ = ("name", "digest", "version", "seq")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    name: str
    digest: str
    version: str
    seq: int
    def __init__(self, name: _Optional[str] = ..., digest: _Optional[str] = ..., version: _Optional[str] = ..., seq: _Optional[int] = ...) -> None: ...

class Adapter(_message.Message):
    __slots__ = ("name", "releases", "channels", "release_count")
    NAME_FIELD_NUMBER: _ClassVar[int]
    RELEASES_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    RELEASE_COUNT_FIELD_NUMBER: _ClassVar[int]
    name: str
    releases: _containers.RepeatedCompositeFieldContainer[Release]
    channels: _containers.RepeatedCompositeFieldContainer[Channel]
    release_count: int
    def __init__(self, name: _Optional[str] = ..., releases: _Optional[_Iterable[_Union[Release, _Mapping]]] = ..., channels: _Optional[_Iterable[_Union[Channel, _Mapping]]] = ..., release_count: _Optional[int] = ...) -> None: ...

class Record(_message.Message):
    __slots__ = ("seq", "id", "time", "actor", "reason", "actions", "prev")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    PREV_FIELD_NUMBER: _ClassVar[int]
    seq: int
    id: str
    time: _timestamp_pb2.Timestamp
    actor: str
    reason: str
    actions: _containers.RepeatedCompositeFieldContainer[Action]
    prev: str
    def __init__(self, seq: _Optional[int] = ..., id: _Optional[str] = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., actions: _Optional[_Iterable[_Union[Action, _Mapping]]] = ..., prev: _Optional[str] = ...) -> None: ...

class Action(_message.Message):
    __slots__ = ("type", "adapter", "digest", "version", "channel", "previous_digest", "effective", "note", "actor", "reason", "on_behalf_of", "proof")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_DIGEST_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ON_BEHALF_OF_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    type: ActionType
    adapter: str
    digest: str
    version: str
    channel: str
    previous_digest: str
    effective: bool
    note: str
    actor: str
    reason: str
    on_behalf_of: str
    proof: Proof
    def __init__(self, type: _Optional[_Union[ActionType, str]] = ..., adapter: _Optional[str] = ..., digest: _Optional[str] = ..., version: _Optional[str] = ..., channel: _Optional[str] = ..., previous_digest: _Optional[str] = ..., effective: bool = ..., note: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., on_behalf_of: _Optional[str] = ..., proof: _Optional[_Union[Proof, str]] = ...) -> None: ...
