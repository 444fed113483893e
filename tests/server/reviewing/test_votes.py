# SPDX-License-Identifier: Apache-2.0
"""Blind votes as voters see them: once on each pair, and then the truth."""

from pathlib import Path

import pytest

from tabard_registry import Release
from tabard_registry.errors import PreconditionFailed
from tabard_registry.evidence.documents import Previews, digest_of
from tabard_registry.evidence.pairs import pairs_of
from tabard_registry.evidence.report import Picture
from tabard_registry.identity.identity import Identity, Proof
from tabard_registry.identity.roles import Grants, Role
from tabard_server.reviewing.blindfold import Blindfold
from tests.registry.evidence.reports import ANN, put_report, subject_of
from tests.server.reviewing.blind_reports import file_report, ref_of, voter
from tests.server.reviewing.polls import Poll, pixels, reason_of, truth


def test_vote_tells_the_truth_and_counts(poll: Poll) -> None:
    """Whom one chose is stored by who drew it; a tie is one."""
    drawn, votes, who = truth(poll.report), poll.votes(), voter("bob")

    for choice in ("a", "b", "tie"):
        handle, _, a, _ = poll.told("bob", votes=votes)
        done = votes.vote(poll.ref, handle=handle, choice=choice, author=who)
        assert done.is_a_candidate is drawn[pixels(a)]
        meant = {"a": drawn[pixels(a)], "b": not drawn[pixels(a)]}.get(choice)
        assert done.choice == {True: "candidate", False: "stable", None: "tie"}[meant]

    state = poll.registry.catch_up()
    stored = state.find(poll.ref).health.votes
    assert [one.told.actor for one in stored] == ["bob"] * 3
    assert (done.pairs, done.voted) == (16, 3)
    names = {one.name for one in pairs_of(poll.report)}
    assert {one.pair for one in stored} <= names


def test_sums_are_of_the_newest_reports_pairs(poll: Poll) -> None:
    """An edit shows the same pairs and keeps their votes; other pictures begin anew."""
    votes = poll.votes()
    for choice in ("a", "b", "tie", "tie"):
        handle = votes.next_turn(poll.ref, author=voter("bob")).handle
        votes.vote(poll.ref, handle=handle, choice=choice, author=voter("bob"))
    state = poll.registry.catch_up()
    before = votes.standing(state.find(poll.ref))
    file_report(poll.registry, poll.release, against=poll.before, cells=16, outcome="kept")
    edited = votes.standing(poll.registry.state.find(poll.ref))
    file_report(poll.registry, poll.release, against=poll.before, cells=8, first=100)
    anew = votes.standing(poll.registry.state.find(poll.ref))

    assert (before.choices.total(), before.choices["tie"]) == (4, 2)
    assert edited == before
    assert anew.choices.total() == votes.standing(poll.before).choices.total() == 0


def test_all_pairs_come_once_and_then_none(poll: Poll) -> None:
    """Whatever server is asked; until it is voted on, a pair stays the same."""
    seen = []
    for number in range(16):
        handle, *rest = poll.told("bob")
        assert poll.told("bob") == (handle, *rest)
        seen.append(handle)
        poll.votes().vote(poll.ref, handle=handle, choice="tie", author=voter("bob"))
        assert number + 1 == poll.votes().next_turn(poll.ref, author=voter("bob")).voted

    last = poll.votes().next_turn(poll.ref, author=voter("bob"))
    assert (len(set(seen)), last.handle, last.voted, last.pairs) == (16, "", 16, 16)


def test_labels_are_stored_by_who_drew_it(poll: Poll) -> None:
    """What a voter saw fail in A and in B counts for the release, or for the other one."""
    drawn, votes, who = truth(poll.report), poll.votes(), voter("bob")
    of_ours, of_theirs = 0, 0
    for _ in range(6):
        handle, _, a, _ = poll.told("bob", votes=votes)
        of_ours, of_theirs = of_ours + drawn[pixels(a)], of_theirs + (not drawn[pixels(a)])
        votes.vote(
            poll.ref, handle=handle, choice="both_bad", labels=(("artifact",), ()), author=who
        )

    stands = votes.standing(poll.registry.catch_up().find(poll.ref))

    assert stands.choices == {"both_bad": 6}
    assert (of_ours, of_theirs) == tuple(one["artifact"] for one in stands.labels)
    assert of_ours
    assert of_theirs


def test_pair_at_hand_is_not_given_again(poll: Poll) -> None:
    """A vote may be kept back while its voter looks at what follows, in the same order."""
    votes, who = poll.votes(), voter("bob")
    first = votes.next_turn(poll.ref, author=who)
    second = votes.next_turn(poll.ref, author=who, held={first.handle})
    votes.vote(poll.ref, handle=first.handle, choice="a", author=who)

    assert first.handle != second.handle
    assert second.voted == 0
    assert votes.next_turn(poll.ref, author=who).handle == second.handle


def test_nobody_votes_twice(poll: Poll) -> None:
    """The first vote told the sides; also by an edit of the report, and by another server."""
    handle, *_ = poll.told("bob")
    first = poll.votes().vote(poll.ref, handle=handle, choice="a", author=voter("bob"))
    again = reason_of(poll.votes().vote, poll.ref, handle=handle, choice="b", author=voter("bob"))
    file_report(
        poll.registry, poll.release, against=poll.before, cells=16, outcome="people said so"
    )
    edited = reason_of(poll.votes().vote, poll.ref, handle=handle, choice="b", author=voter("bob"))

    assert first.choice in ("candidate", "stable")
    assert (again, edited) == ("VOTE_UNBLINDED", "VOTE_UNBLINDED")
    assert poll.votes().next_turn(poll.ref, author=voter("bob")).voted == 1


