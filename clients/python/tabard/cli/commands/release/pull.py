# SPDX-License-Identifier: Apache-2.0
"""`tabard pull`: the files of a release back again, from a server or from a registry at hand."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from tabard.calls.downloads import PullProgress, refuse_other_file
from tabard.calls.local_files import writing
from tabard.cli import completion
from tabard.cli.choices import Named
from tabard.cli.layout import Text
from tabard.cli.local.registry import REGISTRY_VARIABLE, library, open_registry
from tabard.cli.output import Output, fields, short, size
from tabard.cli.session import Session, with_session
from tabard.enums import FILE_FORMATS, FileFormat

_NEEDED_FOR = "tabard pull --registry"


@click.command()
@click.argument("ref", metavar="REF", shell_complete=completion.refs)
@click.option(
    "--out",
    default=".",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write to; default: here.",
)
@click.option(
    "--format",
    "file_format",
    type=Named(FILE_FORMATS),
    default="original",
    show_default=True,
    help="The published bytes, what is served, or a file that other programs load.",
)
@click.option("--force", is_flag=True, help="Replace files of the same names.")
@click.option(
    "--registry",
    "url",
    metavar="URL",
    help=f"Read a registry here, without a server; default ${REGISTRY_VARIABLE} when no server "
    "is named.",
)
@with_session
def pull(
    session: Session,
    *,
    ref: str,
    out: Path,
    file_format: FileFormat,
    force: bool,
    url: str | None,
) -> None:
    """Fetch the files of a release, every byte verified.

    The original files are those that were published. A kohya or diffusers file is made of what is
    served, exactly: published again it is the same adapter. What such a file cannot hold is
    refused by name. A withdrawn release is given, too, as long as its bytes are there. A file
    that holds something else is never overwritten without --force.

    \b
    tabard pull acme/watercolor@1.0.0 --out styles
    tabard pull acme/watercolor --format diffusers
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    if url is None and not session.names_a_server:
        url = os.environ.get(REGISTRY_VARIABLE) or None
    if url is not None:
        answer = _pull_here(url, ref, out=out, file_format=file_format, force=force)
    else:
        answer = _pull_there(session, ref, out=out, file_format=file_format, force=force)
    _tell(session.output, answer)


def _pull_there(
    session: Session, ref: str, *, out: Path, file_format: FileFormat, force: bool
) -> dict[str, Any]:
    with session.connect() as client, session.output.progress("downloading", total=1) as bar:

        def show(got: PullProgress) -> None:
            bar.set(got.received_bytes, total=got.total_bytes)

        pulled = client.pull(
            ref, out=out, file_format=file_format, overwrite=force, on_progress=show
        )
    return _answer(pulled.release, pulled.files, file_format=file_format)


def _pull_here(
    url: str, ref: str, *, out: Path, file_format: FileFormat, force: bool
) -> dict[str, Any]:
    names = library("refs.names", needed_for=_NEEDED_FOR)
    export_release = library("export.export", needed_for=_NEEDED_FOR).export_release
    with open_registry(url, needed_for=_NEEDED_FOR) as registry:
        release = registry.state.find_kept(names.AdapterRef.parse(ref))
        with (
            writing(out, hint="name another folder; nothing is left in this one"),
            library("scratch", needed_for=_NEEDED_FOR).Scratch("pull", parent=_made(out)) as own,
        ):
            written = export_release(registry, release, style=file_format, folder=own.path)
            for one in written if not force else ():
                refuse_other_file(out / one.name, digest=str(one.digest))
            files = [replace(one, path=one.path.replace(out / one.name)) for one in written]
    return _answer(release, files, file_format=file_format)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _answer(release: Any, files: Iterable[Any], *, file_format: FileFormat) -> dict[str, Any]:
    """Describe a release and its files, the SDK's or the library's: their fields have one name."""
    return {
        "adapter": str(release.adapter),
        "version": str(release.version),
        "digest": str(release.digest),
        "quarantined": release.quarantined,
        "yanked": release.yanked,
        "format": file_format,
        "files": [
            {"path": str(one.path), "digest": str(one.digest), "size_bytes": one.size_bytes}
            for one in files
        ],
    }


def _tell(output: Output, answer: dict[str, Any]) -> None:
    lines: list[Any] = [Text(f"pulled {answer['adapter']} {answer['version']}", style="bold")]
    states = [word for word in ("quarantined", "yanked") if answer[word]]
    lines.append(fields({"digest": short(answer["digest"]), "format": answer["format"]}))
    lines += [Text(f"{one['path']} ({size(one['size_bytes'])})") for one in answer["files"]]
    lines += [Text(f"it is {word}", style="yellow") for word in states]
    output.answer(answer, *lines)
