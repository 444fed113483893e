from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ImageLabel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    IMAGE_LABEL_UNSPECIFIED: _ClassVar[ImageLabel]
    IMAGE_LABEL_PROMPT_DRIFT: _ClassVar[ImageLabel]
    IMAGE_LABEL_STYLE_MISMATCH: _ClassVar[ImageLabel]
    IMAGE_LABEL_ARTIFACT: _ClassVar[ImageLabel]
    IMAGE_LABEL_COPYRIGHT: _ClassVar[ImageLabel]
    IMAGE_LABEL_PORTRAIT: _ClassVar[ImageLabel]
    IMAGE_LABEL_REVIEW_FAILURE: _ClassVar[ImageLabel]

class CanaryVerdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CANARY_VERDICT_UNSPECIFIED: _ClassVar[CanaryVerdict]
    CANARY_VERDICT_ROLLED_BACK: _ClassVar[CanaryVerdict]
    CANARY_VERDICT_SUCCESS: _ClassVar[CanaryVerdict]
    CANARY_VERDICT_INCONCLUSIVE: _ClassVar[CanaryVerdict]
    CANARY_VERDICT_STOPPED: _ClassVar[CanaryVerdict]
IMAGE_LABEL_UNSPECIFIED: ImageLabel
IMAGE_LABEL_PROMPT_DRIFT: ImageLabel
IMAGE_LABEL_STYLE_MISMATCH: ImageLabel
IMAGE_LABEL_ARTIFACT: ImageLabel
IMAGE_LABEL_COPYRIGHT: ImageLabel
IMAGE_LABEL_PORTRAIT: ImageLabel
IMAGE_LABEL_REVIEW_FAILURE: ImageLabel
CANARY_VERDICT_UNSPECIFIED: CanaryVerdict
CANARY_VERDICT_ROLLED_BACK: CanaryVerdict
CANARY_VERDICT_SUCCESS: CanaryVerdict
CANARY_VERDICT_INCONCLUSIVE: CanaryVerdict
CANARY_VERDICT_STOPPED: CanaryVerdict

