# SPDX-License-Identifier: Apache-2.0
"""What people say of releases as messages."""

from collections import Counter
from pathlib import Path

import pytest

from tabard.v1 import (
    adapter_pb2,
    canary_service_pb2,
    evaluation_service_pb2,
    identity_service_pb2,
)
from tabard.v1 import review_service_pb2 as pb
from tabard_registry import Registry
from tabard_registry.identity.roles import EVERYTHING
from tabard_registry.release.gates import Gate
from tabard_registry.release.health import DECISIONS
from tabard_server.errors import InvalidRequest
from tabard_server.publishing.policies import Policies
from tabard_server.reviewing.votes import BOTH_BAD, TIE, A, B, Revealed, Standing
from tabard_server.rpc.names import names_of
from tabard_server.rpc.review.messages import (
    read_choice,
    read_decision,
    read_side,
    write_explanation,
    write_revealed,
    write_review,
    write_reviews,
)
from tests.registry.evidence.reports import ANN, BOB, put_report
from tests.registry.fakes import publish, ref


def test_explanation_is_written(tmp_path: Path) -> None:
    """Every gate by its pattern, every lack with its role."""
    registry = Registry.open(str(tmp_path / "registry"))
    publish(registry, "1.0.0", folder=tmp_path)
    gates = {"stable": Gate(reviews=1), "*": Gate(require_success=True)}
    registry.set_policy("acme", author=ANN, channels=gates)
    found = Policies(registry, ways=()).explain(ref("1.0.0"), channel="", grants=EVERYTHING)

    written = write_explanation(found)

    assert {one.pattern for one in written.gates} == {"stable", "*"}
    assert [one.role for one in written.missing] == [
        identity_service_pb2.ROLE_PUBLISH,
        identity_service_pb2.ROLE_REVIEW,
    ]
    assert (written.version, written.channel) == ("1.0.0", "stable")


def test_decisions_are_those_of_the_registry() -> None:
    """Silence and what a newer client says are refused, with what there is."""
    assert names_of(pb.ReviewDecision.DESCRIPTOR) == DECISIONS
    assert read_decision(pb.REVIEW_DECISION_REJECT) == "reject"
    for number, reason in ((0, "FIELD_REQUIRED"), (9, "FIELD_INVALID")):
        with pytest.raises(InvalidRequest) as refused:
            read_decision(number)
        assert (refused.value.reason, refused.value.hint) == (reason, "use one of: approve, reject")


def test_sides_and_choices_are_the_servers() -> None:
    """In its own words; silence is refused."""
    assert names_of(pb.PairSide.DESCRIPTOR) == (A, B)
    assert names_of(pb.VoteChoice.DESCRIPTOR) == (A, B, TIE, BOTH_BAD)
    assert (read_side(pb.PAIR_SIDE_B), read_choice(pb.VOTE_CHOICE_TIE)) == (B, TIE)
    for read in (read_side, read_choice):
        with pytest.raises(InvalidRequest) as refused:
            read(0)
        assert refused.value.reason == "FIELD_REQUIRED"


def test_revealed_vote_is_written(tmp_path: Path) -> None:
    """Who drew which, and whom the voter chose."""
    registry = Registry.open(str(tmp_path / "registry"))
    release = publish(registry, "1.0.0", folder=tmp_path).release
    candidate, baseline = pb.PAIR_OWNER_CANDIDATE, pb.PAIR_OWNER_BASELINE
    said = [("candidate", True, candidate), ("stable", False, baseline), ("tie", True, 0)]

    for choice, is_a_candidate, chosen in said:
        found = write_revealed(
            Revealed(
                release=release, choice=choice, is_a_candidate=is_a_candidate, pairs=3, voted=1
            )
        )
        assert found.chosen == chosen
        assert (found.a == candidate, found.b == baseline) == (is_a_candidate, is_a_candidate)
        assert (found.pair_count, found.voted_count) == (3, 1)


def test_reviews_are_written(tmp_path: Path) -> None:
    """Whether each is of the newest report, and how the votes stand."""
    registry = Registry.open(str(tmp_path / "registry"))
    release = publish(registry, "1.0.0", folder=tmp_path).release
    first = put_report(registry, release).note.document
    registry.evidence.review(ref("1.0.0"), decision="approve", evidence=first, author=BOB)
    second = put_report(registry, release, verdict="Failed").note.document
    now = registry.state.find(ref("1.0.0"))

    (said,) = (write_review(one, report=now.health.report) for one in now.health.reviews)
    votes = Standing(
        choices=Counter({"stable": 2, "tie": 1, "both_bad": 3}),
        labels=(Counter({"artifact": 2}), Counter({"portrait": 1})),
    )
    written = write_reviews(now, reviews=[said], votes=votes, following="")

    assert (said.reviewer, said.note, said.is_current) == ("bob", "looks right", False)
    assert (said.proof, said.evidence_digest) == (adapter_pb2.PROOF_UNSPECIFIED, str(first))
    assert written.report_digest == str(second)
    assert written.report_verdict == evaluation_service_pb2.VERDICT_FAILED
    found = (written.votes_for_candidate, written.votes_for_baseline, written.votes_tied)
    assert (*found, written.votes_both_bad) == (0, 2, 1, 3)
    labels = [(one.label, one.candidate_count, one.baseline_count) for one in written.labels]
    assert labels == [
        (canary_service_pb2.IMAGE_LABEL_ARTIFACT, 2, 0),
        (canary_service_pb2.IMAGE_LABEL_PORTRAIT, 0, 1),
    ]
