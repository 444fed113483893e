# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pytest

from tabard_registry import sha256_bytes
from tabard_registry.release.bounds import BOUND_NAMES, Measurement
from tabard_registry.release.health import EvidenceNote, Health, Told

DIGEST = sha256_bytes(b"document")
TOLD = Told(seq=1, time="t", actor="ann")


def test_note_comes_back() -> None:
    """What the act says is what the note was."""
    note = EvidenceNote(
        kind="report",
        document=DIGEST,
        told=TOLD,
        verdict="Failed",
        checks={"artifact": "flagged"},
        against=DIGEST,
        grid=DIGEST,
        measurement=Measurement(
            figures={"style": (0.4, 0.6)}, bounds=dict.fromkeys(BOUND_NAMES, 1.0)
        ),
    )

    assert EvidenceNote.from_summary(note.to_summary(), told=TOLD) == note
    assert Health(evidence=(note,)).report == note


@pytest.mark.parametrize(
    "said",
    [
        {"kind": "poem"},
        {"kind": "report"},
        {"kind": "previews", "verdict": "Success"},
        {"kind": "report", "verdict": "Fine"},
        {"kind": "report", "verdict": "Success", "checks": {"mood": "clear"}},
        {"kind": "report", "verdict": "Success", "checks": {"artifact": "perhaps"}},
    ],
)
def test_odd_notes_are_none(said: dict[str, Any]) -> None:
    """A report has a verdict, nothing else has; checks are known ones."""
    with pytest.raises(ValueError, match="unknown"):
        EvidenceNote.from_summary({"document": str(DIGEST), **said}, told=TOLD)
