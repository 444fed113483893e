# SPDX-License-Identifier: Apache-2.0
"""`tabard publish` and `tabard check`: files go to the registry, or are only looked at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from tabard.calls.uploads import UploadProgress
from tabard.cli import exit_codes
from tabard.cli.files.sources import find_files, with_source
from tabard.cli.local.check import LocalCheck
from tabard.cli.output import ProgressBar, fields, short, size
from tabard.cli.report_text import problem_text, report_text
from tabard.cli.session import Session, with_session
from tabard.convert import KINDS, PURPOSES
from tabard.releases import CheckReport, Published, Release

_FILES = click.argument("named", nargs=-1, required=True, metavar="FILE…|FOLDER|HUB_ID")
_KIND = click.option(
    "--kind",
    type=click.Choice([name for name in KINDS if name != "recipe"]),
    help="Insist on a kind; read from the file when left out.",
)
_TRIGGERS = click.option(
    "--trigger", "trigger_words", multiple=True, metavar="WORD", help="A trigger word; repeatable."
)


@click.command()
@click.argument("name", metavar="NS/NAME")
@_FILES
@click.option("--version", required=True, help="SemVer of the new release, e.g. 1.2.0.")
@click.option("--notes", default="", help="Free text shown with the release.")
@click.option("--licence", "--license", default="", help="SPDX id or free text.")
@click.option("--purpose", type=click.Choice(list(PURPOSES)), help="Why it exists.")
@click.option("--reason", default="", help="Why it is published; kept in the history.")
@_TRIGGERS
@_KIND
@with_session
def publish(
    session: Session,
    *,
    name: str,
    named: tuple[str, ...],
    version: str,
    notes: str,
    licence: str,
    purpose: str | None,
    reason: str,
    trigger_words: tuple[str, ...],
    kind: str | None,
) -> None:
    """Publish files as one release of an adapter.

    FILE is what a trainer wrote, pickled embeddings included. Of a FOLDER the files that belong
    together are taken: PEFT's, diffusers', or the only one. HUB_ID is hf:owner/name, with @revision
    and :file if need be; what is downloaded is pinned to a commit, which the notes then name.

    Safe to repeat: the same bytes under the same version are the same release. Nothing wears the
    release by channel until it is promoted.

    \b
    tabard publish acme/watercolor watercolor.safetensors --version 1.0.0 --notes "first"
    tabard publish acme/watercolor hf:acme/watercolor-lora@v2 --version 1.1.0
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    output, found = session.output, find_files(named)
    with session.connect() as client, output.progress("uploading", total=1) as bar:
        published = client.publish(
            name,
            *found.files,
            version=version,
            notes=with_source(notes, source=found.source),
            licence=licence,
            purpose=purpose or "",
            trigger_words=trigger_words,
            kind=kind or "",
            reason=reason,
            on_progress=_mover(bar),
        )
    output.answer(published, *_published_text(published))


@click.command()
@_FILES
@click.option("--base", metavar="demo|PATH|HUB_ID", help="Check here, against this base.")
@_TRIGGERS
@_KIND
@with_session
def check(
    session: Session,
    *,
    named: tuple[str, ...],
    base: str | None,
    trigger_words: tuple[str, ...],
    kind: str | None,
) -> None:
    """Say whether a file will work on a base, completely; publish nothing.

    With --base it runs here and needs no server; otherwise the server at --address checks against
    the base it serves. Exits 0 when the files would be published and 4 when not.

    \b
    tabard check watercolor.safetensors --base demo
    """  # noqa: D301 - as above
    if base is None and session.address is None:
        raise click.UsageError("say --base demo|PATH|HUB_ID, or name a server with --address")
    files = find_files(named).files
    if base is not None:
        session.output.say(f"reading the base {base} …")
        report = LocalCheck(base).report(files, kind=kind or "", trigger_words=trigger_words)
    else:
        report = _check_remotely(session, files, kind=kind or "", trigger_words=trigger_words)
    session.output.answer(report, *report_text(report, names=[path.name for path in files]))
    click.get_current_context().exit(exit_codes.OK if report.accepted else exit_codes.INVALID)


def _check_remotely(session: Session, files: tuple[Path, ...], **draft: Any) -> CheckReport:
    with session.connect() as client, session.output.progress("uploading", total=1) as bar:
        return client.check(*files, on_progress=_mover(bar), **draft)


def _mover(bar: ProgressBar) -> Callable[[UploadProgress], None]:
    return lambda sent: bar.set(sent.sent_bytes, total=sent.total_bytes)


def _published_text(published: Published) -> list[Any]:
    release = published.release
    verb = "published" if published.created else "already published, the same bytes:"
    lines: list[Any] = [Text(f"{verb} {release.adapter} {release.version}", style="bold")]
    lines.append(fields(_summary(release)))
    lines += [problem_text(problem) for problem in published.report.problems]
    lines.append(f"next: tabard promote {release.adapter}@{release.version}")
    return lines


def _summary(release: Release) -> dict[str, str]:
    return {
        "digest": short(release.digest),
        "kind": f"{release.kind} ({release.dialect}), rank {release.rank}",
        "changes": f"{release.target_count} targets of {release.base_family}",
        "triggers": ", ".join(release.trigger_words),
        "size": size(release.original_bytes),
    }
