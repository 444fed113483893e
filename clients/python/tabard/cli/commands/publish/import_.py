# SPDX-License-Identifier: Apache-2.0
"""`tabard import`: the adapters of a UI's folders become releases.

Every file is checked, a table says what would become of it, and what is new is
published. Repeated, it goes on where it ended: what is there is known by its bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from tabard.cli import exit_codes
from tabard.cli.commands.publish.options import with_base_words
from tabard.cli.files.import_plan import Row, carry_out, plan_import
from tabard.cli.files.ui_folders import find_items, plain_name
from tabard.cli.layout import Text
from tabard.cli.local.publishers import Publisher, ServerPublisher, open_local_publisher
from tabard.cli.output import Output, table
from tabard.cli.session import Session, with_session

_NEEDED_FOR = "tabard import --registry"
_BAD = ("refused", "failed")


@click.command(name="import")
@click.argument(
    "folder", metavar="FOLDER", type=click.Path(path_type=Path, file_okay=False, exists=True)
)
@click.option(
    "--namespace", metavar="NS", required=True, help="Publish the adapters in FOLDER as NS/…."
)
@click.option("--version", default="1.0.0", show_default=True, help="Version of new releases.")
@click.option("--registry", metavar="URL", help="Publish here, without a server; needs --base.")
@click.option("--base", metavar="demo|PATH|HUB_ID", help="The base, with --registry.")
@with_base_words
@click.option("--dry-run", is_flag=True, help="Only the table; publish nothing.")
@click.option("--yes", "-y", "is_sure", is_flag=True, help="Do not ask before publishing.")
@with_session
def import_(session: Session, *, folder: Path, namespace: str, **options: Any) -> None:
    """Publish all adapters of a UI's folders.

    Every LoRA and embedding below FOLDER (say A1111's models/Lora, or ComfyUI's
    models) is checked and listed, then published as NS/<file name>, with trigger words and notes
    from .civitai.info and .json files beside it. Safe to repeat: what is there is passed over.
    Exits 0 when everything is there, and 9 when some files were refused.

    \b
    tabard import ~/stable-diffusion-webui/models/Lora --namespace mine --dry-run
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    plain = plain_name(namespace)
    if namespace != plain:
        meant = f" Write '{plain}'." if plain else ""
        raise click.UsageError(
            f"'{namespace}' is no namespace: lower case, digits, '.', '_', '-'.{meant}"
        )
    _import_adapters(session, folder, namespace=namespace, **options)


def _import_adapters(
    session: Session,
    folder: Path,
    *,
    namespace: str,
    version: str,
    registry: str | None,
    base: str | None,
    base_words: dict[str, Any],
    dry_run: bool,
    is_sure: bool,
) -> None:
    output = session.output
    if not (dry_run or is_sure) and not sys.stdin.isatty():
        raise click.UsageError("say --dry-run to see what would happen, or --yes to do it")
    items = find_items(folder)
    with _publisher(session, registry=registry, base=base, words=base_words) as publisher:
        with output.progress("checking", total=len(items)) as bar:
            rows = plan_import(
                items,
                publisher=publisher,
                namespace=namespace,
                version=version,
                on_progress=bar.set,
            )
        if not dry_run:
            rows = _publish(rows, publisher=publisher, output=output, is_sure=is_sure)
    _tell(output, rows, is_shown=dry_run)
    if any(row.state in _BAD for row in rows):
        click.get_current_context().exit(exit_codes.PARTLY)


def _publish(rows: list[Row], *, publisher: Publisher, output: Output, is_sure: bool) -> list[Row]:
    """Show what would happen, ask, and do it one by one."""
    output.say(_table(rows))
    new = sum(row.state == "new" for row in rows)
    if new == 0:
        return rows
    if not is_sure:
        click.confirm(f"publish {new} adapters?", abort=True, err=True)
    done: list[Row] = []
    with output.progress("publishing", total=len(rows)) as bar:
        for number, row in enumerate(rows, start=1):
            done.append(carry_out(row, publisher=publisher))
            bar.set(number)
    return done


@contextmanager
def _publisher(
    session: Session, *, registry: str | None, base: str | None, words: dict[str, Any]
) -> Iterator[Publisher]:
    if registry is None:
        if base is not None:
            raise click.UsageError("--base goes with --registry; a server has its own base")
        with session.connect() as client:
            yield ServerPublisher(client)
        return
    if base is None:
        raise click.UsageError("--registry needs --base, to check the files against")
    with open_local_publisher(registry, base=base, needed_for=_NEEDED_FOR, **words) as publisher:
        yield publisher


def _tell(output: Output, rows: Sequence[Row], *, is_shown: bool) -> None:
    counts = {
        state: sum(row.state == state for row in rows)
        for state in ("new", "published", "there", "same", "refused", "failed")
    }
    document = {**counts, "adapters": [_document(row) for row in rows]}
    lines: list[Any] = [_table(rows)] if is_shown else []
    lines += [line for row in rows if row.state in _BAD for line in _complaint(row)]
    lines.append(", ".join(f"{n} {state}" for state, n in counts.items() if n) or "no adapters")
    output.answer(document, *lines)


def _document(row: Row) -> dict[str, Any]:
    found = asdict(row)
    del found["wanted"]
    return found


def _table(rows: Sequence[Row]) -> Any:
    return table(
        "file",
        "kind",
        "dialect",
        "rank",
        "mode",
        "triggers",
        "name",
        "",
        rows=[
            (
                row.place if row.files <= 1 else f"{row.place} (+{row.files - 1})",
                row.kind,
                row.dialect,
                str(row.rank or ""),
                row.mode,
                ", ".join(row.trigger_words)[:40],
                row.name,
                _fate(row),
            )
            for row in rows
        ],
    )


def _fate(row: Row) -> str:
    if row.state in _BAD:
        return row.problems[-1].reason
    return f"same as {row.same_as}" if row.same_as else row.state


def _complaint(row: Row) -> Iterator[Text]:
    for problem in row.problems:
        if not problem.is_warning:
            yield Text.assemble((row.place, "bold"), f": {problem.reason}: {problem.message}")
            yield Text(f"  hint: {problem.remedy}")
