# SPDX-License-Identifier: Apache-2.0
"""The two verbs that send files, publish and check: a draft, then each file in bounded chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from google.protobuf.message import Message

from tabard.calls.call import Caller, Requests, rpc_taking
from tabard.calls.grouping import choose_files
from tabard.calls.local_files import LocalFile, text_of, unreadable
from tabard.convert import read_release, same_fields, write_sampling
from tabard.enums import KINDS, Kind, Purpose, member_number
from tabard.errors import InvalidArgument
from tabard.patience import Metadata
from tabard.releases.report import CheckReport, Coverage, Problem, Published
from tabard.releases.sampling import read_sampling
from tabard.v1 import adapter_pb2
from tabard.v1 import registry_service_pb2 as pb

UPLOAD_TIMEOUT_SECONDS = 900.0

T_co = TypeVar("T_co", covariant=True)
RequestT = TypeVar("RequestT", pb.PublishRequest, pb.CheckRequest)


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadProgress:
    """Bytes sent so far, of all files together."""

    sent_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload(Generic[T_co]):
    """One RPC that streams requests; `requests()` starts a fresh stream each time."""

    requests: Callable[[], Iterator[Message]] = field(repr=False)
    request_type: type[Message]
    read: Callable[[Any], T_co]
    metadata: Metadata = ()
    timeout_seconds: float | None = None

    def on(self, channel: Any) -> tuple[Callable[..., Any], Requests]:
        """Give what sends it over a channel, as a call does, and what to send."""
        return channel.stream_unary(*rpc_taking(self.request_type)), Requests(self.requests())


OnUpload = Callable[[UploadProgress], None]


def publish(
    caller: Caller,
    name: str,
    *files: str | Path,
    version: str,
    notes: str = "",
    licence: str = "",
    title: str = "",
    purpose: Purpose | Literal[""] = "",
    trigger_words: Sequence[str] = (),
    kind: Kind | Literal[""] = "",
    sampling: Mapping[str, Any] | None = None,
    reason: str = "",
    previews: bool = False,
    on_progress: OnUpload | None = None,
    timeout_seconds: float = UPLOAD_TIMEOUT_SECONDS,
) -> Upload[Published]:
    """Upload files and publish them as one release; idempotent for equal bytes.

    Args:
        caller: Filled in by the client.
        name: `namespace/name`.
        *files: The files as the trainer left them, or one folder of PEFT or diffusers.
        version: SemVer, new for this adapter.
        notes: Free text.
        licence: SPDX id or free text.
        title: What people call it, in any script; search finds it.
        purpose: `concept`, `style` or `subject`.
        trigger_words: Words that wake it, if the file does not name them.
        kind: `lora`, `textual_inversion` or `dreambooth`; read from the file when empty.
        sampling: How it wants to be sampled, like `{"steps": {"recommended": 4}}`; what is not
            said is taken of the file's metadata. docs/sampling.md lists all of it.
        reason: Why it is published; kept in the history.
        previews: Whether a few pictures of it are drawn and kept beside it, some time later.
        on_progress: Told after every chunk.
        timeout_seconds: Deadline of the whole upload.

    Raises:
        InvalidArgument: A file is refused (see `.violations`), or is not there.
        AlreadyExists: The version holds other bytes.
    """
    draft = pb.ReleaseDraft(
        adapter=name,
        version=version,
        kind=member_number(adapter_pb2.ReleaseKind.DESCRIPTOR, kind, what="kind", offered=KINDS),
        purpose=member_number(adapter_pb2.Purpose.DESCRIPTOR, purpose, what="purpose"),
        trigger_words=trigger_words,
        notes=notes,
        licence=licence,
        title=title,
        actor=caller.actor,
        request_id=caller.new_id(),
        reason=reason,
        previews=previews,
        sampling=write_sampling(sampling),
    )
    paths = _existing_files(files)
    return Upload(
        requests=lambda: _parts(pb.PublishRequest(draft=draft), paths, on_progress),
        request_type=pb.PublishRequest,
        read=read_published,
        timeout_seconds=timeout_seconds,
    )


def check(
    caller: Caller,
    *files: str | Path,
    kind: Kind | Literal[""] = "",
    trigger_words: Sequence[str] = (),
    on_progress: OnUpload | None = None,
    timeout_seconds: float = UPLOAD_TIMEOUT_SECONDS,
) -> Upload[CheckReport]:
    """Run publish's checks against the server's base without publishing.

    Takes files, or one folder, as `publish` does. A bad file is no error here: the report says
    what is wrong with it.

    Raises:
        InvalidArgument: A file is not there.
    """
    del caller
    number = member_number(adapter_pb2.ReleaseKind.DESCRIPTOR, kind, what="kind", offered=KINDS)
    options = pb.CheckOptions(kind=number, trigger_words=trigger_words)
    paths = _existing_files(files)
    return Upload(
        requests=lambda: _parts(pb.CheckRequest(options=options), paths, on_progress),
        request_type=pb.CheckRequest,
        read=lambda response: read_report(response.report),
        timeout_seconds=timeout_seconds,
    )


def read_published(message: pb.PublishResponse) -> Published:
    """Give the value of a publish response."""
    release, report = read_release(message.release), read_report(message.report)
    return same_fields(Published, message, release=release, report=report)


def read_report(message: pb.CheckReport) -> CheckReport:
    """Give the value of a check report message."""
    return report_like(message, sampling=read_sampling(message.sampling))


def report_like(source: Any, **made: Any) -> CheckReport:
    """Give a report that says what another one says, be it a message or the registry's own."""
    return same_fields(
        CheckReport,
        source,
        problems=tuple(same_fields(Problem, problem) for problem in source.problems),
        coverage=tuple(same_fields(Coverage, part) for part in source.coverage),
        **made,
    )


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long is no folder, and is told as a file
        return False


