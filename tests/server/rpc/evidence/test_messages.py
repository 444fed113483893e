# SPDX-License-Identifier: Apache-2.0
"""Notes as messages: every word that the log knows has a member of its own."""

from __future__ import annotations

import pytest

from tabard.v1 import evaluation_service_pb2
from tabard.v1 import evidence_service_pb2 as pb
from tabard_registry.identity.identity import Proof
from tabard_registry.refs.digest import sha256_bytes
from tabard_registry.release.health import (
    CHECK_STATES,
    CHECKS,
    EVIDENCE_KINDS,
    VERDICTS,
    EvidenceNote,
    Told,
)
from tabard_server.errors import InvalidRequest
from tabard_server.rpc.evidence.messages import read_kind, write_note
from tabard_server.rpc.names import names_of


def note(**fields: object) -> EvidenceNote:
    """A note of a report."""
    told = Told(seq=7, time="2026-11-29T00:00:00Z", actor="ann", proof=Proof.TOKEN)
    said: dict[str, object] = {"kind": "report", "document": sha256_bytes(b"x"), "told": told}
    return EvidenceNote(**said | fields)  # type: ignore[arg-type]


def test_enums_are_the_words_of_the_log() -> None:
    """None is missing, none is invented."""
    assert set(names_of(pb.EvidenceKind.DESCRIPTOR)) == set(EVIDENCE_KINDS)
    assert names_of(pb.FailureCheck.DESCRIPTOR) == CHECKS
    assert set(names_of(pb.CheckState.DESCRIPTOR)) == set(CHECK_STATES)
    verdicts = names_of(evaluation_service_pb2.Verdict.DESCRIPTOR)
    assert set(verdicts) == {one.lower() for one in VERDICTS}


def test_unknown_checks_are_not_passed() -> None:
    """A check that nobody looked at is told as that."""
    written = write_note(note(verdict="Inconclusive", checks={"artifact": "flagged"}))

    states = {one.check: one.state for one in written.checks}
    assert len(states) == len(CHECKS)
    assert states.pop(pb.FAILURE_CHECK_ARTIFACT) == pb.CHECK_STATE_FLAGGED
    assert set(states.values()) == {pb.CHECK_STATE_NOT_CHECKED}
    assert written.verdict == evaluation_service_pb2.VERDICT_INCONCLUSIVE
    assert (written.seq, written.actor, written.proof) == (7, "ann", 1)


def test_references_have_no_verdict() -> None:
    """Nor checks: nobody judged them."""
    written = write_note(note(kind="references"))

    assert not written.verdict
    assert not written.checks


@pytest.mark.parametrize("number", [99, -1])
def test_unknown_kind_is_refused(number: int) -> None:
    """What a newer client asks for is not guessed."""
    with pytest.raises(InvalidRequest) as refused:
        read_kind(number)

    assert refused.value.reason == "FIELD_INVALID"
    assert "previews" in refused.value.hint
