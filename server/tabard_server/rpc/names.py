# SPDX-License-Identifier: Apache-2.0
"""Members of enums by the short names that everything behind the door knows: `lora`, `a1111`, ….

A name is that of the member without the enum's own, in lower case, so there is no table to keep.
"""

from google.protobuf.descriptor import EnumDescriptor

_SILENCE = "UNSPECIFIED"


def names_of(enum: EnumDescriptor) -> tuple[str, ...]:
    """Return the names of all members but the one that says nothing."""
    return tuple(_name(enum, one.name) for one in enum.values if one.number)


def name_of(enum: EnumDescriptor, number: int) -> str | None:
    """Return the name of a member: empty when it says nothing, None for one of a newer client."""
    found = enum.values_by_number.get(number)
    if found is None:
        return None
    return _name(enum, found.name) if number else ""


def number_of(enum: EnumDescriptor, name: str) -> int:
    """Return the number of a name; that of silence for what the API has no member for."""
    found = enum.values_by_name.get(_prefix(enum) + name.upper())
    return found.number if found is not None else 0


def _name(enum: EnumDescriptor, member: str) -> str:
    return member.removeprefix(_prefix(enum)).lower()


def _prefix(enum: EnumDescriptor) -> str:
    return enum.values_by_number[0].name.removesuffix(_SILENCE)