def _existing_files(files: Iterable[str | Path]) -> tuple[Path, ...]:
    paths = tuple(Path(file) for file in files)
    if len(paths) == 1 and _is_folder(paths[0]):
        names = [path.name for path in paths[0].iterdir() if path.is_file()]
        return tuple(
            paths[0] / name for name in choose_files(names, where=f"the folder {paths[0]}")
        )
    if not paths:
        raise InvalidArgument(
            "no file was given", reason="NO_FILES", hint="name .safetensors files, or one folder"
        )
    for path in paths:
        try:
            is_file = path.is_file()
            # What cannot be opened is told before a call begins: inside one, nobody would hear it.
            if is_file:
                with LocalFile(path):
                    pass
        except OSError as error:
            raise unreadable(path, error) from error
        if not is_file:
            raise InvalidArgument(
                f"there is no file '{text_of(path)}'",
                reason="FILE_NOT_FOUND",
                hint="check the path; a folder is named alone, without other files",
            )
    return paths


def _parts(
    first: RequestT,
    paths: tuple[Path, ...],
    on_progress: OnUpload | None,
) -> Iterator[RequestT]:
    """Yield the requests; of a file that changes meanwhile, what it had, or none of it is taken.

    Raises:
        InvalidArgument: A file cannot be read any longer.
    """
    request = type(first)
    yield first
    sent_bytes = 0
    path = paths[0]
    try:
        total_bytes = sum(path.stat().st_size for path in paths)
        for path in paths:
            with LocalFile(path) as file:
                name = text_of(Path(path.name))
                yield request(file=pb.FileStart(name=name, bytes_total=file.size_bytes))
                for chunk in file.chunks():
                    yield request(chunk=chunk)
                    sent_bytes += len(chunk)
                    if on_progress is not None:
                        on_progress(UploadProgress(sent_bytes=sent_bytes, total_bytes=total_bytes))
    except OSError as error:
        raise unreadable(path, error) from error
