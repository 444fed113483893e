from google.api import field_behavior_pb2 as _field_behavior_pb2
from tabard.v1 import identity_service_pb2 as _identity_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReferenceSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REFERENCE_SOURCE_UNSPECIFIED: _ClassVar[ReferenceSource]
    REFERENCE_SOURCE_REQUEST: _ClassVar[ReferenceSource]
    REFERENCE_SOURCE_PUBLISHED: _ClassVar[ReferenceSource]
    REFERENCE_SOURCE_AGAINST: _ClassVar[ReferenceSource]

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    VERDICT_SUCCESS: _ClassVar[Verdict]
    VERDICT_FAILED: _ClassVar[Verdict]
    VERDICT_INCONCLUSIVE: _ClassVar[Verdict]
REFERENCE_SOURCE_UNSPECIFIED: ReferenceSource
REFERENCE_SOURCE_REQUEST: ReferenceSource
REFERENCE_SOURCE_PUBLISHED: ReferenceSource
REFERENCE_SOURCE_AGAINST: ReferenceSource
VERDICT_UNSPECIFIED: Verdict
VERDICT_SUCCESS: Verdict
VERDICT_FAILED: Verdict
VERDICT_INCONCLUSIVE: Verdict

class EvaluateRequest(_message.Message):
    __slots__ = ("ref", "against", "grid", "grid_document", "references", "training", "with_pictures", "actor", "reason", "channel")
    REF_FIELD_NUMBER: _ClassVar[int]
    AGAINST_FIELD_NUMBER: _ClassVar[int]
    GRID_FIELD_NUMBER: _ClassVar[int]
    GRID_DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    REFERENCES_FIELD_NUMBER: _ClassVar[int]
    TRAINING_FIELD_NUMBER: _ClassVar[int]
    WITH_PICTURES_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    ref: str
    against: str
    grid: str
    grid_document: bytes
    references: _containers.RepeatedScalarFieldContainer[bytes]
    training: _containers.RepeatedScalarFieldContainer[bytes]
    with_pictures: bool
    actor: str
    reason: str
    channel: str
    def __init__(self, ref: _Optional[str] = ..., against: _Optional[str] = ..., grid: _Optional[str] = ..., grid_document: _Optional[bytes] = ..., references: _Optional[_Iterable[bytes]] = ..., training: _Optional[_Iterable[bytes]] = ..., with_pictures: bool = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., channel: _Optional[str] = ...) -> None: ...

class EvaluateResponse(_message.Message):
    __slots__ = ("started", "progress", "cell", "scores", "verdict")
    STARTED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    CELL_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    started: EvaluationStarted
    progress: EvaluationProgress
    cell: EvaluationCell
    scores: EvaluationScores
    verdict: EvaluationVerdict
    def __init__(self, started: _Optional[_Union[EvaluationStarted, _Mapping]] = ..., progress: _Optional[_Union[EvaluationProgress, _Mapping]] = ..., cell: _Optional[_Union[EvaluationCell, _Mapping]] = ..., scores: _Optional[_Union[EvaluationScores, _Mapping]] = ..., verdict: _Optional[_Union[EvaluationVerdict, _Mapping]] = ...) -> None: ...

class EvaluationStarted(_message.Message):
    __slots__ = ("adapter", "version", "digest", "weight", "against_version", "against_digest", "grid", "grid_digest", "cell_count", "reference_source", "reference_count", "channel", "bounds", "prompt_count", "seed_count")
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    AGAINST_VERSION_FIELD_NUMBER: _ClassVar[int]
    AGAINST_DIGEST_FIELD_NUMBER: _ClassVar[int]
    GRID_FIELD_NUMBER: _ClassVar[int]
    GRID_DIGEST_FIELD_NUMBER: _ClassVar[int]
    CELL_COUNT_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_SOURCE_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_COUNT_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_COUNT_FIELD_NUMBER: _ClassVar[int]
    SEED_COUNT_FIELD_NUMBER: _ClassVar[int]
    adapter: str
    version: str
    digest: str
    weight: float
    against_version: str
    against_digest: str
    grid: str
    grid_digest: str
    cell_count: int
    reference_source: ReferenceSource
    reference_count: int
    channel: str
    bounds: _containers.RepeatedCompositeFieldContainer[_identity_service_pb2.GateBound]
    prompt_count: int
    seed_count: int
    def __init__(self, adapter: _Optional[str] = ..., version: _Optional[str] = ..., digest: _Optional[str] = ..., weight: _Optional[float] = ..., against_version: _Optional[str] = ..., against_digest: _Optional[str] = ..., grid: _Optional[str] = ..., grid_digest: _Optional[str] = ..., cell_count: _Optional[int] = ..., reference_source: _Optional[_Union[ReferenceSource, str]] = ..., reference_count: _Optional[int] = ..., channel: _Optional[str] = ..., bounds: _Optional[_Iterable[_Union[_identity_service_pb2.GateBound, _Mapping]]] = ..., prompt_count: _Optional[int] = ..., seed_count: _Optional[int] = ...) -> None: ...

