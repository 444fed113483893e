from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from tabard.v1 import adapter_pb2 as _adapter_pb2
from tabard.v1 import evaluation_service_pb2 as _evaluation_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EvidenceKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVIDENCE_KIND_UNSPECIFIED: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_REPORT: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_REFERENCES: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_TRAINING: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_PREVIEWS: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_REVIEW: _ClassVar[EvidenceKind]

class FailureCheck(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAILURE_CHECK_UNSPECIFIED: _ClassVar[FailureCheck]
    FAILURE_CHECK_PROMPT_DRIFT: _ClassVar[FailureCheck]
    FAILURE_CHECK_STYLE_MISMATCH: _ClassVar[FailureCheck]
    FAILURE_CHECK_ARTIFACT: _ClassVar[FailureCheck]
    FAILURE_CHECK_COPYRIGHT: _ClassVar[FailureCheck]
    FAILURE_CHECK_PORTRAIT: _ClassVar[FailureCheck]
    FAILURE_CHECK_REVIEW_FAILURE: _ClassVar[FailureCheck]

class CheckState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHECK_STATE_UNSPECIFIED: _ClassVar[CheckState]
    CHECK_STATE_CLEAR: _ClassVar[CheckState]
    CHECK_STATE_FLAGGED: _ClassVar[CheckState]
    CHECK_STATE_NOT_CHECKED: _ClassVar[CheckState]

class Likeness(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LIKENESS_UNSPECIFIED: _ClassVar[Likeness]
    LIKENESS_SAME_FILE: _ClassVar[Likeness]
    LIKENESS_SAME_PIXELS: _ClassVar[Likeness]
    LIKENESS_NEAR: _ClassVar[Likeness]
EVIDENCE_KIND_UNSPECIFIED: EvidenceKind
EVIDENCE_KIND_REPORT: EvidenceKind
EVIDENCE_KIND_REFERENCES: EvidenceKind
EVIDENCE_KIND_TRAINING: EvidenceKind
EVIDENCE_KIND_PREVIEWS: EvidenceKind
EVIDENCE_KIND_REVIEW: EvidenceKind
FAILURE_CHECK_UNSPECIFIED: FailureCheck
FAILURE_CHECK_PROMPT_DRIFT: FailureCheck
FAILURE_CHECK_STYLE_MISMATCH: FailureCheck
FAILURE_CHECK_ARTIFACT: FailureCheck
FAILURE_CHECK_COPYRIGHT: FailureCheck
FAILURE_CHECK_PORTRAIT: FailureCheck
FAILURE_CHECK_REVIEW_FAILURE: FailureCheck
CHECK_STATE_UNSPECIFIED: CheckState
CHECK_STATE_CLEAR: CheckState
CHECK_STATE_FLAGGED: CheckState
CHECK_STATE_NOT_CHECKED: CheckState
LIKENESS_UNSPECIFIED: Likeness
LIKENESS_SAME_FILE: Likeness
LIKENESS_SAME_PIXELS: Likeness
LIKENESS_NEAR: Likeness

class CheckResult(_message.Message):
    __slots__ = ("check", "state")
    CHECK_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    check: FailureCheck
    state: CheckState
    def __init__(self, check: _Optional[_Union[FailureCheck, str]] = ..., state: _Optional[_Union[CheckState, str]] = ...) -> None: ...

class EvidenceNote(_message.Message):
    __slots__ = ("kind", "digest", "verdict", "checks", "against_digest", "grid_digest", "seq", "time", "actor", "on_behalf_of", "proof")
    KIND_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    AGAINST_DIGEST_FIELD_NUMBER: _ClassVar[int]
    GRID_DIGEST_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ON_BEHALF_OF_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    kind: EvidenceKind
    digest: str
    verdict: _evaluation_service_pb2.Verdict
    checks: _containers.RepeatedCompositeFieldContainer[CheckResult]
    against_digest: str
    grid_digest: str
    seq: int
    time: _timestamp_pb2.Timestamp
    actor: str
    on_behalf_of: str
    proof: _adapter_pb2.Proof
    def __init__(self, kind: _Optional[_Union[EvidenceKind, str]] = ..., digest: _Optional[str] = ..., verdict: _Optional[_Union[_evaluation_service_pb2.Verdict, str]] = ..., checks: _Optional[_Iterable[_Union[CheckResult, _Mapping]]] = ..., against_digest: _Optional[str] = ..., grid_digest: _Optional[str] = ..., seq: _Optional[int] = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., on_behalf_of: _Optional[str] = ..., proof: _Optional[_Union[_adapter_pb2.Proof, str]] = ...) -> None: ...

class ListEvidenceRequest(_message.Message):
    __slots__ = ("ref", "kind", "page_size", "page_token")
    REF_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ref: str
    kind: EvidenceKind
    page_size: int
    page_token: str
    def __init__(self, ref: _Optional[str] = ..., kind: _Optional[_Union[EvidenceKind, str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListEvidenceResponse(_message.Message):
    __slots__ = ("notes", "next_page_token")
    NOTES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    notes: _containers.RepeatedCompositeFieldContainer[EvidenceNote]
    next_page_token: str
    def __init__(self, notes: _Optional[_Iterable[_Union[EvidenceNote, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetEvidenceRequest(_message.Message):
    __slots__ = ("ref", "digest", "kind", "with_page")
    REF_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    WITH_PAGE_FIELD_NUMBER: _ClassVar[int]
    ref: str
    digest: str
    kind: EvidenceKind
    with_page: bool
    def __init__(self, ref: _Optional[str] = ..., digest: _Optional[str] = ..., kind: _Optional[_Union[EvidenceKind, str]] = ..., with_page: bool = ...) -> None: ...

class GetEvidenceResponse(_message.Message):
    __slots__ = ("adapter", "version", "release_digest", "note", "document", "page")
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RELEASE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    adapter: str
    version: str
    release_digest: str
    note: EvidenceNote
    document: bytes
    page: bytes
    def __init__(self, adapter: _Optional[str] = ..., version: _Optional[str] = ..., release_digest: _Optional[str] = ..., note: _Optional[_Union[EvidenceNote, _Mapping]] = ..., document: _Optional[bytes] = ..., page: _Optional[bytes] = ...) -> None: ...

class GetPictureRequest(_message.Message):
    __slots__ = ("ref", "evidence_digest", "digest")
    REF_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    ref: str
    evidence_digest: str
    digest: str
    def __init__(self, ref: _Optional[str] = ..., evidence_digest: _Optional[str] = ..., digest: _Optional[str] = ...) -> None: ...

class GetPictureResponse(_message.Message):
    __slots__ = ("png",)
    PNG_FIELD_NUMBER: _ClassVar[int]
    png: bytes
    def __init__(self, png: _Optional[bytes] = ...) -> None: ...

class EditEvidenceRequest(_message.Message):
    __slots__ = ("ref", "digest", "document", "actor", "reason", "request_id")
    REF_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ref: str
    digest: str
    document: bytes
    actor: str
    reason: str
    request_id: str
    def __init__(self, ref: _Optional[str] = ..., digest: _Optional[str] = ..., document: _Optional[bytes] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class EditEvidenceResponse(_message.Message):
    __slots__ = ("note", "document", "created")
    NOTE_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    note: EvidenceNote
    document: bytes
    created: bool
    def __init__(self, note: _Optional[_Union[EvidenceNote, _Mapping]] = ..., document: _Optional[bytes] = ..., created: bool = ...) -> None: ...

class Grid(_message.Message):
    __slots__ = ("name", "place", "digest", "seq")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    name: str
    place: str
    digest: str
    seq: int
    def __init__(self, name: _Optional[str] = ..., place: _Optional[str] = ..., digest: _Optional[str] = ..., seq: _Optional[int] = ...) -> None: ...

class PutGridRequest(_message.Message):
    __slots__ = ("place", "grid_document", "actor", "reason", "request_id")
    PLACE_FIELD_NUMBER: _ClassVar[int]
    GRID_DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    place: str
    grid_document: bytes
    actor: str
    reason: str
    request_id: str
    def __init__(self, place: _Optional[str] = ..., grid_document: _Optional[bytes] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class PutGridResponse(_message.Message):
    __slots__ = ("grid", "changed")
    GRID_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    grid: Grid
    changed: bool
    def __init__(self, grid: _Optional[_Union[Grid, _Mapping]] = ..., changed: bool = ...) -> None: ...

class GetGridRequest(_message.Message):
    __slots__ = ("place", "name")
    PLACE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    place: str
    name: str
    def __init__(self, place: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class GetGridResponse(_message.Message):
    __slots__ = ("grid", "document")
    GRID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    grid: Grid
    document: bytes
    def __init__(self, grid: _Optional[_Union[Grid, _Mapping]] = ..., document: _Optional[bytes] = ...) -> None: ...

class ListGridsRequest(_message.Message):
    __slots__ = ("place", "page_size", "page_token")
    PLACE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    place: str
    page_size: int
    page_token: str
    def __init__(self, place: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListGridsResponse(_message.Message):
    __slots__ = ("grids", "next_page_token")
    GRIDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    grids: _containers.RepeatedCompositeFieldContainer[Grid]
    next_page_token: str
    def __init__(self, grids: _Optional[_Iterable[_Union[Grid, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class PublishReferencesRequest(_message.Message):
    __slots__ = ("header", "picture")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    PICTURE_FIELD_NUMBER: _ClassVar[int]
    header: ReferencesHeader
    picture: ReferencePicture
    def __init__(self, header: _Optional[_Union[ReferencesHeader, _Mapping]] = ..., picture: _Optional[_Union[ReferencePicture, _Mapping]] = ...) -> None: ...

class ReferencesHeader(_message.Message):
    __slots__ = ("ref", "kind", "embeddings_only", "actor", "reason", "request_id")
    REF_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    EMBEDDINGS_ONLY_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ref: str
    kind: EvidenceKind
    embeddings_only: bool
    actor: str
    reason: str
    request_id: str
    def __init__(self, ref: _Optional[str] = ..., kind: _Optional[_Union[EvidenceKind, str]] = ..., embeddings_only: bool = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ReferencePicture(_message.Message):
    __slots__ = ("name", "content")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    name: str
    content: bytes
    def __init__(self, name: _Optional[str] = ..., content: _Optional[bytes] = ...) -> None: ...

class PublishReferencesResponse(_message.Message):
    __slots__ = ("note", "picture_count", "created")
    NOTE_FIELD_NUMBER: _ClassVar[int]
    PICTURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    note: EvidenceNote
    picture_count: int
    created: bool
    def __init__(self, note: _Optional[_Union[EvidenceNote, _Mapping]] = ..., picture_count: _Optional[int] = ..., created: bool = ...) -> None: ...

class LookupPictureRequest(_message.Message):
    __slots__ = ("image",)
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    image: bytes
    def __init__(self, image: _Optional[bytes] = ...) -> None: ...

class PictureMatch(_message.Message):
    __slots__ = ("likeness", "distance_bits", "adapter", "version", "release_digest", "evidence_digest", "kind", "side", "digest", "prompt_index", "seed")
    LIKENESS_FIELD_NUMBER: _ClassVar[int]
    DISTANCE_BITS_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RELEASE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    PROMPT_INDEX_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    likeness: Likeness
    distance_bits: int
    adapter: str
    version: str
    release_digest: str
    evidence_digest: str
    kind: EvidenceKind
    side: str
    digest: str
    prompt_index: int
    seed: int
    def __init__(self, likeness: _Optional[_Union[Likeness, str]] = ..., distance_bits: _Optional[int] = ..., adapter: _Optional[str] = ..., version: _Optional[str] = ..., release_digest: _Optional[str] = ..., evidence_digest: _Optional[str] = ..., kind: _Optional[_Union[EvidenceKind, str]] = ..., side: _Optional[str] = ..., digest: _Optional[str] = ..., prompt_index: _Optional[int] = ..., seed: _Optional[int] = ...) -> None: ...

class LookupPictureResponse(_message.Message):
    __slots__ = ("matches", "png", "nearest_bits", "searched_count", "is_complete")
    MATCHES_FIELD_NUMBER: _ClassVar[int]
    PNG_FIELD_NUMBER: _ClassVar[int]
    NEAREST_BITS_FIELD_NUMBER: _ClassVar[int]
    SEARCHED_COUNT_FIELD_NUMBER: _ClassVar[int]
    IS_COMPLETE_FIELD_NUMBER: _ClassVar[int]
    matches: _containers.RepeatedCompositeFieldContainer[PictureMatch]
    png: bytes
    nearest_bits: int
    searched_count: int
    is_complete: bool
    def __init__(self, matches: _Optional[_Iterable[_Union[PictureMatch, _Mapping]]] = ..., png: _Optional[bytes] = ..., nearest_bits: _Optional[int] = ..., searched_count: _Optional[int] = ..., is_complete: bool = ...) -> None: ...

class FileReviewRequest(_message.Message):
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

class FileReviewResponse(_message.Message):
    __slots__ = ("note", "created")
    NOTE_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    note: EvidenceNote
    created: bool
    def __init__(self, note: _Optional[_Union[EvidenceNote, _Mapping]] = ..., created: bool = ...) -> None: ...
