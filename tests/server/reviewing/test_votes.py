# SPDX-License-Identifier: Apache-2.0
"""Blind votes as an attacker sees them: nothing that is told before a vote says whose is whose."""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tabard_registry import Registry, Release
from tabard_registry.content.blind_book import BlindBook
from tabard_registry.errors import PreconditionFailed, RegistryError
from tabard_registry.evidence.documents import Previews, digest_of
from tabard_registry.evidence.pairs import pairs_of
from tabard_registry.evidence.report import Picture, Report
from tabard_registry.identity.identity import Identity, Proof
from tabard_registry.identity.roles import Grants, Role
from tabard_server.limits import Limits
from tabard_server.reviewing.blindfold import Blindfold
from tabard_server.reviewing.votes import Votes
from tabard_server.rpc.review.messages import write_turn
from tests.registry.evidence.reports import ANN, put_report, subject_of
from tests.server.reviewing.blind_reports import file_report, noise, ref_of, released, voter

KEY = b"k" * 32


class Poll:
    """A registry with a report, and who votes there."""

    def __init__(self, folder: Path, **report: Any) -> None:
        folder.mkdir(exist_ok=True)
        numbers = iter(range(10**6))
        self.registry = Registry.open(
            str(folder / "registry"), new_id=lambda: f"{next(numbers):032x}"
        )
        # The same key everywhere, so that two worlds differ in nothing but who drew which.
        BlindBook(self.registry.store, new_key=lambda _count: KEY).key()
        self.release, self.before = released(self.registry, folder)
        self.report = file_report(
            self.registry, self.release, against=self.before, **{"cells": 16, **report}
        )
        self.ref = ref_of(self.release)

    def votes(self) -> Votes:
        """Votes as another server counts them."""
        registry = Registry.open(self.registry.url)
        return Votes(registry, blindfold=Blindfold(registry), limits=Limits())

    def told(self, name: str, *, votes: Votes | None = None) -> tuple[str, bytes, bytes, bytes]:
        """All that a voter is told of the next pair: its handle, the answer, the two pictures."""
        votes, who = votes or self.votes(), voter(name)
        turn = votes.next_turn(self.ref, author=who)
        pictures = [
            votes.picture(self.ref, handle=turn.handle, side=side, author=who) for side in "ab"
        ]
        return turn.handle, write_turn(turn).SerializeToString(), pictures[0], pictures[1]


@pytest.fixture
def poll(tmp_path: Path) -> Poll:
    """Sixteen pairs."""
    return Poll(tmp_path / "poll")


def reason_of(call: Any, *args: Any, **words: Any) -> str:
    """Why a call is refused; empty: it is not."""
    try:
        call(*args, **words)
    except RegistryError as error:
        return error.reason
    return ""


def truth(report: Report) -> dict[bytes, bool]:
    """Pixels of every picture, and whether the release drew it."""
    drawn = {}
    for n in range(len(report.candidates)):
        for number in (2 * n, 2 * n + 1):
            png = noise(number, drawn_by="one" if number % 2 == 0 else "other")
            drawn[pixels(png)] = number % 2 == 0
    return drawn


def pixels(png: bytes) -> bytes:
    """What a picture shows."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).tobytes()


def test_two_worlds_are_told_alike(tmp_path: Path) -> None:
    """With all pictures drawn by the other side, every answer before a vote is the same bytes."""
    worlds = [
        Poll(tmp_path / str(is_swapped), is_swapped=is_swapped) for is_swapped in (False, True)
    ]
    voted: list[list[Any]] = [[], []]

    for world, poll in enumerate(worlds):
        for name in ("ann's friend", "bob", "cat"):
            votes = poll.votes()
            for _ in range(5):
                told = poll.told(name, votes=votes)
                done = votes.vote(poll.ref, handle=told[0], choice="a", author=voter(name))
                voted[world].append((told, done.is_a_candidate, done.choice))

    left, right = voted
    assert [one[0] for one in left] == [one[0] for one in right]
    # And yet the votes mean the opposite.
    assert [one[1] for one in left] == [not one[1] for one in right]
    assert {one[2] for one in left} == {"candidate", "stable"}


def features(told: tuple[str, bytes, bytes, bytes]) -> np.ndarray[Any, Any]:
    """Every bit that could tell: of the pair's name, of the answer, of sizes and heads of files."""
    handle, answer, a, b = told
    sizes = struct.pack(">II", len(a), len(b))
    both = bytes.fromhex(handle) + answer[-64:].rjust(64, b"\0") + a[:48] + b[:48] + sizes
    return np.unpackbits(np.frombuffer(both, dtype=np.uint8)).astype(float)


def strongest(rows: list[np.ndarray[Any, Any]], is_a: list[bool]) -> tuple[float, int]:
    """The largest correlation of any bit with the side, in standard errors, and how many bits."""
    table, side = np.array(rows), np.array(is_a, dtype=float)
    table = table[:, table.std(axis=0) > 0]
    table = (table - table.mean(axis=0)) / table.std(axis=0)
    side = (side - side.mean()) / side.std()
    return float(np.abs(table.T @ side).max() / np.sqrt(len(side))), table.shape[1]


