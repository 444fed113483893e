# SPDX-License-Identifier: Apache-2.0
"""The reference of the gRPC API, a page a file: descriptors with their comments in, Markdown out.

Knows protobuf's descriptors and nothing of sites. A type of this API is a link to where it stands.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

PACKAGE = "tabard.v1"

Path = tuple[int, ...]
# Numbers of fields in descriptor.proto, of which paths of comments are made.
_MESSAGES, _ENUMS, _SERVICES, _METHODS, _FIELDS, _VALUES = 4, 5, 6, 2, 2, 2
_NESTED_MESSAGES, _NESTED_ENUMS = 3, 4
_SYNTAX = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One file of the API as a page."""

    name: str
    title: str
    text: str


def pages(described: FileDescriptorSet) -> list[Page]:
    """Return a page for each file of the API, those with services first.

    Args:
        described: What protoc makes with `--include_source_info`.

    Raises:
        ValueError: No file of the API has comments: protoc was not asked for them.
    """
    files = [file for file in described.file if file.package == PACKAGE]
    if not any(file.source_code_info.location for file in files):
        raise ValueError("the descriptors have no comments: protoc needs --include_source_info")
    places = dict(place for file in files for place in _places(file))
    ordered = sorted(files, key=lambda file: (not file.service, file.name))
    return [_Writer(file, places).page() for file in ordered]


def _name(file: FileDescriptorProto) -> str:
    return PurePosixPath(file.name).stem


def _places(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    """Give where each type stands: full name, and page with anchor."""

    def below(
        messages: Sequence[DescriptorProto], enums: Sequence[EnumDescriptorProto], prefix: str
    ) -> Iterator[tuple[str, str]]:
        for one in (*messages, *enums):
            full = f"{prefix}.{one.name}"
            yield full, f"{_name(file)}.md#{full.removeprefix(f'.{PACKAGE}.')}"
        for message in messages:
            yield from below(message.nested_type, message.enum_type, f"{prefix}.{message.name}")

    yield from below(file.message_type, file.enum_type, f".{file.package}")


class _Writer:
    """Writes the page of one file."""

    def __init__(self, file: FileDescriptorProto, places: Mapping[str, str]) -> None:
        self._file = file
        self._places = places
        self._comments = {
            tuple(one.path): one.leading_comments or one.trailing_comments
            for one in file.source_code_info.location
        }
        detached = [
            one.leading_detached_comments or [one.leading_comments]
            for one in file.source_code_info.location
            if tuple(one.path) == (_SYNTAX,)
        ]
        self._opening = "\n".join(text for texts in detached for text in texts)

    def page(self) -> Page:
        file = self._file
        heading = file.service[0].name if file.service else _name(file)
        lines = [f"# {heading}", "", f"`{file.name}`, package `{file.package}`.", ""]
        about = re.sub(r"^ *SPDX-License-Identifier:.*\n?", "", self._opening, flags=re.MULTILINE)
        lines += [_prose(about), ""]
        for number, service in enumerate(file.service):
            lines += self._service(service, (_SERVICES, number))
        for number, message in enumerate(file.message_type):
            lines += self._message(message, (_MESSAGES, number), prefix="")
        for number, enum in enumerate(file.enum_type):
            lines += self._enum(enum, (_ENUMS, number), prefix="")
        return Page(name=_name(file), title=heading, text="\n".join(lines).rstrip() + "\n")

    def _service(self, service: ServiceDescriptorProto, path: Path) -> Iterator[str]:
        yield from ("## Calls", "", self._said(path), "")
        for number, method in enumerate(service.method):
            streams = ("", "stream of ")
            asked = streams[method.client_streaming] + self._link(method.input_type)
            told = streams[method.server_streaming] + self._link(method.output_type)
            yield from (f"### {method.name} {{ #{service.name}.{method.name} }}", "")
            yield from (f"{asked} → {told}", "", self._said((*path, _METHODS, number)), "")

    def _message(self, message: DescriptorProto, path: Path, *, prefix: str) -> Iterator[str]:
        if message.options.map_entry:
            return
        full = f"{prefix}{message.name}"
        yield from (f"## {full} {{ #{full} }}", "", self._said(path), "")
        if message.field:
            yield from ("| field | type | no. | meaning |", "|---|---|---|---|")
        for number, field in enumerate(message.field):
            kind = self._kind(field, message)
            if field.HasField("oneof_index") and not field.proto3_optional:
                kind += f"; one of `{message.oneof_decl[field.oneof_index].name}`"
            said = _cell(self._said((*path, _FIELDS, number)))
            yield f"| `{field.name}` | {kind} | {field.number} | {said} |"
        yield ""
        for number, enum in enumerate(message.enum_type):
            yield from self._enum(enum, (*path, _NESTED_ENUMS, number), prefix=f"{full}.")
        for number, nested in enumerate(message.nested_type):
            yield from self._message(nested, (*path, _NESTED_MESSAGES, number), prefix=f"{full}.")

    def _enum(self, enum: EnumDescriptorProto, path: Path, *, prefix: str) -> Iterator[str]:
        full = f"{prefix}{enum.name}"
        yield from (f"## {full} {{ #{full} }}", "", self._said(path), "")
        yield from ("| value | no. | meaning |", "|---|---|---|")
        for number, value in enumerate(enum.value):
            said = _cell(self._said((*path, _VALUES, number)))
            yield f"| `{value.name}` | {value.number} | {said} |"
        yield ""

    def _kind(self, field: FieldDescriptorProto, message: DescriptorProto) -> str:
        entry = next(
            (one for one in message.nested_type if field.type_name.endswith(f".{one.name}")), None
        )
        if entry is not None and entry.options.map_entry:
            return f"map of {self._plain(entry.field[0])} to {self._plain(entry.field[1])}"
        if field.label == FieldDescriptorProto.LABEL_REPEATED:
            return f"repeated {self._plain(field)}"
        return f"optional {self._plain(field)}" if field.proto3_optional else self._plain(field)

    def _plain(self, field: FieldDescriptorProto) -> str:
        if field.type_name:
            return self._link(field.type_name)
        return FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()

    def _link(self, full: str) -> str:
        shown = full.removeprefix(f".{PACKAGE}.").removeprefix(".")
        place = self._places.get(full)
        return f"[{shown}]({place})" if place else f"`{shown}`"

    def _said(self, path: Path) -> str:
        return _prose(self._comments.get(path, ""))


def _prose(comment: Any) -> str:
    """Return a comment as Markdown; what is no code in it is taken word by word."""
    plain = "\n".join(line.removeprefix(" ").rstrip() for line in comment.strip("\n").splitlines())
    parts = re.split(r"(`[^`]*`)", plain.strip())
    return "".join(
        one if turn % 2 else re.sub(r"([<\[\]*_|])", r"\\\1", one) for turn, one in enumerate(parts)
    )


def _cell(text: str) -> str:
    """Return a text for one cell of a table."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(one.replace("|", r"\|") if turn % 2 else one for turn, one in enumerate(parts))
