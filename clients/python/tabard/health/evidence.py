# SPDX-License-Identifier: Apache-2.0
"""Evidence as the SDK hands it out: notes of the log, documents, what came of an act.

Plain frozen values; they know nothing of protobuf or the network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tabard.health.statement import statement_of


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceNote:
    """What the log says of a document about a release.

    Attributes:
        kind: `report`, `references`, `training`, `previews` or `review`.
        digest: Digest of the document.
        verdict: `success`, `failed` or `inconclusive` of a report; it informs, a person decides.
        checks: The six failure checks of a report: `clear`, `flagged` or `not_checked`.
        against_digest: The release that a report, or the report of a review, compares with; empty:
            there is none.
        grid_digest: Digest of a report's grid.
        seq: Log position.
        time: When, by the writer's clock.
        actor: By whom.
        on_behalf_of: What they said of themselves beside it.
        proof: How it is known who they were; empty: nobody asked.
    """

    kind: str
    digest: str
    verdict: str
    checks: Mapping[str, str]
    against_digest: str
    grid_digest: str
    seq: int
    time: str
    actor: str
    on_behalf_of: str
    proof: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceDocument:
    """A document about a release.

    Attributes:
        adapter: The release's line.
        version: Its version.
        release_digest: Its digest.
        note: What the log says of the document.
        content: The document, canonical JSON, as its digest is of it.
        page: HTML, if it was asked for: of a report as it stands now, of a review as it was filed.
    """

    adapter: str
    version: str
    release_digest: str
    note: EvidenceNote
    content: bytes = field(repr=False)
    page: bytes = field(default=b"", repr=False)

    @property
    def document(self) -> dict[str, Any]:
        """What it says."""
        said: dict[str, Any] = json.loads(self.content or b"{}")
        return said

    @property
    def pictures(self) -> tuple[str, ...]:
        """Digests of the pictures that it lists, each once, in their order."""
        return tuple(dict.fromkeys(_pictures(self.document)))

    @property
    def statement(self) -> dict[str, Any]:
        """A report as an in-toto Statement v1 about the release, with a test result.

        Raises:
            InvalidArgument: It is another kind of document (NOT_A_REPORT).
        """
        return statement_of(
            self.document,
            kind=self.note.kind,
            digest=self.note.digest,
            release=f"{self.adapter}@{self.version}",
            release_digest=self.release_digest,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceEdit:
    """What came of an edit of a report.

    Attributes:
        note: What the log says of the new document.
        content: The new document, canonical JSON.
        created: False: the very same edit had been made before.
    """

    note: EvidenceNote
    content: bytes = field(repr=False)
    created: bool

    @property
    def document(self) -> dict[str, Any]:
        """What it says."""
        said: dict[str, Any] = json.loads(self.content or b"{}")
        return said


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewFiling:
    """What came of filing a review.

    Attributes:
        note: What the log says of the document.
        created: False: it was filed before, and nothing was said since.
    """

    note: EvidenceNote
    created: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """What is known of a grid: prompts and seeds that releases are drawn with when they are judged.

    Attributes:
        name: What it is called.
        place: Whose it is: a namespace or a release line; empty: every registry has it.
        digest: Digest of its document.
        seq: Log position; 0 for one that every registry has.
    """

    name: str
    place: str
    digest: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GridDocument:
    """A grid with its document.

    Attributes:
        grid: What is known of it.
        content: Its document, canonical JSON.
    """

    grid: Grid
    content: bytes = field(repr=False)

    @property
    def document(self) -> dict[str, Any]:
        """What it says."""
        said: dict[str, Any] = json.loads(self.content or b"{}")
        return said


@dataclass(frozen=True, slots=True, kw_only=True)
class GridChange:
    """What came of giving a grid; `changed` is False when it was there already."""

    grid: Grid
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedReferences:
    """What came of publishing pictures beside a release.

    Attributes:
        note: What the log says of their document.
        picture_count: How many different ones there were.
        created: False: the same document had been published before.
    """

    note: EvidenceNote
    picture_count: int
    created: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureMatch:
    """A picture of evidence that is the one that was looked for, or looks the same.

    Attributes:
        likeness: `same_file`, `same_pixels`, or `near`, which looks the same.
        distance_bits: Bits of 64 in which their perceptual hashes differ.
        adapter: Line of the release that the document is about.
        version: Its version.
        release_digest: Its digest.
        evidence_digest: The document that shows it.
        kind: What the document is.
        side: Whose it is there: `candidate`, `against`, `reference`, `training` or `preview`.
        digest: The picture's digest.
        prompt_index: Place of the prompt in the grid; None: it was not drawn for one.
        seed: The seed; None likewise.
    """

    likeness: str
    distance_bits: int
    adapter: str
    version: str
    release_digest: str
    evidence_digest: str
    kind: str
    side: str
    digest: str
    prompt_index: int | None
    seed: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """What came of looking for a picture.

    Attributes:
        matches: The best first, five at most.
        png: The file of the best one.
        recipe: How the best one was made, as its file says; None: it does not.
        nearest_bits: How near the nearest picture is, in bits of 64; None: none was compared.
        searched_count: How many different pictures were compared.
        is_complete: Whether there is none left; asked again, a search goes on.
    """

    matches: tuple[PictureMatch, ...]
    png: bytes = field(repr=False)
    recipe: dict[str, Any] | None
    nearest_bits: int | None
    searched_count: int
    is_complete: bool


def _pictures(said: Mapping[str, Any]) -> list[str]:
    """Return what every kind of document lists, whichever this one is."""
    cells = [*said.get("candidates", ()), *said.get("baseline", ()), *said.get("cells", ())]
    references = [one.get("reference", "") for one in said.get("prompt_record", ())]
    found = [*said.get("pictures", ()), *(one.get("image", "") for one in cells), *references]
    return [one for one in found if one]
