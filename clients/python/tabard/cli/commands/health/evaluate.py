# SPDX-License-Identifier: Apache-2.0
"""`tabard evaluate`: a release and a grid go in, scores with intervals and a verdict come out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tabard.calls.acts import DEFAULT_CHANNEL
from tabard.cli import completion
from tabard.cli.layout import Text
from tabard.cli.output import fields, short, table
from tabard.cli.session import Session, with_session
from tabard.health.evaluation import (
    PERSON_DECIDES,
    Evaluation,
    EvaluationProgress,
    EvaluationResult,
    EvaluationStarted,
    Score,
)

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_STYLES = {"success": "bold green", "failed": "bold red", "inconclusive": "bold yellow"}
_SOURCES = {
    "request": "those that you sent",
    "published": "those that were published beside it or beside a release before it",
    "against": "what the release that it would replace draws on this grid",
}


@click.command()
@click.argument("ref", metavar="REF[:WEIGHT]", shell_complete=completion.refs)
@click.option(
    "--against",
    metavar="REF",
    default="",
    shell_complete=completion.refs,
    help="What it would replace; default what the channel points to, else the base alone.",
)
@click.option(
    "--channel",
    default=DEFAULT_CHANNEL,
    show_default=True,
    shell_complete=completion.channels,
    help="The channel that it is judged for: what its policy asks for counts.",
)
@click.option(
    "--grid",
    metavar="NAME|FILE",
    default="",
    help="Which prompts and seeds: a name, or a .json file; default by the release's purpose.",
)
@click.option(
    "--references",
    type=_FOLDER,
    metavar="DIR",
    help="Pictures of what it shall look like, 4 or more; default those that were published.",
)
@click.option(
    "--training",
    type=_FOLDER,
    metavar="DIR",
    help="Pictures it was trained on, to see whether it copies; default those that were published.",
)
@click.option("--reason", metavar="TEXT", default="", help="Why, for the record.")
@with_session
def evaluate(
    session: Session,
    *,
    ref: str,
    against: str,
    channel: str,
    grid: str,
    references: Path | None,
    training: Path | None,
    reason: str,
) -> None:
    """Draw a release beside what it would replace, and judge it.

    Every prompt and seed of a grid is drawn by the release, by what it would replace and by the
    base alone, behind everybody else's images. Asked again, an evaluation that was cut off goes on
    where it was, and one that was judged is the same report. Scores inform; a person decides.

    \b
    tabard evaluate acme/watercolor@1.1.0
    tabard evaluate acme/watercolor@1.1.0:0.8 --references pictures/
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    with session.connect() as client:
        evaluation = client.evaluate(
            ref,
            against=against,
            channel=channel,
            grid=grid,
            references=references or (),
            training=training or (),
            reason=reason,
        )
        result = _follow(session, evaluation)
    session.output.answer(_document(result), *_text(result))


def _follow(session: Session, evaluation: Evaluation) -> EvaluationResult:
    with session.output.progress("drawing", total=1) as bar:
        for event in evaluation:
            if isinstance(event, EvaluationStarted):
                session.output.detail(f"{event.cell_count} cells of the grid {event.grid}")
            elif isinstance(event, EvaluationProgress):
                bar.describe(event.phase)
                bar.set(event.done, total=event.total)
    return evaluation.result()


def _document(result: EvaluationResult) -> dict[str, Any]:
    return {
        "evaluation": result.started,
        "scores": result.scores,
        "verdict": result.verdict,
        "reasons": result.reasons,
        "report": result.report,
        "report_digest": result.report_digest,
        "created": result.created,
        "remark": PERSON_DECIDES,
    }


def _text(result: EvaluationResult) -> list[Any]:
    started = result.started
    weight = "" if started.weight == 1 else f" at {started.weight:g}"
    facts = {
        "against": started.against_version or "the base alone",
        "grid": f"{started.grid}, {started.prompt_count} prompts x {started.seed_count} seeds",
        "references": _SOURCES.get(started.reference_source, ""),
        "judged for": _judged_for(started),
        "report": f"{short(result.report_digest)}{'' if result.created else ', filed before'}",
    }
    rows = [(one.name, *_numbers(one), one.reason) for one in result.scores]
    return [
        Text(f"{started.adapter} {started.version}{weight}", style="bold"),
        fields(facts),
        table("score", "value", "interval", "baseline", "difference", "means", rows=rows),
        Text.assemble("verdict: ", (result.verdict.capitalize(), _STYLES.get(result.verdict, ""))),
        *(f"  {reason}" for reason in result.reasons),
        PERSON_DECIDES,
    ]


def _judged_for(started: EvaluationStarted) -> str:
    bounds = ", ".join(f"{name} {bound:g}" for name, bound in started.bounds.items())
    return f"@{started.channel}" + (f", which asks for {bounds}" if bounds else "")


def _numbers(score: Score) -> tuple[str, str, str, str]:
    if not score.is_measured:
        return "not checked", "", "", ""
    if score.of is not None:
        return (
            f"{score.value:.0f} of {score.of}",
            _interval(score.low, score.high, digits=0),
            "",
            "",
        )
    return (
        _number(score.value),
        _interval(score.low, score.high),
        _number(score.baseline),
        _interval(score.paired_low, score.paired_high),
    )


def _interval(low: float | None, high: float | None, *, digits: int = 2) -> str:
    if low is None or high is None:
        return ""
    return f"{_number(low, digits=digits)} to {_number(high, digits=digits)}"


def _number(value: float | None, *, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"