class EvaluationProgress(_message.Message):
    __slots__ = ("phase", "done", "total")
    PHASE_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    phase: str
    done: int
    total: int
    def __init__(self, phase: _Optional[str] = ..., done: _Optional[int] = ..., total: _Optional[int] = ...) -> None: ...

class EvaluationCell(_message.Message):
    __slots__ = ("prompt_index", "prompt", "seed", "pictures")
    PROMPT_INDEX_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    PICTURES_FIELD_NUMBER: _ClassVar[int]
    prompt_index: int
    prompt: str
    seed: int
    pictures: _containers.RepeatedCompositeFieldContainer[EvaluationPicture]
    def __init__(self, prompt_index: _Optional[int] = ..., prompt: _Optional[str] = ..., seed: _Optional[int] = ..., pictures: _Optional[_Iterable[_Union[EvaluationPicture, _Mapping]]] = ...) -> None: ...

class EvaluationPicture(_message.Message):
    __slots__ = ("side", "digest", "was_kept", "png")
    SIDE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    WAS_KEPT_FIELD_NUMBER: _ClassVar[int]
    PNG_FIELD_NUMBER: _ClassVar[int]
    side: str
    digest: str
    was_kept: bool
    png: bytes
    def __init__(self, side: _Optional[str] = ..., digest: _Optional[str] = ..., was_kept: bool = ..., png: _Optional[bytes] = ...) -> None: ...

class EvaluationScores(_message.Message):
    __slots__ = ("scores",)
    SCORES_FIELD_NUMBER: _ClassVar[int]
    scores: _containers.RepeatedCompositeFieldContainer[Score]
    def __init__(self, scores: _Optional[_Iterable[_Union[Score, _Mapping]]] = ...) -> None: ...

class Score(_message.Message):
    __slots__ = ("name", "is_measured", "reason", "value", "low", "high", "baseline", "paired_low", "paired_high", "of")
    NAME_FIELD_NUMBER: _ClassVar[int]
    IS_MEASURED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    PAIRED_LOW_FIELD_NUMBER: _ClassVar[int]
    PAIRED_HIGH_FIELD_NUMBER: _ClassVar[int]
    OF_FIELD_NUMBER: _ClassVar[int]
    name: str
    is_measured: bool
    reason: str
    value: float
    low: float
    high: float
    baseline: float
    paired_low: float
    paired_high: float
    of: int
    def __init__(self, name: _Optional[str] = ..., is_measured: bool = ..., reason: _Optional[str] = ..., value: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ..., baseline: _Optional[float] = ..., paired_low: _Optional[float] = ..., paired_high: _Optional[float] = ..., of: _Optional[int] = ...) -> None: ...

class EvaluationVerdict(_message.Message):
    __slots__ = ("verdict", "reasons", "report_digest", "report", "created")
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    REPORT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    verdict: Verdict
    reasons: _containers.RepeatedScalarFieldContainer[str]
    report_digest: str
    report: bytes
    created: bool
    def __init__(self, verdict: _Optional[_Union[Verdict, str]] = ..., reasons: _Optional[_Iterable[str]] = ..., report_digest: _Optional[str] = ..., report: _Optional[bytes] = ..., created: bool = ...) -> None: ...
