# SPDX-License-Identifier: Apache-2.0
"""`tabard publish`: files become a release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from tabard.cli import completion
from tabard.cli.commands.health.references.publish import references_text, send
from tabard.cli.commands.publish.options import FILES, KIND, TRIGGERS, uploaded_on, with_draft
from tabard.cli.commands.publish.sampling_options import read_table, with_sampling
from tabard.cli.files.sources import find_files, with_source
from tabard.cli.layout import Text
from tabard.cli.output import fields, short, size
from tabard.cli.report_text import problem_text
from tabard.cli.session import Session, with_session
from tabard.releases.release import Release
from tabard.releases.report import Published
from tabard.releases.sampling import sampling_text

_WOKEN = ("style", "subject")
"""What a trigger word may wake; a word that was learned is one itself."""
_UNNAMED = (
    "no trigger word: an evaluation cannot ask whether the release sleeps where nobody names it "
    "(drift, leak); if one wakes it, say it by tabard edit --trigger"
)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("name", metavar="NS/NAME", shell_complete=completion.names)
@FILES
@with_draft
@TRIGGERS
@KIND
@click.option(
    "--references",
    type=_FOLDER,
    metavar="DIR",
    help="Pictures of what it shall look like, 4 or more; kept beside it.",
)
@click.option(
    "--training", type=_FOLDER, metavar="DIR", help="Pictures it was trained on, likewise."
)
@with_sampling
@with_session
def publish(
    session: Session,
    *,
    name: str,
    named: tuple[str, ...],
    notes: str,
    references: Path | None,
    training: Path | None,
    sampling: Path | None,
    sampling_words: tuple[str, ...],
    **draft: Any,
) -> None:
    """Publish files as one release of an adapter.

    FILE is what a trainer wrote, pickled embeddings included. Of a FOLDER the files that belong
    together are taken: PEFT's, diffusers', or the only one. HUB_ID is hf:owner/name, with @revision
    and :file if need be; what is downloaded is pinned to a commit, which the notes then name.

    Safe to repeat: the same bytes under the same version are the same release, whatever is said
    of them; words that were not taken are named. Nothing wears the release by channel until it is
    promoted.

    \b
    tabard publish acme/watercolor watercolor.safetensors --version 1.0.0 --notes "first"
    tabard publish acme/watercolor hf:acme/watercolor-lora@v2 --version 1.1.0
    tabard publish acme/watercolor watercolor.safetensors --version 1.2.0 --references pictures/
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    table = read_table(sampling, words=sampling_words)
    output, found = session.output, find_files(named)
    with session.connect() as client:
        with output.progress("uploading", total=1) as bar:
            published = client.publish(
                name,
                *found.files,
                notes=with_source(notes, source=found.source),
                sampling=table,
                on_progress=uploaded_on(bar),
                **draft,
            )
        ref = f"{published.release.adapter}@{published.release.digest}"
        kept = {
            word: send(client, output, ref, folder=folder, is_training=word == "training")
            for word, folder in (("references", references), ("training", training))
            if folder is not None
        }
    told = map(references_text, kept.values())
    output.answer({**asdict(published), **kept}, *_published_text(published), *told)


def _published_text(published: Published) -> list[Any]:
    release = published.release
    verb = "published" if published.created else "already published, the same bytes:"
    lines: list[Any] = [Text(f"{verb} {release.adapter} {release.version}", style="bold")]
    lines.append(fields(_summary(release)))
    lines += [problem_text(problem) for problem in published.report.problems]
    lines += untaken_text(release, published.untaken)
    if release.judged_as in _WOKEN and not release.trigger_words:
        lines.append(_UNNAMED)
    lines.append(f"next: tabard promote {release.adapter}@{release.version}")
    return lines


def untaken_text(release: Release, untaken: Sequence[str]) -> list[Text]:
    """Say which words were not taken, because the release was there with other ones."""
    if not untaken:
        return []
    words = ", ".join(name.replace("_", " ") for name in untaken)
    how = f"tabard edit {release.adapter}@{release.version}"
    return [Text(f"not taken, as it was published with others: {words}; use {how}", "yellow")]


def kind_text(release: Release) -> str:
    """Say what a release is, as which trainers write it, and its rank, if it has one."""
    dialect = f" ({release.dialect})" if release.dialect != release.kind else ""
    return f"{release.kind}{dialect}{f', rank {release.rank}' if release.rank else ''}"


def _summary(release: Release) -> dict[str, str]:
    return {
        "digest": short(release.digest),
        "kind": kind_text(release),
        "judged as": release.judged_as,
        "changes": f"{release.target_count} targets of {release.base_family}",
        "triggers": ", ".join(release.trigger_words),
        "sampling": sampling_text(release.sampling),
        "size": size(release.original_bytes),
    }
