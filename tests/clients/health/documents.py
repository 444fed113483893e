# SPDX-License-Identifier: Apache-2.0
"""Documents as a server sends them."""

from __future__ import annotations

import json
from typing import Any

from tabard.health.evidence import EvidenceDocument, EvidenceNote


def found(kind: str = "report", **said: Any) -> EvidenceDocument:
    """A document that says something."""
    note = EvidenceNote(
        kind=kind,
        digest="sha256:" + "d" * 64,
        verdict="",
        checks={},
        against_digest="",
        grid_digest="",
        seq=1,
        time="",
        actor="ann",
        on_behalf_of="",
        proof="",
    )
    return EvidenceDocument(
        adapter="acme/ink",
        version="1.0.0",
        release_digest="sha256:" + "e" * 64,
        note=note,
        content=json.dumps(said).encode(),
    )