def test_pairs_are_ones_own(poll: Poll) -> None:
    """Another's pair, an invented one, and one of pictures that are gone: all alike."""
    handle, *_ = poll.told("bob")
    votes = poll.votes()

    for name, said in (("cat", handle), ("bob", "0" * 32), ("bob", ""), ("bob", handle[:-1])):
        for call in (
            lambda **words: votes.picture(poll.ref, side="a", **words),
            lambda **words: votes.vote(poll.ref, choice="a", **words),
        ):
            assert reason_of(call, handle=said, author=voter(name)) == "PAIR_NOT_FOUND"


def test_same_request_is_answered_alike(poll: Poll) -> None:
    """A client that heard no answer asks again, and hears it, also once it has read the report."""
    handle, *_ = poll.told("bob")
    author = type(voter("bob"))(actor="bob", reason="looked", request_id="once")

    first = poll.votes().vote(poll.ref, handle=handle, choice="a", author=author)
    Blindfold(poll.registry).saw(poll.report, identity=reviewer("bob"))
    again = poll.votes().vote(poll.ref, handle=handle, choice="a", author=author)

    assert (again.choice, again.is_a_candidate, again.voted) == (
        first.choice,
        first.is_a_candidate,
        1,
    )
    other = reason_of(poll.votes().vote, poll.ref, handle=handle, choice="b", author=author)
    assert other == "REQUEST_ID_REUSED"


def reviewer(name: str) -> Identity:
    """Somebody who has shown to be a reviewer of acme."""
    grants = Grants({"acme": frozenset({Role.REVIEW})})
    return Identity(name=name, tenant=name, grants=grants, proof=Proof.TOKEN)


def test_who_read_the_report_votes_no_more(poll: Poll) -> None:
    """Neither sees a pair nor votes on one that they were asked about before; others do."""
    handle, *_ = poll.told("bob")
    Blindfold(poll.registry).saw(poll.report, identity=reviewer("bob"))
    votes, who = poll.votes(), voter("bob")

    found = [
        reason_of(votes.next_turn, poll.ref, author=who),
        reason_of(votes.picture, poll.ref, handle=handle, side="a", author=who),
        reason_of(votes.vote, poll.ref, handle=handle, choice="a", author=who),
    ]

    assert found == ["VOTE_UNBLINDED"] * 3
    assert poll.registry.catch_up().find(poll.ref).health.votes == ()
    assert poll.told("cat")[0]
    with pytest.raises(PreconditionFailed, match="bob was shown the report"):
        votes.next_turn(poll.ref, author=who)


@pytest.mark.parametrize("is_own", [True, False])
def test_previewed_cells_are_left_out(poll: Poll, is_own: bool) -> None:
    """`tabard show` shows what one of the releases draws there; lost previews show nothing."""
    release = poll.release if is_own else poll.before
    side = poll.report.candidates if is_own else poll.report.baseline
    cells = tuple(Picture(image=c.image, prompt=c.prompt, seed=c.seed) for c in side[:6])
    previews = Previews(release=subject_of(release), cells=cells)
    poll.registry.evidence.put(previews, author=ANN)

    turn = poll.votes().next_turn(poll.ref, author=voter("bob"))
    left = {(c.prompt, c.seed) for c in poll.report.candidates[6:]}
    digest = digest_of(previews)
    poll.registry.store.delete(f"blob/sha256/{digest.hex[:2]}/{digest.hex[2:]}")
    lost = poll.votes().next_turn(poll.ref, author=voter("bob"))

    assert (turn.pairs, lost.pairs) == (10, 16)
    assert any(turn.seed == seed for _, seed in left)


def test_nothing_to_vote_on(tmp_path: Path) -> None:
    """No release, no report, and a report that compares with nothing: each says what to do."""
    poll = Poll(tmp_path / "poll")
    votes, who = poll.votes(), voter("bob")
    ref = ref_of(poll.before)

    unreported = reason_of(votes.next_turn, ref, author=who)
    put_report(poll.registry, poll.before)
    votes = poll.votes()

    assert unreported == "EVIDENCE_NOT_FOUND"
    assert reason_of(votes.next_turn, ref, author=who) == "PAIR_NOT_FOUND"
    absent = type(ref).parse("acme/ink@9.9.9")
    assert reason_of(votes.next_turn, absent, author=who) == "RELEASE_NOT_FOUND"
    stranger = type(who)(actor="eve", grants=Grants({"beta": frozenset({Role.ADMIN})}))
    poll.registry.set_policy("acme", private=True, author=who)
    assert reason_of(poll.votes().next_turn, poll.ref, author=stranger) == "ADAPTER_NOT_FOUND"


def test_prompt_is_the_releases(poll: Poll) -> None:
    """With its own trigger, and the seed of both pictures."""
    turn = poll.votes().next_turn(poll.ref, author=voter("bob"))
    release: Release = poll.registry.state.find(poll.ref)
    word = next(iter(release.trigger_words), "")

    assert turn.prompt.startswith(f"{word} number".strip())
    assert turn.seed in range(16)
