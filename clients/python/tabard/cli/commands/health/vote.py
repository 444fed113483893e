# SPDX-License-Identifier: Apache-2.0
"""`tabard vote`: pairs of pictures, one after the other, and what a person chooses.

Pictures are saved under the pair's name; who drew which is told by the server once the vote is
stored.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from tabard.calls.downloads import refuse_other_file
from tabard.calls.local_files import writing
from tabard.cli import completion
from tabard.cli.choices import Named
from tabard.cli.session import Session, with_session
from tabard.client import Client
from tabard.enums import IMAGE_LABELS, PAIR_SIDES, VOTE_CHOICES, ImageLabel, PairSide, VoteChoice
from tabard.health.review import BlindPair, StoredVote

_HINT = "name another folder with --out"
_DIGITS = 12
_KEYS: dict[str, VoteChoice] = {"a": "a", "b": "b", "t": "tie", "n": "both_bad"}
_OWNERS = {"candidate": "the release", "baseline": "what it replaces"}


@click.command()
@click.argument("ref", metavar="REF", shell_complete=completion.refs)
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("tabard-vote"),
    show_default=True,
    metavar="DIR",
    help="Where both pictures of each pair are put.",
)
@click.option("--open", "is_opened", is_flag=True, help="Also open both with the system's viewer.")
@click.option("--pair", metavar="ID", default="", help="Vote on this pair; for scripts.")
@click.option(
    "--choice", type=Named(VOTE_CHOICES), help="The vote on --pair, instead of a question."
)
@click.option("--reason", metavar="TEXT", default="", help="Why; kept in the history.")
@click.option(
    *("--label-a", "labels_a"),
    type=Named(IMAGE_LABELS),
    multiple=True,
    help="What you saw fail in A, with --pair; may be repeated.",
)
@click.option(
    *("--label-b", "labels_b"),
    type=Named(IMAGE_LABELS),
    multiple=True,
    help="What you saw fail in B, with --pair; may be repeated.",
)
@with_session
def vote(
    session: Session,
    *,
    ref: str,
    folder: Path,
    is_opened: bool,
    pair: str,
    choice: VoteChoice | None,
    reason: str,
    labels_a: tuple[ImageLabel, ...],
    labels_b: tuple[ImageLabel, ...],
) -> None:
    """Choose the better of two pictures, one of them the release's, without knowing which.

    The other one is what the release replaces; both were drawn with one prompt and seed for the
    newest report. Press a or b for the better one, t for a tie, n where neither is good enough,
    q to stop. Which is which is told after each vote. Vote before you read the report: who was
    shown it votes no more.

    With --json the next pair is the answer, and its pictures lie in DIR; --pair and --choice then
    vote on it.

    \b
    tabard vote acme/watercolor@1.1.0
    tabard vote acme/watercolor@1.1.0 --json
    tabard vote acme/watercolor@1.1.0 --pair ID --choice b --json
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    if bool(pair) != (choice is not None):
        raise click.UsageError("say --pair and --choice together, or neither")
    if (labels_a or labels_b) and not pair:
        raise click.UsageError("say --label-a and --label-b with --pair and --choice")
    with session.connect() as client:
        if choice is not None:
            done = client.vote(
                *(ref, choice), pair=pair, reason=reason, labels_a=labels_a, labels_b=labels_b
            )
            session.output.answer(done, _told(done))
            return
        found = _shown(client, ref, folder=folder)
        if session.output.is_json:
            session.output.answer(_document(found, folder=folder))
            return
        votes = 0
        while found is not None:
            if is_opened:
                _open(found, folder=folder)
            session.output.say(_question(found, folder=folder))
            key = _ask()
            if key == "q":
                break
            done = client.vote(ref, _KEYS[key], pair=found.pair, reason=reason)
            votes += 1
            session.output.say(_told(done))
            found = _shown(client, ref, folder=folder)
    left = "" if found is None else f"; {found.pair_count - found.voted_count} pairs are left"
    session.output.answer({"votes": votes}, f"{votes} votes{left or ', and no pair is left'}")


def _shown(client: Client, ref: str, *, folder: Path) -> BlindPair | None:
    found = client.next_pair(ref)
    if found is None:
        return None
    with writing(folder, hint=_HINT):
        folder.mkdir(parents=True, exist_ok=True)
    for side, path in _paths(found, folder=folder).items():
        png = client.pair_picture(ref, pair=found.pair, side=side)
        refuse_other_file(path, digest=f"sha256:{hashlib.sha256(png).hexdigest()}")
        with writing(path, hint=_HINT):
            path.write_bytes(png)
    return found


def _paths(found: BlindPair, *, folder: Path) -> dict[PairSide, Path]:
    return {side: folder / f"{found.pair[:_DIGITS]}-{side.upper()}.png" for side in PAIR_SIDES}


def _document(found: BlindPair | None, *, folder: Path) -> dict[str, Any]:
    if found is None:
        return {"pair": None}
    paths = _paths(found, folder=folder).items()
    return {"pair": asdict(found), "pictures": {side: str(path) for side, path in paths}}


def _question(found: BlindPair, *, folder: Path) -> str:
    place = f"pair {found.voted_count + 1} of {found.pair_count}"
    files = " and ".join(map(str, _paths(found, folder=folder).values()))
    return (
        f"{place}: {found.prompt!r}, seed {found.seed}; {files}: a, b, t (tie), n (neither) or q?"
    )


def _ask() -> str:
    while True:
        # The end of the input is the end of the votes.
        said = click.getchar() if sys.stdin.isatty() else sys.stdin.readline() or "q"
        if (key := said.strip().lower()[:1]) in (*_KEYS, "q"):
            return key


def _open(found: BlindPair, *, folder: Path) -> None:
    for path in _paths(found, folder=folder).values():
        click.launch(str(path))


def _told(done: StoredVote) -> str:
    chosen = f"you chose {_OWNERS[done.chosen]}" if done.chosen else "you chose neither"
    return f"{chosen}: A was {_OWNERS[done.a]}, B was {_OWNERS[done.b]}"
