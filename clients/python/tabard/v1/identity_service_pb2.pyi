from google.api import field_behavior_pb2 as _field_behavior_pb2
from tabard.v1 import adapter_pb2 as _adapter_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROLE_UNSPECIFIED: _ClassVar[Role]
    ROLE_GENERATE: _ClassVar[Role]
    ROLE_PUBLISH: _ClassVar[Role]
    ROLE_PROMOTE: _ClassVar[Role]
    ROLE_REVIEW: _ClassVar[Role]
    ROLE_OPERATE: _ClassVar[Role]
    ROLE_ADMIN: _ClassVar[Role]
ROLE_UNSPECIFIED: Role
ROLE_GENERATE: Role
ROLE_PUBLISH: Role
ROLE_PROMOTE: Role
ROLE_REVIEW: Role
ROLE_OPERATE: Role
ROLE_ADMIN: Role

class Grant(_message.Message):
    __slots__ = ("namespace", "role")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    role: Role
    def __init__(self, namespace: _Optional[str] = ..., role: _Optional[_Union[Role, str]] = ...) -> None: ...

class WhoAmIRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WhoAmIResponse(_message.Message):
    __slots__ = ("name", "tenant", "grants", "proof", "expires_at")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    name: str
    tenant: str
    grants: _containers.RepeatedCompositeFieldContainer[Grant]
    proof: _adapter_pb2.Proof
    expires_at: str
    def __init__(self, name: _Optional[str] = ..., tenant: _Optional[str] = ..., grants: _Optional[_Iterable[_Union[Grant, _Mapping]]] = ..., proof: _Optional[_Union[_adapter_pb2.Proof, str]] = ..., expires_at: _Optional[str] = ...) -> None: ...

class Token(_message.Message):
    __slots__ = ("id", "name", "tenant", "grants", "created_at", "created_by", "expires_at", "revoked", "revoke_reason")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    REVOKED_FIELD_NUMBER: _ClassVar[int]
    REVOKE_REASON_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    tenant: str
    grants: _containers.RepeatedCompositeFieldContainer[Grant]
    created_at: str
    created_by: str
    expires_at: str
    revoked: bool
    revoke_reason: str
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., tenant: _Optional[str] = ..., grants: _Optional[_Iterable[_Union[Grant, _Mapping]]] = ..., created_at: _Optional[str] = ..., created_by: _Optional[str] = ..., expires_at: _Optional[str] = ..., revoked: bool = ..., revoke_reason: _Optional[str] = ...) -> None: ...

class CreateTokenRequest(_message.Message):
    __slots__ = ("name", "tenant", "grants", "expires_at", "actor", "reason", "request_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    tenant: str
    grants: _containers.RepeatedCompositeFieldContainer[Grant]
    expires_at: str
    actor: str
    reason: str
    request_id: str
    def __init__(self, name: _Optional[str] = ..., tenant: _Optional[str] = ..., grants: _Optional[_Iterable[_Union[Grant, _Mapping]]] = ..., expires_at: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateTokenResponse(_message.Message):
    __slots__ = ("token", "secret")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    token: Token
    secret: str
    def __init__(self, token: _Optional[_Union[Token, _Mapping]] = ..., secret: _Optional[str] = ...) -> None: ...

class ListTokensRequest(_message.Message):
    __slots__ = ("include_ended", "page_size", "page_token")
    INCLUDE_ENDED_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    include_ended: bool
    page_size: int
    page_token: str
    def __init__(self, include_ended: bool = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListTokensResponse(_message.Message):
    __slots__ = ("tokens", "next_page_token")
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tokens: _containers.RepeatedCompositeFieldContainer[Token]
    next_page_token: str
    def __init__(self, tokens: _Optional[_Iterable[_Union[Token, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class RevokeTokenRequest(_message.Message):
    __slots__ = ("token", "reason", "actor", "request_id")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    token: str
    reason: str
    actor: str
    request_id: str
    def __init__(self, token: _Optional[str] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class RevokeTokenResponse(_message.Message):
    __slots__ = ("token", "changed")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    token: Token
    changed: bool
    def __init__(self, token: _Optional[_Union[Token, _Mapping]] = ..., changed: bool = ...) -> None: ...

class Policy(_message.Message):
    __slots__ = ("namespace", "require_signature", "private", "require_identity", "channels", "enforce_sampling")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    REQUIRE_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    PRIVATE_FIELD_NUMBER: _ClassVar[int]
    REQUIRE_IDENTITY_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    ENFORCE_SAMPLING_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    require_signature: bool
    private: bool
    require_identity: bool
    channels: _containers.RepeatedCompositeFieldContainer[ChannelGate]
    enforce_sampling: bool
    def __init__(self, namespace: _Optional[str] = ..., require_signature: bool = ..., private: bool = ..., require_identity: bool = ..., channels: _Optional[_Iterable[_Union[ChannelGate, _Mapping]]] = ..., enforce_sampling: bool = ...) -> None: ...

class ChannelGate(_message.Message):
    __slots__ = ("pattern", "require_success", "reviews", "require_checks", "bounds", "promote_on_success")
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    REQUIRE_SUCCESS_FIELD_NUMBER: _ClassVar[int]
    REVIEWS_FIELD_NUMBER: _ClassVar[int]
    REQUIRE_CHECKS_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    PROMOTE_ON_SUCCESS_FIELD_NUMBER: _ClassVar[int]
    pattern: str
    require_success: bool
    reviews: int
    require_checks: bool
    bounds: _containers.RepeatedCompositeFieldContainer[GateBound]
    promote_on_success: bool
    def __init__(self, pattern: _Optional[str] = ..., require_success: bool = ..., reviews: _Optional[int] = ..., require_checks: bool = ..., bounds: _Optional[_Iterable[_Union[GateBound, _Mapping]]] = ..., promote_on_success: bool = ...) -> None: ...

class GateBound(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: float
    def __init__(self, name: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...

class GetPolicyRequest(_message.Message):
    __slots__ = ("namespace",)
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    def __init__(self, namespace: _Optional[str] = ...) -> None: ...

class GetPolicyResponse(_message.Message):
    __slots__ = ("policy",)
    POLICY_FIELD_NUMBER: _ClassVar[int]
    policy: Policy
    def __init__(self, policy: _Optional[_Union[Policy, _Mapping]] = ...) -> None: ...

class SetPolicyRequest(_message.Message):
    __slots__ = ("namespace", "require_signature", "private", "require_identity", "actor", "reason", "request_id", "channels", "enforce_sampling")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    REQUIRE_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    PRIVATE_FIELD_NUMBER: _ClassVar[int]
    REQUIRE_IDENTITY_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    ENFORCE_SAMPLING_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    require_signature: bool
    private: bool
    require_identity: bool
    actor: str
    reason: str
    request_id: str
    channels: _containers.RepeatedCompositeFieldContainer[ChannelGate]
    enforce_sampling: bool
    def __init__(self, namespace: _Optional[str] = ..., require_signature: bool = ..., private: bool = ..., require_identity: bool = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ..., channels: _Optional[_Iterable[_Union[ChannelGate, _Mapping]]] = ..., enforce_sampling: bool = ...) -> None: ...

class SetPolicyResponse(_message.Message):
    __slots__ = ("policy", "changed")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    policy: Policy
    changed: bool
    def __init__(self, policy: _Optional[_Union[Policy, _Mapping]] = ..., changed: bool = ...) -> None: ...
