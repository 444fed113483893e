# SPDX-License-Identifier: Apache-2.0
"""Blind votes as an attacker sees them: nothing that is told before a vote says whose is whose."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tabard_registry import Registry
from tabard_registry.errors import RegistryError
from tabard_registry.evidence.pairs import pairs_of
from tabard_server.reviewing.blindfold import Blindfold
from tests.server.reviewing.blind_reports import noise, voter
from tests.server.reviewing.polls import Poll, pixels, reason_of, truth


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
    """No name, no digest; beside them that a model drew it, in the same bytes on either side."""
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
            assert chunks_of(png) == [b"IHDR", b"iTXt", b"IDAT", b"IEND"]
            assert png.partition(b"IDAT")[0][:-8] == a.partition(b"IDAT")[0][:-8]
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
