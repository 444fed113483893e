# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from typing import Any

import pytest

from tabard_registry import sha256_bytes
from tabard_registry.log.records import Action
from tabard_registry.release.release import Release
from tabard_registry.state.judging import is_author
from tests.registry.fakes import ref
from tests.registry.state.short_logs import act, publication, run

REPORT = str(sha256_bytes(b"report"))
REPORTED = {"kind": "report", "document": REPORT, "verdict": "Success"}


def said(kind: str, /, **summary: Any) -> Action:
    """An act of judgement on 1.0.0."""
    return replace(act(kind, "1.0.0"), summary=summary)


START = (publication("1.0.0"), said("evidence", **REPORTED))


@pytest.mark.parametrize(
    ("action", "note"),
    [
        (said("evidence", **REPORTED), "evidence of acme/ink@1.0.0 already"),
        (said("review", decision="approve", evidence=""), "nothing is no report"),
        (said("review", decision="shrug", evidence=REPORT), "unknown decision"),
        (said("vote", pair="p", choice="left", evidence=REPORT), "unknown choice"),
        (said("vote", pair="", choice="tie", evidence=REPORT), "unknown choice or pair"),
        (said("vote", pair="p", choice="tie", evidence="0" * 64), "is no report"),
        (Action(type="grid", adapter="acme", summary={"name": "A B", "document": REPORT}), "A B"),
        (Action(type="grid", adapter="a/b/c", summary={"name": "a", "document": REPORT}), "b/c"),
    ],
)
def test_odd_judgements_change_nothing(action: Action, note: str) -> None:
    """Each says why."""
    by_bob = {"actor": "bob"} if action.type in ("review", "vote") else {}
    before, _ = run(*START)

    state, applied = run(*START, action, **by_bob)

    assert note in applied[-1].effects[0].note
    assert state.find(ref("1.0.0")).health == before.find(ref("1.0.0")).health
    assert not state.grids


def test_author_cannot_review() -> None:
    """Whatever they say of themselves."""
    approve = said("review", decision="approve", evidence=REPORT)

    assert "cannot review" in run(*START, approve)[1][-1].effects[0].note
    on_behalf = run(*START, approve, actor="bob", on_behalf_of="ann")[1]
    assert "cannot review" in on_behalf[-1].effects[0].note
    assert run(*START, approve, actor="bob")[1][-1].effects[0].effective


def test_publisher_for_somebody() -> None:
    """Who had it published is its author too."""
    state, _ = run(publication("1.0.0"), actor="bot", on_behalf_of="ann")
    (release,) = next(iter(state.adapters.values())).by_digest.values()

    assert isinstance(release, Release)
    assert [is_author(release, actor=who) for who in ("bot", "ann", "bob", "")] == [
        True,
        True,
        False,
        False,
    ]


def test_one_vote_on_a_pair() -> None:
    """Of one person; another one votes too."""
    vote = said("vote", pair="p", choice="tie", evidence=REPORT)

    assert "has voted" in run(*START, vote, vote)[1][-1].effects[0].note
    assert run(*START, vote, vote, actor="bob")[1][-1].effects[0].effective
