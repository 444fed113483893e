# SPDX-License-Identifier: Apache-2.0
"""`tabard lookup`: which release drew a picture, and how it was made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from tabard.calls.health.lookup import recipe_of
from tabard.cli import exit_codes
from tabard.cli.layout import Answer, Text
from tabard.cli.output import fields, short, table
from tabard.cli.session import Session, with_session
from tabard.client import Client
from tabard.health.evidence import Lookup, PictureMatch
from tabard.pictures.sources import read_picture

_AGAIN_MAX = 64
"""How often a search that is not complete is gone on with."""
_NEAR_BITS = 8
_HASH_BITS = 64
_SAID = {
    "same_file": "the same file",
    "same_pixels": "the same pixels",
    "near": "looks the same",
}


@click.command()
@click.argument("picture", metavar="PICTURE", type=click.Path(dir_okay=False, path_type=Path))
@with_session
def lookup(session: Session, *, picture: Path) -> None:
    """Find a picture again among the evidence of releases, and how it was made.

    Looks at what the file says of itself, then asks the server: by the file's digest, by its
    pixels, and by its looks, which finds a picture that was saved again or made smaller. Exits 3
    when nobody knows it, and says how near the nearest picture is. `tabard replay` makes it again.

    \b
    tabard lookup heart.png
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    content = read_picture(picture, name="picture")
    own = recipe_of(content)
    with session.connect() as client:
        found = _search(session, client, content)
    document = {
        "recipe": own or found.recipe,
        "is_of_the_file": own is not None,
        "matches": found.matches,
        "nearest_bits": found.nearest_bits,
        "searched_count": found.searched_count,
        "is_complete": found.is_complete,
    }
    session.output.answer(document, *_text(found, own=own))
    if not found.matches and own is None:
        click.get_current_context().exit(exit_codes.NOT_FOUND)


def _search(session: Session, client: Client, content: bytes) -> Lookup:
    """Ask until everything was looked at, or something is the same."""
    found = client.lookup(content)
    for _ in range(_AGAIN_MAX):
        if found.is_complete or (found.matches and found.matches[0].likeness != "near"):
            break
        before = found.searched_count
        session.output.detail(f"{before} pictures so far")
        found = client.lookup(content)
        if found.searched_count <= before:
            break
    return found


def _text(found: Lookup, *, own: Mapping[str, Any] | None) -> Iterator[Answer]:
    if own is not None:
        yield Text("the file says itself how it was made", "bold")
        yield _recipe(own)
    if found.matches:
        yield Text(_SAID.get(found.matches[0].likeness, "found") + " in evidence", "bold")
        columns = ("picture", "is", "of", "document", "differs by")
        yield table(*columns, rows=[_row(one) for one in found.matches])
        if own is None and found.recipe is not None:
            yield _recipe(found.recipe)
    else:
        yield f"not found among {found.searched_count} pictures of evidence{_near(found)}"
    if not found.is_complete:
        yield "there is more evidence than was searched: the newest was"


def _near(found: Lookup) -> str:
    if found.nearest_bits is None:
        return ""
    return (
        f"; the nearest differs in {found.nearest_bits} of {_HASH_BITS} bits of its looks, and "
        f"{_NEAR_BITS} are the most for the same picture"
    )


def _row(one: PictureMatch) -> tuple[str, ...]:
    cell = "" if one.seed is None else f" (prompt {one.prompt_index}, seed {one.seed})"
    return (
        short(one.digest),
        f"{one.side}{cell}",
        f"{one.adapter} {one.version}",
        f"{one.kind} {short(one.evidence_digest)}",
        f"{one.distance_bits} bits",
    )


def _recipe(said: Mapping[str, Any]) -> Answer:
    stack = said.get("stack")
    worn = [
        f"{one.get('adapter', '')}@{one.get('version', '')}:{one.get('weight', '')}"
        for one in (stack if isinstance(stack, list) else ())
        if isinstance(one, dict)
    ]
    base = said.get("base")
    size = f"{said.get('width', '')}x{said.get('height', '')}"
    facts = {
        "prompt": said.get("prompt", ""),
        "not to show": said.get("negative_prompt", ""),
        "wears": ", ".join(worn) or "nothing",
        "seed": said.get("seed", ""),
        "steps": said.get("steps", ""),
        "guidance": said.get("guidance_scale", ""),
        "sampler": said.get("sampler", ""),
        "size": size if len(size) > 1 else "",
        "base": base.get("family", "") if isinstance(base, dict) else "",
    }
    return fields({name: str(one) for name, one in facts.items()})
