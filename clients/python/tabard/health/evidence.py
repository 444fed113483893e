# SPDX-License-Identifier: Apache-2.0
"""Evidence as the SDK hands it out: notes of the log, documents, what came of an act.

Plain frozen values; they know nothing of protobuf or the network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceNote:
    """What the log says of a document about a release.

    Attributes:
        kind: `report`, `references`, `training` or `previews`.
        digest: Digest of the document.
        verdict: `success`, `failed` or `inconclusive` of a report; it informs, a person decides.
        checks: The six failure checks of a report: `clear`, `flagged` or `not_checked`.
        against_digest: The release that a report compares with; empty: there is none.
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
    """

    adapter: str
    version: str
    release_digest: str
    note: EvidenceNote
    content: bytes = field(repr=False)

    @property
    def document(self) -> dict[str, Any]:
        """What it says."""
        said: dict[str, Any] = json.loads(self.content or b"{}")
        return said

    @property
    def pictures(self) -> tuple[str, ...]:
        """Digests of the pictures that it lists, each once, in their order."""
        return tuple(dict.fromkeys(_pictures(self.document)))


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


def _pictures(said: Mapping[str, Any]) -> list[str]:
    """Return what every kind of document lists, whichever this one is."""
    cells = [*said.get("candidates", ()), *said.get("baseline", ()), *said.get("cells", ())]
    references = [one.get("reference", "") for one in said.get("prompt_record", ())]
    found = [*said.get("pictures", ()), *(one.get("image", "") for one in cells), *references]
    return [one for one in found if one]