class StartCanaryRequest(_message.Message):
    __slots__ = ("ref", "channel", "share", "shadow", "override", "actor", "reason", "request_id")
    REF_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ref: str
    channel: str
    share: float
    shadow: bool
    override: str
    actor: str
    reason: str
    request_id: str
    def __init__(self, ref: _Optional[str] = ..., channel: _Optional[str] = ..., share: _Optional[float] = ..., shadow: bool = ..., override: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class StartCanaryResponse(_message.Message):
    __slots__ = ("canary",)
    CANARY_FIELD_NUMBER: _ClassVar[int]
    canary: Canary
    def __init__(self, canary: _Optional[_Union[Canary, _Mapping]] = ...) -> None: ...

class GetCanaryRequest(_message.Message):
    __slots__ = ("ref",)
    REF_FIELD_NUMBER: _ClassVar[int]
    ref: str
    def __init__(self, ref: _Optional[str] = ...) -> None: ...

class GetCanaryResponse(_message.Message):
    __slots__ = ("canary",)
    CANARY_FIELD_NUMBER: _ClassVar[int]
    canary: Canary
    def __init__(self, canary: _Optional[_Union[Canary, _Mapping]] = ...) -> None: ...

class ListCanariesRequest(_message.Message):
    __slots__ = ("adapter",)
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    adapter: str
    def __init__(self, adapter: _Optional[str] = ...) -> None: ...

class ListCanariesResponse(_message.Message):
    __slots__ = ("canaries",)
    CANARIES_FIELD_NUMBER: _ClassVar[int]
    canaries: _containers.RepeatedCompositeFieldContainer[Canary]
    def __init__(self, canaries: _Optional[_Iterable[_Union[Canary, _Mapping]]] = ...) -> None: ...

class StopCanaryRequest(_message.Message):
    __slots__ = ("ref", "actor", "reason", "request_id")
    REF_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ref: str
    actor: str
    reason: str
    request_id: str
    def __init__(self, ref: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class StopCanaryResponse(_message.Message):
    __slots__ = ("canary",)
    CANARY_FIELD_NUMBER: _ClassVar[int]
    canary: Canary
    def __init__(self, canary: _Optional[_Union[Canary, _Mapping]] = ...) -> None: ...

class ReportImageRequest(_message.Message):
    __slots__ = ("image_digest", "job_id", "label")
    IMAGE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    image_digest: str
    job_id: str
    label: ImageLabel
    def __init__(self, image_digest: _Optional[str] = ..., job_id: _Optional[str] = ..., label: _Optional[_Union[ImageLabel, str]] = ...) -> None: ...

class ReportImageResponse(_message.Message):
    __slots__ = ("counted", "adapter", "version")
    COUNTED_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    counted: bool
    adapter: str
    version: str
    def __init__(self, counted: bool = ..., adapter: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class Canary(_message.Message):
    __slots__ = ("adapter", "channel", "candidate_version", "candidate_digest", "baseline_version", "baseline_digest", "is_promoted", "is_open", "share", "shares", "promote_on_success", "started_by", "start_time", "seq", "verdict", "said", "judged_by", "judge_time", "judged_seq", "e_value", "e_value_bound", "losses", "units", "units_max", "streams", "worst")
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_VERSION_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    BASELINE_VERSION_FIELD_NUMBER: _ClassVar[int]
    BASELINE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    IS_PROMOTED_FIELD_NUMBER: _ClassVar[int]
    IS_OPEN_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    PROMOTE_ON_SUCCESS_FIELD_NUMBER: _ClassVar[int]
    STARTED_BY_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    SAID_FIELD_NUMBER: _ClassVar[int]
    JUDGED_BY_FIELD_NUMBER: _ClassVar[int]
    JUDGE_TIME_FIELD_NUMBER: _ClassVar[int]
    JUDGED_SEQ_FIELD_NUMBER: _ClassVar[int]
    E_VALUE_FIELD_NUMBER: _ClassVar[int]
    E_VALUE_BOUND_FIELD_NUMBER: _ClassVar[int]
    LOSSES_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    UNITS_MAX_FIELD_NUMBER: _ClassVar[int]
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    WORST_FIELD_NUMBER: _ClassVar[int]
    adapter: str
    channel: str
    candidate_version: str
    candidate_digest: str
    baseline_version: str
    baseline_digest: str
    is_promoted: bool
    is_open: bool
    share: float
    shares: _containers.RepeatedScalarFieldContainer[float]
    promote_on_success: bool
    started_by: str
    start_time: _timestamp_pb2.Timestamp
    seq: int
    verdict: CanaryVerdict
    said: str
    judged_by: str
    judge_time: _timestamp_pb2.Timestamp
    judged_seq: int
    e_value: float
    e_value_bound: float
    losses: int
    units: int
    units_max: int
    streams: _containers.RepeatedCompositeFieldContainer[CanaryStream]
    worst: _containers.RepeatedCompositeFieldContainer[CanaryPair]
    def __init__(self, adapter: _Optional[str] = ..., channel: _Optional[str] = ..., candidate_version: _Optional[str] = ..., candidate_digest: _Optional[str] = ..., baseline_version: _Optional[str] = ..., baseline_digest: _Optional[str] = ..., is_promoted: bool = ..., is_open: bool = ..., share: _Optional[float] = ..., shares: _Optional[_Iterable[float]] = ..., promote_on_success: bool = ..., started_by: _Optional[str] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., seq: _Optional[int] = ..., verdict: _Optional[_Union[CanaryVerdict, str]] = ..., said: _Optional[str] = ..., judged_by: _Optional[str] = ..., judge_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., judged_seq: _Optional[int] = ..., e_value: _Optional[float] = ..., e_value_bound: _Optional[float] = ..., losses: _Optional[int] = ..., units: _Optional[int] = ..., units_max: _Optional[int] = ..., streams: _Optional[_Iterable[_Union[CanaryStream, _Mapping]]] = ..., worst: _Optional[_Iterable[_Union[CanaryPair, _Mapping]]] = ...) -> None: ...

class CanaryStream(_message.Message):
    __slots__ = ("name", "losses", "units", "e_value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LOSSES_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    E_VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    losses: int
    units: int
    e_value: float
    def __init__(self, name: _Optional[str] = ..., losses: _Optional[int] = ..., units: _Optional[int] = ..., e_value: _Optional[float] = ...) -> None: ...

class CanaryPair(_message.Message):
    __slots__ = ("unit", "difference", "candidate_is_broken", "baseline_is_broken")
    UNIT_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_IS_BROKEN_FIELD_NUMBER: _ClassVar[int]
    BASELINE_IS_BROKEN_FIELD_NUMBER: _ClassVar[int]
    unit: str
    difference: float
    candidate_is_broken: bool
    baseline_is_broken: bool
    def __init__(self, unit: _Optional[str] = ..., difference: _Optional[float] = ..., candidate_is_broken: bool = ..., baseline_is_broken: bool = ...) -> None: ...
