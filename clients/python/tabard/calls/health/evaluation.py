# SPDX-License-Identifier: Apache-2.0
"""The verb that judges a release: evaluate."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabard.calls.acts import DEFAULT_CHANNEL
from tabard.calls.call import Call, Caller
from tabard.calls.health.grid_drawing import is_grid_file
from tabard.calls.health.grids import GRID_BYTES_MAX
from tabard.calls.identity import read_bounds
from tabard.calls.local_files import first_bytes
from tabard.convert import same_fields
from tabard.errors import FieldViolation, InvalidArgument
from tabard.health.evaluation import (
    AsyncEvaluation,
    Evaluation,
    EvaluationCell,
    EvaluationEvent,
    EvaluationPicture,
    EvaluationProgress,
    EvaluationScores,
    EvaluationStarted,
    EvaluationVerdict,
    Score,
)
from tabard.pictures.folders import picture_sources
from tabard.pictures.sources import PictureSource, read_picture
from tabard.v1 import evaluation_service_pb2 as pb

_NUMBERS = ("value", "low", "high", "baseline", "paired_low", "paired_high", "of")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A call whose messages are the events of one evaluation."""

    call: Call[EvaluationEvent]

    def followed(self, events: Generator[EvaluationEvent, None, None]) -> Evaluation:
        """Give what a caller holds of events that come one by one."""
        return Evaluation(events)

    def followed_async(self, events: AsyncGenerator[EvaluationEvent, None]) -> AsyncEvaluation:
        """Give the same for asyncio."""
        return AsyncEvaluation(events)


PICTURES_MAX = 1_024
"""Most pictures that are read to be sent with an evaluation; servers take less."""


def evaluate(
    caller: Caller,
    ref: str,
    *,
    against: str = "",
    channel: str = DEFAULT_CHANNEL,
    grid: str | Path = "",
    references: str | Path | Sequence[PictureSource] = (),
    training: str | Path | Sequence[PictureSource] = (),
    pictures: bool = False,
    reason: str = "",
    timeout_seconds: float | None = None,
) -> Ask:
    """Draw a release beside what it would replace, and judge it. Scores inform; a person decides.

    What is given back can be iterated over, event by event, and asked for its `result()`. All is
    drawn behind everybody else, and kept: asked again, an evaluation that was cut off goes on.

    Args:
        caller: Filled in by the client.
        ref: The release, with a weight or without.
        against: What it would replace; left out, what the channel points to, else what `stable`
            does, if that is another release; else the base alone.
        channel: The channel that it is judged for: bounds that its policy asks for count before
            those of the server.
        grid: Name of a grid, or path of its JSON document; left out, the one for the release's
            purpose.
        references: What it shall look like: a folder of pictures (without contact sheets that
            Tabard drew into it), or pictures, 4 at least. Left out: those that were published;
            else what the release that it would replace draws.
        training: What it was trained on, likewise, to see whether it copies; left out: those that
            were published, else that is not checked.
        pictures: Whether cells bring their pictures.
        reason: Why, for the record.
        timeout_seconds: Deadline; none when left out.

    Raises:
        InvalidArgument: A picture or the grid cannot be read, or there are too few.
        NotFound: No such release, or no such grid.
        FailedPrecondition: There is nothing to compare with, or the release is withdrawn.
    """
    is_file = is_grid_file(grid)
    request = pb.EvaluateRequest(
        ref=ref,
        against=against,
        channel=channel,
        grid="" if is_file else str(grid),
        grid_document=_document(Path(grid)) if is_file else b"",
        references=_pictures(references, name="references"),
        training=_pictures(training, name="training"),
        with_pictures=pictures,
        actor=caller.actor,
        reason=reason,
    )
    call = Call(
        request=request, read=read_event, knows=knows_event, timeout_seconds=timeout_seconds
    )
    return Ask(call=call)


def knows_event(message: pb.EvaluateResponse) -> bool:
    """Say whether the message holds an event this SDK knows; newer servers may send others."""
    return message.WhichOneof("event") is not None


def read_event(message: pb.EvaluateResponse) -> EvaluationEvent:
    """Give the typed event of one stream message that `knows_event`."""
    match message.WhichOneof("event"):
        case "started":
            bounds = read_bounds(message.started.bounds)
            return same_fields(EvaluationStarted, message.started, bounds=bounds)
        case "progress":
            return same_fields(EvaluationProgress, message.progress)
        case "cell":
            found = tuple(same_fields(EvaluationPicture, one) for one in message.cell.pictures)
            return same_fields(EvaluationCell, message.cell, pictures=found)
        case "scores":
            return EvaluationScores(scores=tuple(map(_read_score, message.scores.scores)))
        case _:
            text = message.verdict.report.decode("utf-8", "replace")
            return same_fields(EvaluationVerdict, message.verdict, report_json=text)


def _read_score(message: pb.Score) -> Score:
    said: dict[str, Any] = {name: None for name in _NUMBERS if not message.HasField(name)}
    return same_fields(Score, message, **said)


def _document(path: Path) -> bytes:
    try:
        content = first_bytes(path, bytes_max=GRID_BYTES_MAX)
    except OSError as error:
        raise _refused(
            "grid",
            f"the grid '{path}' cannot be read: {error.strerror or error}",
            reason="FILE_NOT_READABLE",
            hint="check the path",
        ) from error
    if not content:
        # An empty document says that the default grid is asked for.
        raise _refused(
            "grid",
            f"the grid '{path}' is empty",
            reason="GRID_EMPTY",
            hint="`tabard grid show style --json` writes one to begin with",
        )
    return content


def _pictures(said: str | Path | Sequence[PictureSource], *, name: str) -> list[bytes]:
    sources = picture_sources(said, name=name)
    if len(sources) > PICTURES_MAX:
        # All of them are read before one is sent; a server takes fewer.
        raise _refused(
            name,
            f"{len(sources)} pictures in {name}, at most {PICTURES_MAX} are read",
            reason="REFERENCES_TOO_MANY",
            hint="name a folder with fewer: some dozens tell how they vary",
        )
    return [read_picture(one, name=name) for _name, one in sources]


def _refused(name: str, message: str, *, reason: str, hint: str) -> InvalidArgument:
    violation = FieldViolation(field=name, description=message)
    return InvalidArgument(message, reason=reason, hint=hint, violations=(violation,))
