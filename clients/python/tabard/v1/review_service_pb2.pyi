from google.api import field_behavior_pb2 as _field_behavior_pb2
from tabard.v1 import identity_service_pb2 as _identity_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

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
