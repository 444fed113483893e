# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from tabard_registry import Author, Registry, Release
from tabard_registry.errors import InvalidField, RegistryError
from tests.registry.evidence.reports import ANN, BOB, put_report
from tests.registry.fakes import publish, ref


@pytest.fixture
def release(registry: Registry, tmp_path: Path) -> Release:
    """One release by ann."""
    return publish(registry, "1.0.0", folder=tmp_path).release


def reason_of(refused: pytest.ExceptionInfo[RegistryError]) -> str:
    """The reason of an error."""
    return refused.value.reason


def test_review_names_what_it_saw(registry: Registry, release: Release) -> None:
    """Not an older report, not by the author, and with a note."""
    first = put_report(registry, release).note.document
    second = put_report(registry, release, verdict="Failed").note.document
    review, exact = registry.evidence.review, ref("1.0.0")

    with pytest.raises(RegistryError) as outdated:
        review(exact, decision="approve", evidence=first, author=BOB)
    with pytest.raises(RegistryError) as own:
        review(exact, decision="approve", evidence=second, author=ANN)
    with pytest.raises(InvalidField, match="needs a reason"):
        review(exact, decision="approve", evidence=second, author=Author(actor="bob"))

    assert [reason_of(outdated), reason_of(own)] == ["REVIEW_OUTDATED", "REVIEW_BY_AUTHOR"]
    assert review(exact, decision="approve", evidence=second, author=BOB).changed
    assert not review(exact, decision="approve", evidence=second, author=BOB).changed
    said = review(exact, decision="reject", evidence=second, author=BOB).subject.health.reviews
    assert [(one.decision, one.note) for one in said] == [("reject", "looks right")]


def test_second_vote_is_refused(registry: Registry, release: Release) -> None:
    """The first one showed the sides."""
    seen = put_report(registry, release).note.document
    vote, exact = registry.evidence.vote, ref("1.0.0")

    vote(exact, pair="p", choice="stable", evidence=seen, author=BOB)
    with pytest.raises(RegistryError) as refused:
        vote(exact, pair="p", choice="candidate", evidence=seen, author=BOB)
    with pytest.raises(InvalidField):
        vote(exact, pair="q", choice="left", evidence=seen, author=BOB)

    assert reason_of(refused) == "VOTE_UNBLINDED"
