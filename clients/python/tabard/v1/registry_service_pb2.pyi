from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from tabard.v1 import adapter_pb2 as _adapter_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WearMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WEAR_MODE_UNSPECIFIED: _ClassVar[WearMode]
    WEAR_MODE_ROWS: _ClassVar[WearMode]
    WEAR_MODE_MERGED: _ClassVar[WearMode]

class BaseMatch(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BASE_MATCH_UNSPECIFIED: _ClassVar[BaseMatch]
    BASE_MATCH_SAME: _ClassVar[BaseMatch]
    BASE_MATCH_FAMILY: _ClassVar[BaseMatch]

class ModuleKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODULE_KIND_UNSPECIFIED: _ClassVar[ModuleKind]
    MODULE_KIND_ATTENTION: _ClassVar[ModuleKind]
    MODULE_KIND_FEED_FORWARD: _ClassVar[ModuleKind]
    MODULE_KIND_PROJECTION: _ClassVar[ModuleKind]
    MODULE_KIND_CONVOLUTION: _ClassVar[ModuleKind]
    MODULE_KIND_NORM: _ClassVar[ModuleKind]
    MODULE_KIND_BIAS: _ClassVar[ModuleKind]
    MODULE_KIND_OTHER: _ClassVar[ModuleKind]

class FileFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FILE_FORMAT_UNSPECIFIED: _ClassVar[FileFormat]
    FILE_FORMAT_ORIGINAL: _ClassVar[FileFormat]
    FILE_FORMAT_CANONICAL: _ClassVar[FileFormat]
    FILE_FORMAT_KOHYA: _ClassVar[FileFormat]
    FILE_FORMAT_DIFFUSERS: _ClassVar[FileFormat]
WEAR_MODE_UNSPECIFIED: WearMode
WEAR_MODE_ROWS: WearMode
WEAR_MODE_MERGED: WearMode
BASE_MATCH_UNSPECIFIED: BaseMatch
BASE_MATCH_SAME: BaseMatch
BASE_MATCH_FAMILY: BaseMatch
MODULE_KIND_UNSPECIFIED: ModuleKind
MODULE_KIND_ATTENTION: ModuleKind
MODULE_KIND_FEED_FORWARD: ModuleKind
MODULE_KIND_PROJECTION: ModuleKind
MODULE_KIND_CONVOLUTION: ModuleKind
MODULE_KIND_NORM: ModuleKind
MODULE_KIND_BIAS: ModuleKind
MODULE_KIND_OTHER: ModuleKind
FILE_FORMAT_UNSPECIFIED: FileFormat
FILE_FORMAT_ORIGINAL: FileFormat
FILE_FORMAT_CANONICAL: FileFormat
FILE_FORMAT_KOHYA: FileFormat
FILE_FORMAT_DIFFUSERS: FileFormat

class PublishRequest(_message.Message):
    __slots__ = ("draft", "file", "chunk")
    DRAFT_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    draft: ReleaseDraft
    file: FileStart
    chunk: bytes
    def __init__(self, draft: _Optional[_Union[ReleaseDraft, _Mapping]] = ..., file: _Optional[_Union[FileStart, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class ReleaseDraft(_message.Message):
    __slots__ = ("adapter", "version", "kind", "purpose", "trigger_words", "notes", "licence", "actor", "request_id", "reason", "title", "previews", "sampling")
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_WORDS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    LICENCE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    PREVIEWS_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    adapter: str
    version: str
    kind: _adapter_pb2.ReleaseKind
    purpose: _adapter_pb2.Purpose
    trigger_words: _containers.RepeatedScalarFieldContainer[str]
    notes: str
    licence: str
    actor: str
    request_id: str
    reason: str
    title: str
    previews: bool
    sampling: _adapter_pb2.Sampling
    def __init__(self, adapter: _Optional[str] = ..., version: _Optional[str] = ..., kind: _Optional[_Union[_adapter_pb2.ReleaseKind, str]] = ..., purpose: _Optional[_Union[_adapter_pb2.Purpose, str]] = ..., trigger_words: _Optional[_Iterable[str]] = ..., notes: _Optional[str] = ..., licence: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ..., reason: _Optional[str] = ..., title: _Optional[str] = ..., previews: bool = ..., sampling: _Optional[_Union[_adapter_pb2.Sampling, _Mapping]] = ...) -> None: ...

class FileStart(_message.Message):
    __slots__ = ("name", "bytes_total")
    NAME_FIELD_NUMBER: _ClassVar[int]
    BYTES_TOTAL_FIELD_NUMBER: _ClassVar[int]
    name: str
    bytes_total: int
    def __init__(self, name: _Optional[str] = ..., bytes_total: _Optional[int] = ...) -> None: ...

class PublishResponse(_message.Message):
    __slots__ = ("release", "created", "report", "untaken")
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    UNTAKEN_FIELD_NUMBER: _ClassVar[int]
    release: _adapter_pb2.Release
    created: bool
    report: CheckReport
    untaken: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, release: _Optional[_Union[_adapter_pb2.Release, _Mapping]] = ..., created: bool = ..., report: _Optional[_Union[CheckReport, _Mapping]] = ..., untaken: _Optional[_Iterable[str]] = ...) -> None: ...

class CheckRequest(_message.Message):
    __slots__ = ("options", "file", "chunk")
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    options: CheckOptions
    file: FileStart
    chunk: bytes
    def __init__(self, options: _Optional[_Union[CheckOptions, _Mapping]] = ..., file: _Optional[_Union[FileStart, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class CheckOptions(_message.Message):
    __slots__ = ("kind", "trigger_words")
    KIND_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_WORDS_FIELD_NUMBER: _ClassVar[int]
    kind: _adapter_pb2.ReleaseKind
    trigger_words: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, kind: _Optional[_Union[_adapter_pb2.ReleaseKind, str]] = ..., trigger_words: _Optional[_Iterable[str]] = ...) -> None: ...

class CheckResponse(_message.Message):
    __slots__ = ("report",)
    REPORT_FIELD_NUMBER: _ClassVar[int]
    report: CheckReport
    def __init__(self, report: _Optional[_Union[CheckReport, _Mapping]] = ...) -> None: ...

class CheckReport(_message.Message):
    __slots__ = ("accepted", "kind", "dialect", "rank", "target_count", "tensor_count", "tensors_applied", "trigger_words", "problems", "resident_bytes", "training", "mode", "alphas", "methods", "coverage", "base_family", "base_fingerprint", "base_match", "declared", "sampling")
    class TrainingEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class MethodsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class DeclaredEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DIALECT_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    TARGET_COUNT_FIELD_NUMBER: _ClassVar[int]
    TENSOR_COUNT_FIELD_NUMBER: _ClassVar[int]
    TENSORS_APPLIED_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_WORDS_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    RESIDENT_BYTES_FIELD_NUMBER: _ClassVar[int]
    TRAINING_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    ALPHAS_FIELD_NUMBER: _ClassVar[int]
    METHODS_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_FIELD_NUMBER: _ClassVar[int]
    BASE_FAMILY_FIELD_NUMBER: _ClassVar[int]
    BASE_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    BASE_MATCH_FIELD_NUMBER: _ClassVar[int]
    DECLARED_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    accepted: bool
    kind: _adapter_pb2.ReleaseKind
    dialect: str
    rank: int
    target_count: int
    tensor_count: int
    tensors_applied: int
    trigger_words: _containers.RepeatedScalarFieldContainer[str]
    problems: _containers.RepeatedCompositeFieldContainer[Problem]
    resident_bytes: int
    training: _containers.ScalarMap[str, str]
    mode: WearMode
    alphas: _containers.RepeatedScalarFieldContainer[float]
    methods: _containers.ScalarMap[str, int]
    coverage: _containers.RepeatedCompositeFieldContainer[Coverage]
    base_family: str
    base_fingerprint: str
    base_match: BaseMatch
    declared: _containers.ScalarMap[str, str]
    sampling: _adapter_pb2.Sampling
    def __init__(self, accepted: bool = ..., kind: _Optional[_Union[_adapter_pb2.ReleaseKind, str]] = ..., dialect: _Optional[str] = ..., rank: _Optional[int] = ..., target_count: _Optional[int] = ..., tensor_count: _Optional[int] = ..., tensors_applied: _Optional[int] = ..., trigger_words: _Optional[_Iterable[str]] = ..., problems: _Optional[_Iterable[_Union[Problem, _Mapping]]] = ..., resident_bytes: _Optional[int] = ..., training: _Optional[_Mapping[str, str]] = ..., mode: _Optional[_Union[WearMode, str]] = ..., alphas: _Optional[_Iterable[float]] = ..., methods: _Optional[_Mapping[str, int]] = ..., coverage: _Optional[_Iterable[_Union[Coverage, _Mapping]]] = ..., base_family: _Optional[str] = ..., base_fingerprint: _Optional[str] = ..., base_match: _Optional[_Union[BaseMatch, str]] = ..., declared: _Optional[_Mapping[str, str]] = ..., sampling: _Optional[_Union[_adapter_pb2.Sampling, _Mapping]] = ...) -> None: ...

class Coverage(_message.Message):
    __slots__ = ("component", "kind", "changed", "total")
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    component: str
    kind: ModuleKind
    changed: int
    total: int
    def __init__(self, component: _Optional[str] = ..., kind: _Optional[_Union[ModuleKind, str]] = ..., changed: _Optional[int] = ..., total: _Optional[int] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("reason", "message", "remedy", "keys", "is_warning")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    IS_WARNING_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    remedy: str
    keys: _containers.RepeatedScalarFieldContainer[str]
    is_warning: bool
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ..., remedy: _Optional[str] = ..., keys: _Optional[_Iterable[str]] = ..., is_warning: bool = ...) -> None: ...

class GetAdapterRequest(_message.Message):
    __slots__ = ("adapter",)
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    adapter: str
    def __init__(self, adapter: _Optional[str] = ...) -> None: ...

class GetAdapterResponse(_message.Message):
    __slots__ = ("adapter",)
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    adapter: _adapter_pb2.Adapter
    def __init__(self, adapter: _Optional[_Union[_adapter_pb2.Adapter, _Mapping]] = ...) -> None: ...

class ListAdaptersRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAdaptersResponse(_message.Message):
    __slots__ = ("adapters", "next_page_token")
    ADAPTERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    adapters: _containers.RepeatedCompositeFieldContainer[_adapter_pb2.Adapter]
    next_page_token: str
    def __init__(self, adapters: _Optional[_Iterable[_Union[_adapter_pb2.Adapter, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListReleasesRequest(_message.Message):
    __slots__ = ("adapter", "page_size", "page_token")
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    adapter: str
    page_size: int
    page_token: str
    def __init__(self, adapter: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListReleasesResponse(_message.Message):
    __slots__ = ("releases", "next_page_token")
    RELEASES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    releases: _containers.RepeatedCompositeFieldContainer[_adapter_pb2.Release]
    next_page_token: str
    def __init__(self, releases: _Optional[_Iterable[_Union[_adapter_pb2.Release, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ResolveRequest(_message.Message):
    __slots__ = ("ref", "include_withdrawn")
    REF_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_WITHDRAWN_FIELD_NUMBER: _ClassVar[int]
    ref: str
    include_withdrawn: bool
    def __init__(self, ref: _Optional[str] = ..., include_withdrawn: bool = ...) -> None: ...

class ResolveResponse(_message.Message):
    __slots__ = ("release", "registry_seq")
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    REGISTRY_SEQ_FIELD_NUMBER: _ClassVar[int]
    release: _adapter_pb2.Release
    registry_seq: int
    def __init__(self, release: _Optional[_Union[_adapter_pb2.Release, _Mapping]] = ..., registry_seq: _Optional[int] = ...) -> None: ...

class PromoteRequest(_message.Message):
    __slots__ = ("ref", "channel", "reason", "actor", "expect_digest", "request_id", "override")
    REF_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    EXPECT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    ref: str
    channel: str
    reason: str
    actor: str
    expect_digest: str
    request_id: str
    override: str
    def __init__(self, ref: _Optional[str] = ..., channel: _Optional[str] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., expect_digest: _Optional[str] = ..., request_id: _Optional[str] = ..., override: _Optional[str] = ...) -> None: ...

class PromoteResponse(_message.Message):
    __slots__ = ("move",)
    MOVE_FIELD_NUMBER: _ClassVar[int]
    move: ChannelMove
    def __init__(self, move: _Optional[_Union[ChannelMove, _Mapping]] = ...) -> None: ...

class ChannelMove(_message.Message):
    __slots__ = ("adapter", "channel", "previous_digest", "previous_version", "digest", "version", "seq", "moved")
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_DIGEST_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    MOVED_FIELD_NUMBER: _ClassVar[int]
    adapter: str
    channel: str
    previous_digest: str
    previous_version: str
    digest: str
    version: str
    seq: int
    moved: bool
    def __init__(self, adapter: _Optional[str] = ..., channel: _Optional[str] = ..., previous_digest: _Optional[str] = ..., previous_version: _Optional[str] = ..., digest: _Optional[str] = ..., version: _Optional[str] = ..., seq: _Optional[int] = ..., moved: bool = ...) -> None: ...

class RollbackRequest(_message.Message):
    __slots__ = ("adapter", "channel", "to_version", "reason", "actor", "request_id", "expect_digest")
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    TO_VERSION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    EXPECT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    adapter: str
    channel: str
    to_version: str
    reason: str
    actor: str
    request_id: str
    expect_digest: str
    def __init__(self, adapter: _Optional[str] = ..., channel: _Optional[str] = ..., to_version: _Optional[str] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ..., expect_digest: _Optional[str] = ...) -> None: ...

class RollbackResponse(_message.Message):
    __slots__ = ("move",)
    MOVE_FIELD_NUMBER: _ClassVar[int]
    move: ChannelMove
    def __init__(self, move: _Optional[_Union[ChannelMove, _Mapping]] = ...) -> None: ...

class YankRequest(_message.Message):
    __slots__ = ("ref", "reason", "actor", "request_id")
    REF_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ref: str
    reason: str
    actor: str
    request_id: str
    def __init__(self, ref: _Optional[str] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class YankResponse(_message.Message):
    __slots__ = ("release", "changed", "channels")
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    release: _adapter_pb2.Release
    changed: bool
    channels: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, release: _Optional[_Union[_adapter_pb2.Release, _Mapping]] = ..., changed: bool = ..., channels: _Optional[_Iterable[str]] = ...) -> None: ...

class UnyankRequest(_message.Message):
    __slots__ = ("ref", "reason", "actor", "request_id")
    REF_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ref: str
    reason: str
    actor: str
    request_id: str
    def __init__(self, ref: _Optional[str] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class UnyankResponse(_message.Message):
    __slots__ = ("release", "changed", "channels")
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    release: _adapter_pb2.Release
    changed: bool
    channels: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, release: _Optional[_Union[_adapter_pb2.Release, _Mapping]] = ..., changed: bool = ..., channels: _Optional[_Iterable[str]] = ...) -> None: ...

class QuarantineRequest(_message.Message):
    __slots__ = ("ref", "reason", "actor", "request_id")
    REF_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ref: str
    reason: str
    actor: str
    request_id: str
    def __init__(self, ref: _Optional[str] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class QuarantineResponse(_message.Message):
    __slots__ = ("release", "changed", "channels")
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    release: _adapter_pb2.Release
    changed: bool
    channels: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, release: _Optional[_Union[_adapter_pb2.Release, _Mapping]] = ..., changed: bool = ..., channels: _Optional[_Iterable[str]] = ...) -> None: ...

class LiftRequest(_message.Message):
    __slots__ = ("ref", "reason", "actor", "request_id")
    REF_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ref: str
    reason: str
    actor: str
    request_id: str
    def __init__(self, ref: _Optional[str] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class LiftResponse(_message.Message):
    __slots__ = ("release", "changed", "channels")
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    release: _adapter_pb2.Release
    changed: bool
    channels: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, release: _Optional[_Union[_adapter_pb2.Release, _Mapping]] = ..., changed: bool = ..., channels: _Optional[_Iterable[str]] = ...) -> None: ...

class PurgeRequest(_message.Message):
    __slots__ = ("ref", "reason", "actor", "request_id")
    REF_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ref: str
    reason: str
    actor: str
    request_id: str
    def __init__(self, ref: _Optional[str] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class PurgeResponse(_message.Message):
    __slots__ = ("release", "changed", "channels")
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    release: _adapter_pb2.Release
    changed: bool
    channels: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, release: _Optional[_Union[_adapter_pb2.Release, _Mapping]] = ..., changed: bool = ..., channels: _Optional[_Iterable[str]] = ...) -> None: ...

class PublishRecipeRequest(_message.Message):
    __slots__ = ("draft", "members")
    DRAFT_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    draft: ReleaseDraft
    members: _containers.RepeatedCompositeFieldContainer[_adapter_pb2.WeightedRef]
    def __init__(self, draft: _Optional[_Union[ReleaseDraft, _Mapping]] = ..., members: _Optional[_Iterable[_Union[_adapter_pb2.WeightedRef, _Mapping]]] = ...) -> None: ...

class PublishRecipeResponse(_message.Message):
    __slots__ = ("release", "created", "untaken")
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    UNTAKEN_FIELD_NUMBER: _ClassVar[int]
    release: _adapter_pb2.Release
    created: bool
    untaken: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, release: _Optional[_Union[_adapter_pb2.Release, _Mapping]] = ..., created: bool = ..., untaken: _Optional[_Iterable[str]] = ...) -> None: ...

class EditRequest(_message.Message):
    __slots__ = ("ref", "notes", "licence", "title", "purpose", "trigger_words", "reason", "actor", "request_id")
    REF_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    LICENCE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_WORDS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ref: str
    notes: str
    licence: str
    title: str
    purpose: _adapter_pb2.Purpose
    trigger_words: TriggerWords
    reason: str
    actor: str
    request_id: str
    def __init__(self, ref: _Optional[str] = ..., notes: _Optional[str] = ..., licence: _Optional[str] = ..., title: _Optional[str] = ..., purpose: _Optional[_Union[_adapter_pb2.Purpose, str]] = ..., trigger_words: _Optional[_Union[TriggerWords, _Mapping]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class TriggerWords(_message.Message):
    __slots__ = ("trigger_words",)
    TRIGGER_WORDS_FIELD_NUMBER: _ClassVar[int]
    trigger_words: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, trigger_words: _Optional[_Iterable[str]] = ...) -> None: ...

class EditResponse(_message.Message):
    __slots__ = ("release", "changed", "channels")
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    release: _adapter_pb2.Release
    changed: bool
    channels: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, release: _Optional[_Union[_adapter_pb2.Release, _Mapping]] = ..., changed: bool = ..., channels: _Optional[_Iterable[str]] = ...) -> None: ...

class DiffRequest(_message.Message):
    __slots__ = ("ref", "other_ref")
    REF_FIELD_NUMBER: _ClassVar[int]
    OTHER_REF_FIELD_NUMBER: _ClassVar[int]
    ref: str
    other_ref: str
    def __init__(self, ref: _Optional[str] = ..., other_ref: _Optional[str] = ...) -> None: ...

class DiffResponse(_message.Message):
    __slots__ = ("release", "other_release", "layers", "fields")
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    OTHER_RELEASE_FIELD_NUMBER: _ClassVar[int]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    release: _adapter_pb2.Release
    other_release: _adapter_pb2.Release
    layers: _containers.RepeatedCompositeFieldContainer[LayerDiff]
    fields: _containers.RepeatedCompositeFieldContainer[FieldDiff]
    def __init__(self, release: _Optional[_Union[_adapter_pb2.Release, _Mapping]] = ..., other_release: _Optional[_Union[_adapter_pb2.Release, _Mapping]] = ..., layers: _Optional[_Iterable[_Union[LayerDiff, _Mapping]]] = ..., fields: _Optional[_Iterable[_Union[FieldDiff, _Mapping]]] = ...) -> None: ...

class LayerDiff(_message.Message):
    __slots__ = ("component", "name", "left", "right", "distance")
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    DISTANCE_FIELD_NUMBER: _ClassVar[int]
    component: str
    name: str
    left: LayerSide
    right: LayerSide
    distance: float
    def __init__(self, component: _Optional[str] = ..., name: _Optional[str] = ..., left: _Optional[_Union[LayerSide, _Mapping]] = ..., right: _Optional[_Union[LayerSide, _Mapping]] = ..., distance: _Optional[float] = ...) -> None: ...

class LayerSide(_message.Message):
    __slots__ = ("method", "rank", "norm")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    NORM_FIELD_NUMBER: _ClassVar[int]
    method: str
    rank: int
    norm: float
    def __init__(self, method: _Optional[str] = ..., rank: _Optional[int] = ..., norm: _Optional[float] = ...) -> None: ...

class FieldDiff(_message.Message):
    __slots__ = ("name", "left", "right")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    name: str
    left: str
    right: str
    def __init__(self, name: _Optional[str] = ..., left: _Optional[str] = ..., right: _Optional[str] = ...) -> None: ...

class GetDependentsRequest(_message.Message):
    __slots__ = ("ref",)
    REF_FIELD_NUMBER: _ClassVar[int]
    ref: str
    def __init__(self, ref: _Optional[str] = ...) -> None: ...

class GetDependentsResponse(_message.Message):
    __slots__ = ("release", "channels", "recipes", "recipe_count", "job_count")
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    RECIPES_FIELD_NUMBER: _ClassVar[int]
    RECIPE_COUNT_FIELD_NUMBER: _ClassVar[int]
    JOB_COUNT_FIELD_NUMBER: _ClassVar[int]
    release: _adapter_pb2.Release
    channels: _containers.RepeatedScalarFieldContainer[str]
    recipes: _containers.RepeatedScalarFieldContainer[str]
    recipe_count: int
    job_count: int
    def __init__(self, release: _Optional[_Union[_adapter_pb2.Release, _Mapping]] = ..., channels: _Optional[_Iterable[str]] = ..., recipes: _Optional[_Iterable[str]] = ..., recipe_count: _Optional[int] = ..., job_count: _Optional[int] = ...) -> None: ...

class SignRequest(_message.Message):
    __slots__ = ("ref", "key_id", "signature", "actor", "reason", "request_id")
    REF_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ref: str
    key_id: str
    signature: str
    actor: str
    reason: str
    request_id: str
    def __init__(self, ref: _Optional[str] = ..., key_id: _Optional[str] = ..., signature: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class SignResponse(_message.Message):
    __slots__ = ("release", "changed", "channels")
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    release: _adapter_pb2.Release
    changed: bool
    channels: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, release: _Optional[_Union[_adapter_pb2.Release, _Mapping]] = ..., changed: bool = ..., channels: _Optional[_Iterable[str]] = ...) -> None: ...

class GetManifestRequest(_message.Message):
    __slots__ = ("ref",)
    REF_FIELD_NUMBER: _ClassVar[int]
    ref: str
    def __init__(self, ref: _Optional[str] = ...) -> None: ...

class GetManifestResponse(_message.Message):
    __slots__ = ("release", "manifest")
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    release: _adapter_pb2.Release
    manifest: bytes
    def __init__(self, release: _Optional[_Union[_adapter_pb2.Release, _Mapping]] = ..., manifest: _Optional[bytes] = ...) -> None: ...

class SearchRequest(_message.Message):
    __slots__ = ("words", "page_size", "page_token")
    WORDS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    words: str
    page_size: int
    page_token: str
    def __init__(self, words: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class SearchResponse(_message.Message):
    __slots__ = ("hits", "next_page_token")
    HITS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    hits: _containers.RepeatedCompositeFieldContainer[SearchHit]
    next_page_token: str
    def __init__(self, hits: _Optional[_Iterable[_Union[SearchHit, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class SearchHit(_message.Message):
    __slots__ = ("adapter", "snippet", "release_count", "found_in", "version")
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    SNIPPET_FIELD_NUMBER: _ClassVar[int]
    RELEASE_COUNT_FIELD_NUMBER: _ClassVar[int]
    FOUND_IN_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    adapter: str
    snippet: str
    release_count: int
    found_in: _containers.RepeatedScalarFieldContainer[str]
    version: str
    def __init__(self, adapter: _Optional[str] = ..., snippet: _Optional[str] = ..., release_count: _Optional[int] = ..., found_in: _Optional[_Iterable[str]] = ..., version: _Optional[str] = ...) -> None: ...

class ServedAtRequest(_message.Message):
    __slots__ = ("time", "adapter", "channel", "page_size", "page_token")
    TIME_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    adapter: str
    channel: str
    page_size: int
    page_token: str
    def __init__(self, time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., adapter: _Optional[str] = ..., channel: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ServedAtResponse(_message.Message):
    __slots__ = ("servings", "next_page_token")
    SERVINGS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    servings: _containers.RepeatedCompositeFieldContainer[Serving]
    next_page_token: str
    def __init__(self, servings: _Optional[_Iterable[_Union[Serving, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Serving(_message.Message):
    __slots__ = ("adapter", "channel", "release", "since")
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    adapter: str
    channel: str
    release: _adapter_pb2.Release
    since: _adapter_pb2.Record
    def __init__(self, adapter: _Optional[str] = ..., channel: _Optional[str] = ..., release: _Optional[_Union[_adapter_pb2.Release, _Mapping]] = ..., since: _Optional[_Union[_adapter_pb2.Record, _Mapping]] = ...) -> None: ...

class HistoryRequest(_message.Message):
    __slots__ = ("adapter", "channel", "since", "until", "page_size", "page_token")
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    adapter: str
    channel: str
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    page_size: int
    page_token: str
    def __init__(self, adapter: _Optional[str] = ..., channel: _Optional[str] = ..., since: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class HistoryResponse(_message.Message):
    __slots__ = ("records", "next_page_token")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[_adapter_pb2.Record]
    next_page_token: str
    def __init__(self, records: _Optional[_Iterable[_Union[_adapter_pb2.Record, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("from_seq",)
    FROM_SEQ_FIELD_NUMBER: _ClassVar[int]
    from_seq: int
    def __init__(self, from_seq: _Optional[int] = ...) -> None: ...

class WatchResponse(_message.Message):
    __slots__ = ("record",)
    RECORD_FIELD_NUMBER: _ClassVar[int]
    record: _adapter_pb2.Record
    def __init__(self, record: _Optional[_Union[_adapter_pb2.Record, _Mapping]] = ...) -> None: ...

class FetchRequest(_message.Message):
    __slots__ = ("ref", "format")
    REF_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    ref: str
    format: FileFormat
    def __init__(self, ref: _Optional[str] = ..., format: _Optional[_Union[FileFormat, str]] = ...) -> None: ...

class FetchResponse(_message.Message):
    __slots__ = ("release", "file", "chunk")
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    release: _adapter_pb2.Release
    file: FetchedFile
    chunk: bytes
    def __init__(self, release: _Optional[_Union[_adapter_pb2.Release, _Mapping]] = ..., file: _Optional[_Union[FetchedFile, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class FetchedFile(_message.Message):
    __slots__ = ("name", "bytes_total", "digest")
    NAME_FIELD_NUMBER: _ClassVar[int]
    BYTES_TOTAL_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    name: str
    bytes_total: int
    digest: str
    def __init__(self, name: _Optional[str] = ..., bytes_total: _Optional[int] = ..., digest: _Optional[str] = ...) -> None: ...
