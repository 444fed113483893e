# SPDX-License-Identifier: Apache-2.0
"""Evaluation messages and back."""

from dataclasses import replace

import pytest

from tabard.v1 import evaluation_service_pb2 as pb
from tabard_registry import sha256_bytes
from tabard_registry.evidence.grid import Grid, GridPrompt
from tabard_registry.identity.identity import ANYBODY, Proof
from tabard_server.callers.caller import Caller
from tabard_server.errors import InvalidRequest
from tabard_server.evaluation.cells import Side, Worn, cells_of
from tabard_server.evaluation.drawer import Picture
from tabard_server.evaluation.events import (
    CellDrawn,
    Judged,
    Phase,
    Progress,
    ReferenceSource,
    ScoreTold,
    Started,
)
from tabard_server.rpc.evaluation.messages import read_wish, write_event
from tests.server.releases import release

CALLER = Caller("somebody", tenant="acme")


def test_wish_is_read() -> None:
    """Every field of the request, and for whom it is drawn."""
    request = pb.EvaluateRequest(
        ref="acme/ink@1.1.0:0.5",
        against="acme/ink@1.0.0",
        grid="small",
        grid_document=b"{}",
        references=[b"a", b"b"],
        training=[b"c"],
        actor="ann",
        reason="why",
    )

    wish = read_wish(request, caller=CALLER, identity=ANYBODY)

    assert (wish.ref, wish.against, wish.grid) == (request.ref, request.against, "small")
    assert (wish.grid_document, wish.references, wish.training) == (b"{}", (b"a", b"b"), (b"c",))
    assert (wish.author.actor, wish.author.reason) == ("ann", "why")
    assert wish.asker.caller is CALLER


def test_known_author_is_who_they_showed() -> None:
    """What they say of themselves stands beside it; what is too long is refused."""
    known = replace(ANYBODY, name="ben", proof=Proof.TOKEN)

    wish = read_wish(pb.EvaluateRequest(ref="a/b", actor="ann"), caller=CALLER, identity=known)

    assert (wish.author.actor, wish.author.on_behalf_of) == ("ben", "ann")
    with pytest.raises(InvalidRequest):
        read_wish(pb.EvaluateRequest(ref="a/b", reason="x" * 9_000), caller=CALLER, identity=known)


def test_start_is_written() -> None:
    """With what it is against, and without."""
    started = Started(
        release=release(version="1.1.0"),
        weight=0.8,
        against=release(),
        grid="style",
        grid_digest="sha256:" + "d" * 64,
        prompt_count=20,
        seed_count=4,
        source=ReferenceSource.PUBLISHED,
        reference_count=5,
        channel="beta",
        asked={"style_min": 0.7},
    )

    (message,) = write_event(started, with_pictures=False)
    (alone,) = write_event(replace(started, against=None), with_pictures=False)

    assert message.started.against_version == "1.0.0"
    assert message.started.reference_source == pb.REFERENCE_SOURCE_PUBLISHED
    assert message.started.channel == "beta"
    assert (message.started.prompt_count, message.started.seed_count) == (20, 4)
    assert message.started.cell_count == 80
    assert [(one.name, one.value) for one in message.started.bounds] == [("style_min", 0.7)]
    assert (message.started.version, message.started.reference_count) == ("1.1.0", 5)
    assert (alone.started.against_version, alone.started.against_digest) == ("", "")


@pytest.mark.parametrize("with_pictures", [True, False])
def test_cell_is_written(with_pictures: bool) -> None:
    """Digests always, files where they were asked for, nothing of a picture that there is not."""
    grid = Grid(
        name="small",
        prompts=tuple(GridPrompt(text=f"prompt {n}") for n in range(12)),
        seeds=(7,),
        steps=2,
        width=64,
        height=64,
        guidance_scale=5.0,
    )
    sides = {Side.CANDIDATE: Worn(digest="sha256:" + "a" * 64), Side.BASE: Worn()}
    cell = cells_of(grid, sides=sides, sampler="ddim", origin="x")[2]
    pictures = {Side.CANDIDATE: Picture(png=None), Side.BASE: Picture(png=b"png", was_kept=True)}

    (message,) = write_event(CellDrawn(cell=cell, pictures=pictures), with_pictures=with_pictures)

    told = message.cell
    assert (told.prompt_index, told.prompt, told.seed) == (2, "prompt 2", 7)
    assert [one.side for one in told.pictures] == ["candidate", "base"]
    assert [one.digest for one in told.pictures] == ["", str(sha256_bytes(b"png"))]
    assert [one.png for one in told.pictures] == [b"", b"png" if with_pictures else b""]
    assert [one.was_kept for one in told.pictures] == [False, True]


def test_verdict_is_two_messages() -> None:
    """Scores, then what comes of them; a number that there is not is not said."""
    scores = (
        ScoreTold(name="style", is_measured=True, reason="", value=0.5, low=0.1, high=0.9),
        ScoreTold(name="subject", is_measured=False, reason="nobody sees it"),
    )
    judged = Judged(
        scores=scores,
        verdict="Inconclusive",
        reasons=("why",),
        report=b"{}",
        report_digest="sha256:" + "e" * 64,
        created=True,
    )

    told, last = write_event(judged, with_pictures=False)

    assert [one.HasField("value") for one in told.scores.scores] == [True, False]
    assert not told.scores.scores[0].HasField("baseline")
    assert last.verdict.verdict == pb.VERDICT_INCONCLUSIVE
    assert (list(last.verdict.reasons), last.verdict.report, last.verdict.created) == (
        ["why"],
        b"{}",
        True,
    )


def test_progress_is_written() -> None:
    """What is done of what, and which part of the work."""
    (message,) = write_event(Progress(phase=Phase.JUDGING, done=3, total=8), with_pictures=False)

    assert (message.progress.phase, message.progress.done, message.progress.total) == (
        "judging",
        3,
        8,
    )
