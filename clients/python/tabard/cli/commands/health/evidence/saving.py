# SPDX-License-Identifier: Apache-2.0
"""A document and its pictures into a folder, each byte checked against its digest."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tabard import Client
from tabard.calls.downloads import refuse_other_file
from tabard.calls.local_files import writing
from tabard.cli.output import Output
from tabard.errors import Internal
from tabard.health.evidence import EvidenceDocument
from tabard.health.review_page import page_pieces

DOCUMENT = "evidence.json"
"""The name of the document in the folder."""
PAGE = "review.html"
"""The name of the page that shows a report or a review with its pictures."""

REVIEW = "review"
"""The kind of document whose page finds its pictures by their digests."""

_DIGITS = 12
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HINT = "name another folder"


def save(
    client: Client, ref: str, *, found: EvidenceDocument, folder: Path, output: Output
) -> tuple[Path, ...]:
    """Write a document, with its page if it has one, and every picture that it lists.

    What is there already stays; the page of a report is written anew, for what people say goes on.

    Raises:
        AlreadyExists: A file of that name holds something else.
        FailedPrecondition: The folder cannot be written.
        Internal: What came is not what the digest says.
    """
    with writing(folder, hint=_HINT):
        folder.mkdir(parents=True, exist_ok=True)
    written = [_put(folder / DOCUMENT, found.content, digest=found.note.digest)]
    pictures = list(_named(found))
    with output.progress("pictures", total=len(pictures)) as bar:
        for count, (name, digest) in enumerate(pictures, start=1):
            png = client.evidence_picture(ref, evidence=found.note.digest, digest=digest)
            written.append(_put(folder / name, png, digest=digest))
            bar.set(count)
    if found.note.kind == REVIEW:
        written.append(_put(folder / PAGE, found.page, digest=str(found.document.get("page"))))
    elif found.page:
        names = {digest: name for name, digest in pictures}
        written.append(_write_page(found.page, target=folder / PAGE, names=names))
    return tuple(written)


def _write_page(page: bytes, *, target: Path, names: Mapping[str, str]) -> Path:
    parts = (text + names.get(digest, "") for text, digest in page_pieces(page))
    with writing(target, hint=_HINT):
        target.write_text("".join(parts), encoding="utf-8")
    return target


def _named(found: EvidenceDocument) -> Iterator[tuple[str, str]]:
    """Name every picture by what it is: which side, prompt and seed, or which one of all."""
    said = found.document
    cells = {"candidate": "candidates", "baseline": "baseline", "preview": "cells"}
    names: dict[str, str] = {}
    for side, name in cells.items():
        for cell in said.get(name, ()):
            names.setdefault(cell["image"], f"{side}-{_cell(cell)}")
    for number, digest in enumerate(found.pictures):
        if not _DIGEST.fullmatch(digest):
            raise Internal(
                f"the document names a picture {digest[:80]!r}",
                reason="ANSWER_DAMAGED",
                hint="look at the log of the server, or ask another one",
            )
        digits = digest.removeprefix("sha256:")
        stem = names.get(digest, f"{found.note.kind}-{number:02d}")
        name = digits if found.note.kind == REVIEW else f"{stem}-{digits[:_DIGITS]}"
        yield f"{name}.png", digest


def _cell(cell: dict[str, Any]) -> str:
    return f"{int(cell['prompt']):02d}-{int(cell['seed'])}"


def _put(target: Path, content: bytes, *, digest: str) -> Path:
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
        raise Internal(
            f"what came as {target.name} has not its digest",
            reason="DOWNLOAD_DAMAGED",
            hint="ask again",
        )
    refuse_other_file(target, digest=digest)
    with writing(target, hint=_HINT):
        target.write_bytes(content)
    return target
