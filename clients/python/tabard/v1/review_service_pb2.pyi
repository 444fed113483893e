from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from tabard.v1 import adapter_pb2 as _adapter_pb2
from tabard.v1 import canary_service_pb2 as _canary_service_pb2
from tabard.v1 import evaluation_service_pb2 as _evaluation_service_pb2
from tabard.v1 import identity_service_pb2 as _identity_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReviewDecision(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REVIEW_DECISION_UNSPECIFIED: _ClassVar[ReviewDecision]
    REVIEW_DECISION_APPROVE: _ClassVar[ReviewDecision]
    REVIEW_DECISION_REJECT: _ClassVar[ReviewDecision]

class PairSide(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PAIR_SIDE_UNSPECIFIED: _ClassVar[PairSide]
    PAIR_SIDE_A: _ClassVar[PairSide]
    PAIR_SIDE_B: _ClassVar[PairSide]

class VoteChoice(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VOTE_CHOICE_UNSPECIFIED: _ClassVar[VoteChoice]
    VOTE_CHOICE_A: _ClassVar[VoteChoice]
    VOTE_CHOICE_B: _ClassVar[VoteChoice]
    VOTE_CHOICE_TIE: _ClassVar[VoteChoice]
    VOTE_CHOICE_BOTH_BAD: _ClassVar[VoteChoice]

class PairOwner(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PAIR_OWNER_UNSPECIFIED: _ClassVar[PairOwner]
    PAIR_OWNER_CANDIDATE: _ClassVar[PairOwner]
    PAIR_OWNER_BASELINE: _ClassVar[PairOwner]
REVIEW_DECISION_UNSPECIFIED: ReviewDecision
REVIEW_DECISION_APPROVE: ReviewDecision
REVIEW_DECISION_REJECT: ReviewDecision
PAIR_SIDE_UNSPECIFIED: PairSide
PAIR_SIDE_A: PairSide
PAIR_SIDE_B: PairSide
VOTE_CHOICE_UNSPECIFIED: VoteChoice
VOTE_CHOICE_A: VoteChoice
VOTE_CHOICE_B: VoteChoice
VOTE_CHOICE_TIE: VoteChoice
VOTE_CHOICE_BOTH_BAD: VoteChoice
PAIR_OWNER_UNSPECIFIED: PairOwner
PAIR_OWNER_CANDIDATE: PairOwner
PAIR_OWNER_BASELINE: PairOwner

class ExplainPolicyRequest(_message.Message):
    __slots__ = ("ref", "channel")
    REF_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    ref: str
    channel: str
    def __init__(self, ref: _Optional[str] = ..., channel: _Optional[str] = ...) -> None: ...

class ExplainPolicyResponse(_message.Message):
    __slots__ = ("adapter", "version", "digest", "channel", "gates", "missing", "override_suffices")
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    GATES_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_SUFFICES_FIELD_NUMBER: _ClassVar[int]
    adapter: str
    version: str
    digest: str
    channel: str
    gates: _containers.RepeatedCompositeFieldContainer[_identity_service_pb2.ChannelGate]
    missing: _containers.RepeatedCompositeFieldContainer[MissingForGate]
    override_suffices: bool
    def __init__(self, adapter: _Optional[str] = ..., version: _Optional[str] = ..., digest: _Optional[str] = ..., channel: _Optional[str] = ..., gates: _Optional[_Iterable[_Union[_identity_service_pb2.ChannelGate, _Mapping]]] = ..., missing: _Optional[_Iterable[_Union[MissingForGate, _Mapping]]] = ..., override_suffices: bool = ...) -> None: ...

class MissingForGate(_message.Message):
    __slots__ = ("what", "role", "how", "overridable", "names", "has_others")
    WHAT_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    HOW_FIELD_NUMBER: _ClassVar[int]
    OVERRIDABLE_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    HAS_OTHERS_FIELD_NUMBER: _ClassVar[int]
    what: str
    role: _identity_service_pb2.Role
    how: str
    overridable: bool
    names: _containers.RepeatedScalarFieldContainer[str]
    has_others: bool
    def __init__(self, what: _Optional[str] = ..., role: _Optional[_Union[_identity_service_pb2.Role, str]] = ..., how: _Optional[str] = ..., overridable: bool = ..., names: _Optional[_Iterable[str]] = ..., has_others: bool = ...) -> None: ...

class Review(_message.Message):
    __slots__ = ("reviewer", "on_behalf_of", "proof", "decision", "note", "evidence_digest", "is_current", "seq", "time")
    REVIEWER_FIELD_NUMBER: _ClassVar[int]
    ON_BEHALF_OF_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    IS_CURRENT_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    reviewer: str
    on_behalf_of: str
    proof: _adapter_pb2.Proof
    decision: ReviewDecision
    note: str
    evidence_digest: str
    is_current: bool
    seq: int
    time: _timestamp_pb2.Timestamp
    def __init__(self, reviewer: _Optional[str] = ..., on_behalf_of: _Optional[str] = ..., proof: _Optional[_Union[_adapter_pb2.Proof, str]] = ..., decision: _Optional[_Union[ReviewDecision, str]] = ..., note: _Optional[str] = ..., evidence_digest: _Optional[str] = ..., is_current: bool = ..., seq: _Optional[int] = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ReviewRequest(_message.Message):
    __slots__ = ("ref", "decision", "note", "evidence_digest", "actor", "request_id")
    REF_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ref: str
    decision: ReviewDecision
    note: str
    evidence_digest: str
    actor: str
    request_id: str
    def __init__(self, ref: _Optional[str] = ..., decision: _Optional[_Union[ReviewDecision, str]] = ..., note: _Optional[str] = ..., evidence_digest: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ReviewResponse(_message.Message):
    __slots__ = ("adapter", "version", "digest", "review", "changed")
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    REVIEW_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    adapter: str
    version: str
    digest: str
    review: Review
    changed: bool
    def __init__(self, adapter: _Optional[str] = ..., version: _Optional[str] = ..., digest: _Optional[str] = ..., review: _Optional[_Union[Review, _Mapping]] = ..., changed: bool = ...) -> None: ...

class ListReviewsRequest(_message.Message):
    __slots__ = ("ref", "page_size", "page_token")
    REF_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ref: str
    page_size: int
    page_token: str
    def __init__(self, ref: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListReviewsResponse(_message.Message):
    __slots__ = ("adapter", "version", "digest", "report_digest", "report_verdict", "reviews", "votes_for_candidate", "votes_for_baseline", "votes_tied", "next_page_token", "votes_both_bad", "labels")
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    REPORT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    REPORT_VERDICT_FIELD_NUMBER: _ClassVar[int]
    REVIEWS_FIELD_NUMBER: _ClassVar[int]
    VOTES_FOR_CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    VOTES_FOR_BASELINE_FIELD_NUMBER: _ClassVar[int]
    VOTES_TIED_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    VOTES_BOTH_BAD_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    adapter: str
    version: str
    digest: str
    report_digest: str
    report_verdict: _evaluation_service_pb2.Verdict
    reviews: _containers.RepeatedCompositeFieldContainer[Review]
    votes_for_candidate: int
    votes_for_baseline: int
    votes_tied: int
    next_page_token: str
    votes_both_bad: int
    labels: _containers.RepeatedCompositeFieldContainer[LabelCount]
    def __init__(self, adapter: _Optional[str] = ..., version: _Optional[str] = ..., digest: _Optional[str] = ..., report_digest: _Optional[str] = ..., report_verdict: _Optional[_Union[_evaluation_service_pb2.Verdict, str]] = ..., reviews: _Optional[_Iterable[_Union[Review, _Mapping]]] = ..., votes_for_candidate: _Optional[int] = ..., votes_for_baseline: _Optional[int] = ..., votes_tied: _Optional[int] = ..., next_page_token: _Optional[str] = ..., votes_both_bad: _Optional[int] = ..., labels: _Optional[_Iterable[_Union[LabelCount, _Mapping]]] = ...) -> None: ...

class LabelCount(_message.Message):
    __slots__ = ("label", "candidate_count", "baseline_count")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_COUNT_FIELD_NUMBER: _ClassVar[int]
    BASELINE_COUNT_FIELD_NUMBER: _ClassVar[int]
    label: _canary_service_pb2.ImageLabel
    candidate_count: int
    baseline_count: int
    def __init__(self, label: _Optional[_Union[_canary_service_pb2.ImageLabel, str]] = ..., candidate_count: _Optional[int] = ..., baseline_count: _Optional[int] = ...) -> None: ...

class NextPairRequest(_message.Message):
    __slots__ = ("ref", "actor", "held")
    REF_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    ref: str
    actor: str
    held: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, ref: _Optional[str] = ..., actor: _Optional[str] = ..., held: _Optional[_Iterable[str]] = ...) -> None: ...

class NextPairResponse(_message.Message):
    __slots__ = ("adapter", "version", "digest", "pair", "prompt", "negative_prompt", "seed", "pair_count", "voted_count")
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    PAIR_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_PROMPT_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    PAIR_COUNT_FIELD_NUMBER: _ClassVar[int]
    VOTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    adapter: str
    version: str
    digest: str
    pair: str
    prompt: str
    negative_prompt: str
    seed: int
    pair_count: int
    voted_count: int
    def __init__(self, adapter: _Optional[str] = ..., version: _Optional[str] = ..., digest: _Optional[str] = ..., pair: _Optional[str] = ..., prompt: _Optional[str] = ..., negative_prompt: _Optional[str] = ..., seed: _Optional[int] = ..., pair_count: _Optional[int] = ..., voted_count: _Optional[int] = ...) -> None: ...

class GetPairPictureRequest(_message.Message):
    __slots__ = ("ref", "pair", "side", "actor")
    REF_FIELD_NUMBER: _ClassVar[int]
    PAIR_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ref: str
    pair: str
    side: PairSide
    actor: str
    def __init__(self, ref: _Optional[str] = ..., pair: _Optional[str] = ..., side: _Optional[_Union[PairSide, str]] = ..., actor: _Optional[str] = ...) -> None: ...

class GetPairPictureResponse(_message.Message):
    __slots__ = ("png",)
    PNG_FIELD_NUMBER: _ClassVar[int]
    png: bytes
    def __init__(self, png: _Optional[bytes] = ...) -> None: ...

class VoteRequest(_message.Message):
    __slots__ = ("ref", "pair", "choice", "actor", "reason", "request_id", "labels_a", "labels_b")
    REF_FIELD_NUMBER: _ClassVar[int]
    PAIR_FIELD_NUMBER: _ClassVar[int]
    CHOICE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    LABELS_A_FIELD_NUMBER: _ClassVar[int]
    LABELS_B_FIELD_NUMBER: _ClassVar[int]
    ref: str
    pair: str
    choice: VoteChoice
    actor: str
    reason: str
    request_id: str
    labels_a: _containers.RepeatedScalarFieldContainer[_canary_service_pb2.ImageLabel]
    labels_b: _containers.RepeatedScalarFieldContainer[_canary_service_pb2.ImageLabel]
    def __init__(self, ref: _Optional[str] = ..., pair: _Optional[str] = ..., choice: _Optional[_Union[VoteChoice, str]] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ..., labels_a: _Optional[_Iterable[_Union[_canary_service_pb2.ImageLabel, str]]] = ..., labels_b: _Optional[_Iterable[_Union[_canary_service_pb2.ImageLabel, str]]] = ...) -> None: ...

class VoteResponse(_message.Message):
    __slots__ = ("adapter", "version", "digest", "a", "b", "chosen", "pair_count", "voted_count")
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    A_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    CHOSEN_FIELD_NUMBER: _ClassVar[int]
    PAIR_COUNT_FIELD_NUMBER: _ClassVar[int]
    VOTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    adapter: str
    version: str
    digest: str
    a: PairOwner
    b: PairOwner
    chosen: PairOwner
    pair_count: int
    voted_count: int
    def __init__(self, adapter: _Optional[str] = ..., version: _Optional[str] = ..., digest: _Optional[str] = ..., a: _Optional[_Union[PairOwner, str]] = ..., b: _Optional[_Union[PairOwner, str]] = ..., chosen: _Optional[_Union[PairOwner, str]] = ..., pair_count: _Optional[int] = ..., voted_count: _Optional[int] = ...) -> None: ...
