# SPDX-License-Identifier: Apache-2.0
"""Counts what a message holds before anything of it is parsed: how many of each field, how long.

In: the bytes of a message and the descriptor of what it should be. Out: nothing, or a refusal after
the first value too many, so that the cost is that of the largest legal message and no more.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto
from google.protobuf.message import DecodeError, Message

from tabard_server.errors import InvalidRequest, invalid
from tabard_server.rpc.door.bounds import Bound

M = TypeVar("M", bound=Message)

_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {_FIXED64: 8, _FIXED32: 4}
_VARINT_BYTES_MAX = 10
_UNKNOWN_MAX = 64
_UNKNOWN_BYTES_MAX = 1 << 16
"""What a newer client may send beside what this server knows."""
_SIZED = frozenset({FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES})
_SINGLE = Bound(bytes_max=0)
_WIDTHS = {
    FieldDescriptor.TYPE_DOUBLE: 8,
    FieldDescriptor.TYPE_FIXED64: 8,
    FieldDescriptor.TYPE_SFIXED64: 8,
    FieldDescriptor.TYPE_FLOAT: 4,
    FieldDescriptor.TYPE_FIXED32: 4,
    FieldDescriptor.TYPE_SFIXED32: 4,
}
"""Bytes of numbers of fixed width; others have one byte or more, the last of them below 128."""


class Shape:
    """What one kind of message may hold, made once from its descriptor."""

    def __init__(self, descriptor: Descriptor, *, bounds: Mapping[str, Bound]) -> None:
        """Take the bounds of fields by name.

        Raises:
            KeyError: A text, `bytes` or repeated field has no bound.
        """
        self._name = str(descriptor.full_name)
        self._fields: dict[int, tuple[str, Bound, Shape | None]] = {}
        self._packed: dict[int, int] = {}
        said = DescriptorProto()
        descriptor.CopyToProto(said)
        repeated = {one.name for one in said.field if one.label == one.LABEL_REPEATED}
        for field in descriptor.fields:
            is_repeated = field.name in repeated
            is_sized = field.type in _SIZED
            bound = bounds[field.name] if is_sized or is_repeated else _SINGLE
            inner = Shape(field.message_type, bounds=bounds) if field.message_type else None
            if is_repeated and not (is_sized or inner):
                self._packed[field.number] = _WIDTHS.get(field.type, 1)
            self._fields[field.number] = field.name, bound, inner

    def read(self, data: bytes, *, as_type: type[M]) -> M:
        """Count, then parse.

        Raises:
            InvalidRequest: A field is too long, or there are too many of it, or this is no such
                message.
        """
        self.count(data)
        try:
            return as_type.FromString(data)
        except DecodeError as error:
            # Its framing was right, so what is left is a text.
            raise self._malformed("one of its texts is not UTF-8") from error

    def count(self, data: bytes) -> None:
        """Count alone. Raises as `read`."""
        self._count(data, start=0, end=len(data), path="")

    def _count(self, data: bytes, *, start: int, end: int, path: str) -> None:
        counts: Counter[str] = Counter()
        unknown = unknown_bytes = 0
        at = start
        while at < end:
            begun = at
            tag, at = self._varint(data, at=at, end=end)
            number, wire = tag >> 3, tag & 7
            size = _FIXED_BYTES.get(wire, 0)
            if wire == _VARINT:
                _value, at = self._varint(data, at=at, end=end)
            elif wire == _DELIMITED:
                size, at = self._varint(data, at=at, end=end)
            elif not size:
                raise self._malformed("it has a field of no known form")
            if number == 0 or at + size > end:
                raise self._malformed("it ends within a field")
            known = self._fields.get(number)
            if known is None:
                unknown, unknown_bytes = unknown + 1, unknown_bytes + at + size - begun
                if unknown > _UNKNOWN_MAX or unknown_bytes > _UNKNOWN_BYTES_MAX:
                    raise self._malformed("most of it is not known here")
            else:
                name, bound, shape = known
                counts[name] += (
                    self._values(number, bound, data=data, at=at, size=size)
                    if wire == _DELIMITED
                    else 1
                )
                self._judge(path + name, bound, count=counts[name], size=size, shape=shape)
                if shape is not None and wire == _DELIMITED:
                    shape._count(data, start=at, end=at + size, path=f"{path}{name}.")
            at += size

    def _values(self, number: int, bound: Bound, *, data: bytes, at: int, size: int) -> int:
        """Count the values in one field: numbers may come together; one too many is enough."""
        width = self._packed.get(number)
        if width is None:
            return 1
        if width > 1:
            return size // width
        looked_at = data[at : at + min(size, (bound.count_max + 1) * _VARINT_BYTES_MAX)]
        return sum(byte < 0x80 for byte in looked_at)

    def _judge(
        self, field: str, bound: Bound, *, count: int, size: int, shape: "Shape | None"
    ) -> None:
        if count > bound.count_max:
            if bound.count_max == 1:
                raise self._malformed(f"it says {field} more than once")
            raise invalid(
                field,
                f"{field} has more than {bound.count_max} values",
                reason=bound.count_reason,
                hint=bound.count_hint,
            )
        if shape is None and bound.bytes_max and size > bound.bytes_max:
            raise invalid(
                field,
                f"{field} has {size} bytes, at most {bound.bytes_max}",
                reason=bound.reason,
                hint=bound.hint,
            )

    def _varint(self, data: bytes, *, at: int, end: int) -> tuple[int, int]:
        value = 0
        for index in range(_VARINT_BYTES_MAX):
            if at + index >= end:
                break
            byte = data[at + index]
            value |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                return value, at + index + 1
        raise self._malformed("it ends within a number")

    def _malformed(self, what: str) -> InvalidRequest:
        return invalid(
            "",
            f"this is no {self._name}: {what}",
            reason="MALFORMED_MESSAGE",
            hint="send the message that the method takes, as proto/tabard/v1 describes it",
        )


def shape_of(message: type[Message], *, bounds: Mapping[str, Bound]) -> Shape:
    """Make the shape of a message class."""
    descriptor: Any = message.DESCRIPTOR
    return Shape(descriptor, bounds=bounds)
