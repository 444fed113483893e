# SPDX-License-Identifier: Apache-2.0
"""Between evaluation messages and what the server is asked and tells."""

from collections.abc import Iterator
from dataclasses import asdict

from tabard.v1 import evaluation_service_pb2 as pb
from tabard_registry.identity.identity import Identity
from tabard_registry.refs.digest import sha256_bytes
from tabard_server.callers.caller import Caller
from tabard_server.evaluation.cells import Side
from tabard_server.evaluation.drawer import Asker, Picture
from tabard_server.evaluation.events import (
    CellDrawn,
    EvaluationEvent,
    Judged,
    Progress,
    Started,
    Wish,
)
from tabard_server.publishing.author import author_of
from tabard_server.rpc.identity.messages import write_bounds


def read_wish(request: pb.EvaluateRequest, *, caller: Caller, identity: Identity) -> Wish:
    """Read an evaluate request.

    Raises:
        InvalidRequest: A word about its author cannot be taken.
    """
    return Wish(
        ref=request.ref,
        against=request.against,
        channel=request.channel,
        grid=request.grid,
        grid_document=request.grid_document,
        references=tuple(request.references),
        training=tuple(request.training),
        asker=Asker(caller=caller, identity=identity),
        author=author_of(request.actor, reason=request.reason, request_id="", identity=identity),
    )


def write_event(event: EvaluationEvent, *, with_pictures: bool) -> Iterator[pb.EvaluateResponse]:
    """Write one event of an evaluation; the last one is two messages, scores and verdict."""
    match event:
        case Started():
            yield pb.EvaluateResponse(started=_started(event))
        case Progress(phase=phase, done=done, total=total):
            progress = pb.EvaluationProgress(phase=phase, done=done, total=total)
            yield pb.EvaluateResponse(progress=progress)
        case CellDrawn():
            yield pb.EvaluateResponse(cell=_cell(event, with_pictures=with_pictures))
        case Judged():
            scores = [pb.Score(**asdict(one)) for one in event.scores]
            yield pb.EvaluateResponse(scores=pb.EvaluationScores(scores=scores))
            verdict = pb.EvaluationVerdict(
                verdict=f"VERDICT_{event.verdict.upper()}",
                reasons=event.reasons,
                report_digest=event.report_digest,
                report=event.report,
                created=event.created,
            )
            yield pb.EvaluateResponse(verdict=verdict)


def _started(event: Started) -> pb.EvaluationStarted:
    against = event.against
    return pb.EvaluationStarted(
        adapter=str(event.release.adapter),
        version=str(event.release.version),
        digest=str(event.release.digest),
        weight=event.weight,
        against_version="" if against is None else str(against.version),
        against_digest="" if against is None else str(against.digest),
        grid=event.grid,
        grid_digest=event.grid_digest,
        cell_count=event.prompt_count * event.seed_count,
        reference_source=f"REFERENCE_SOURCE_{event.source.upper()}",
        reference_count=event.reference_count,
        channel=event.channel,
        bounds=write_bounds(event.asked),
        prompt_count=event.prompt_count,
        seed_count=event.seed_count,
    )


def _cell(event: CellDrawn, *, with_pictures: bool) -> pb.EvaluationCell:
    cell = event.cell
    return pb.EvaluationCell(
        prompt_index=cell.prompt,
        prompt=cell.pictures[Side.CANDIDATE].wanted.prompt,
        seed=cell.seed,
        pictures=[
            _picture(side, one, with_pictures=with_pictures) for side, one in event.pictures.items()
        ],
    )


def _picture(side: Side, picture: Picture, *, with_pictures: bool) -> pb.EvaluationPicture:
    png = picture.png or b""
    return pb.EvaluationPicture(
        side=side,
        digest=str(sha256_bytes(png)) if png else "",
        was_kept=picture.was_kept,
        png=png if with_pictures else b"",
    )