def gathered(poll: Poll, *, people: int) -> tuple[list[Any], list[bool]]:
    """What many voters are told of all pairs, and which side the release really drew."""
    drawn, told, is_a = truth(poll.report), [], []
    for number in range(people):
        votes, name = poll.votes(), f"voter {number}"
        for _ in pairs_of(poll.report):
            one = poll.told(name, votes=votes)
            told.append(one)
            is_a.append(drawn[pixels(one[2])])
            votes.vote(poll.ref, handle=one[0], choice="tie", author=voter(name))
    return told, is_a


def test_no_bit_tells_the_side(tmp_path: Path) -> None:
    """Over hundreds of pairs and voters nothing correlates more than the luck of so many bits."""
    told, is_a = gathered(Poll(tmp_path / "poll", cells=96), people=4)
    rows = [features(one) for one in told]
    count = len(is_a)

    found, bits = strongest(rows, is_a)
    leaking = [np.append(row, float(side)) for row, side in zip(rows, is_a, strict=True)]
    slightly = [
        np.append(row, float(side if n % 3 else n % 2))
        for n, (row, side) in enumerate(zip(rows, is_a, strict=True))
    ]

    # Five standard errors: of a thousand fair bits none is that far out, once in a thousand runs.
    assert (count, bits > 200) == (4 * 96, True)
    assert abs(np.mean(is_a) - 0.5) < 5 * 0.5 / np.sqrt(count)
    assert found < 5
    # The test sees a bit that tells the side, and one that tells it two times in three.
    assert strongest(leaking, is_a)[0] > 5
    assert strongest(slightly, is_a)[0] > 5


def test_pictures_are_pixels_alone(poll: Poll) -> None:
    """No text, no name, no digest; the same picture all the same."""
    drawn = truth(poll.report)
    kept = {noise(n, drawn_by=name) for n in range(32) for name in ("one", "other")}
    filed = poll.registry.state.find(poll.ref).health.evidence[0].document
    known = (*poll.report.pictures, poll.before.digest, filed)
    secrets = [one.hex.encode()[:12] for one in known]

    for number in range(3):
        _, answer, a, b = poll.told(f"voter {number}")
        assert {pixels(a), pixels(b)} <= set(drawn)
        assert drawn[pixels(a)] is not drawn[pixels(b)]
        for png in (a, b):
            assert png not in kept
            assert chunks_of(png) == [b"IHDR", b"IDAT", b"IEND"]
            assert b"drawn by" not in png
        assert not any(one in told for one in secrets for told in (answer, a, b))


def chunks_of(png: bytes) -> list[bytes]:
    """The chunks of a PNG, each kind once."""
    found, start = [], 8
    while start < len(png):
        (length,) = struct.unpack_from(">I", png, start)
        kind = png[start + 4 : start + 8]
        found += [kind] if kind not in found else []
        start += 12 + length
    return found


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
    before = votes.sums(state.find(poll.ref))
    file_report(poll.registry, poll.release, against=poll.before, cells=16, outcome="kept")
    edited = votes.sums(poll.registry.state.find(poll.ref))
    file_report(poll.registry, poll.release, against=poll.before, cells=8, first=100)
    anew = votes.sums(poll.registry.state.find(poll.ref))

    assert (before.total(), before["tie"]) == (4, 2)
    assert edited == before
    assert anew.total() == votes.sums(poll.before).total() == 0


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


def test_another_request_id_is_no_oracle(poll: Poll) -> None:
    """Whether an accomplice's vote under that id says the same as mine would tell my sides."""
    votes, pairs = poll.votes(), pairs_of(poll.report)
    for number, _ in enumerate(pairs):
        friend = voter("friend")
        handle = votes.next_turn(poll.ref, author=friend).handle
        author = type(friend)(actor="friend", reason="looked", request_id=f"id {number}")
        done = votes.vote(poll.ref, handle=handle, choice="a", author=author)
        mine = Registry.open(poll.registry.url)
        sides = Blindfold(mine).sides_for("bob")
        stored = mine.state.find(poll.ref).health.votes[-1]
        pair = next(one for one in pairs if one.name == stored.pair)
        asks = type(friend)(actor="bob", reason="looked", request_id=f"id {number}")
        found = {
            reason_of(votes.vote, poll.ref, handle=sides.handle(pair), choice=choice, author=asks)
            for choice in ("a", "b", "tie")
        }
        assert (done.voted, found) == (number + 1, {"REQUEST_ID_REUSED"})


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


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("is_damaged", [True, False])
def test_lost_picture_is_nobodys(poll: Poll, is_first: bool, is_damaged: bool) -> None:
    """Both sides fail in the same words, whichever is lost, and the pair is passed over."""
    handle, *_ = poll.told("bob")
    sides = Blindfold(poll.registry).sides_for("bob")
    pair = sides.find(pairs_of(poll.report), handle)
    assert pair is not None
    gone = sides.shown(pair)[0 if is_first else 1]
    key = f"blob/sha256/{gone.hex[:2]}/{gone.hex[2:]}"
    poll.registry.store.delete(key)
    if is_damaged:
        poll.registry.store.create(key, body=b"not a picture")

    votes, told = poll.votes(), []
    for side in "ab":
        with pytest.raises(RegistryError) as refused:
            votes.picture(poll.ref, handle=handle, side=side, author=voter("bob"))
        told.append((refused.value.reason, str(refused.value), refused.value.hint))
    turn = votes.next_turn(poll.ref, author=voter("bob"))

    assert told[0] == told[1]
    assert told[0][0] == "BLOB_NOT_FOUND"
    assert gone.hex[:12] not in str(told)
    assert turn.handle not in ("", handle)


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
