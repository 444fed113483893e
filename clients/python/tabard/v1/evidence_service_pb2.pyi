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
EVIDENCE_KIND_UNSPECIFIED: EvidenceKind
EVIDENCE_KIND_REPORT: EvidenceKind
EVIDENCE_KIND_REFERENCES: EvidenceKind
EVIDENCE_KIND_TRAINING: EvidenceKind
EVIDENCE_KIND_PREVIEWS: EvidenceKind
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
    __slots__ = ("ref", "digest", "kind")
    REF_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ref: str
    digest: str
    kind: EvidenceKind
    def __init__(self, ref: _Optional[str] = ..., digest: _Optional[str] = ..., kind: _Optional[_Union[EvidenceKind, str]] = ...) -> None: ...

class GetEvidenceResponse(_message.Message):
    __slots__ = ("adapter", "version", "release_digest", "note", "document")
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RELEASE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    adapter: str
    version: str
    release_digest: str
    note: EvidenceNote
    document: bytes
    def __init__(self, adapter: _Optional[str] = ..., version: _Optional[str] = ..., release_digest: _Optional[str] = ..., note: _Optional[_Union[EvidenceNote, _Mapping]] = ..., document: _Optional[bytes] = ...) -> None: ...

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
