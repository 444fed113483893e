# SPDX-License-Identifier: Apache-2.0
"""What `demo --release-health` leaves behind: a sheet with the scores on it, and summary.json."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from tabard.cli.contact_sheet import SheetRow, contact_sheet, sheet_png
from tabard.cli.demo import folder as names
from tabard.cli.demo.health_story import MEASURED, OVERRIDE, HealthTold, told_canary, told_score
from tabard.cli.output import to_json
from tabard.health.evaluation import PERSON_DECIDES

_TITLE = "Tabard: a bad release, caught by evidence and taken back by its canary"
_LABELS = {"base": "base", "against": "in service", "candidate": "its successor"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthProof:
    """What held.

    Attributes:
        evaluation_failed: The successor was found out before anybody saw it.
        gate_refused: It could not be promoted as if it were good.
        canary_rolled_back: It was taken back without anybody's hand.
        rollback_identical: Files afterwards equal those before, byte for byte.
    """

    evaluation_failed: bool
    gate_refused: bool
    canary_rolled_back: bool
    rollback_identical: bool

    @property
    def failures(self) -> tuple[str, ...]:
        """What did not hold, as sentences."""
        told = {
            "the bad successor was not found out": self.evaluation_failed,
            "the bad successor could be promoted without an override": self.gate_refused,
            "the canary did not take the bad successor back": self.canary_rolled_back,
            "the images after the rollback differ from those before": self.rollback_identical,
        }
        return tuple(sentence for sentence, held in told.items() if not held)


def prove_health(told: HealthTold) -> HealthProof:
    """Look at what happened."""
    return HealthProof(
        evaluation_failed=told.evaluation.verdict == "failed",
        gate_refused=bool(told.refused),
        canary_rolled_back=told.canary.verdict == "rolled_back",
        rollback_identical=[one.content for one in told.before]
        == [one.content for one in told.after],
    )


def write_health(
    told: HealthTold, *, proof: HealthProof, seconds: dict[str, float], folder: Path
) -> dict[str, Any]:
    """Write the sheet and the summary; give the summary."""
    (folder / names.SHEET).write_bytes(sheet_png(_sheet(told)))
    evaluation = told.evaluation
    summary = {
        **asdict(proof),
        "failures": list(proof.failures),
        "tabard": told.status.version,
        "evaluation": {
            "adapter": evaluation.started.adapter,
            "version": evaluation.started.version,
            "against": evaluation.started.against_version,
            "grid": evaluation.started.grid,
            "cells": evaluation.started.cell_count,
            "verdict": evaluation.verdict,
            "reasons": list(evaluation.reasons),
            "scores": [asdict(score) for score in evaluation.scores],
            "report": evaluation.report_digest,
        },
        "refused": told.refused,
        "override": OVERRIDE,
        "canary": asdict(told.canary),
        "record": {"seq": told.record.seq, "time": told.record.time, "actor": told.record.actor},
        "calls": told.calls,
        "seconds": {**told.seconds, **seconds},
        "remark": PERSON_DECIDES,
    }
    (folder / names.SUMMARY).write_text(to_json(summary) + "\n", encoding="utf-8")
    return summary


def _sheet(told: HealthTold) -> Image.Image:
    shown = {prompt: place for place, prompt in enumerate(told.prompts)}
    seed = min(cell.seed for cell in told.evaluation.cells)
    cells = sorted(
        (one for one in told.evaluation.cells if one.prompt in shown and one.seed == seed),
        key=lambda cell: shown[cell.prompt],
    )
    rows = []
    for side, label in _LABELS.items():
        pictures = [one for cell in cells for one in cell.pictures if one.side == side]
        images = tuple(Image.open(io.BytesIO(one.png)) for one in pictures if one.png)
        rows.append(
            SheetRow(label=_label(told, side, label), note=_note(told, side), images=images)
        )
    after = SheetRow(
        label="after the rollback",
        note=told_canary(told.canary),
        images=tuple(image.pil for image in told.after),
    )
    return contact_sheet([*rows, after], title=_TITLE, caption=_caption(told))


def _label(told: HealthTold, side: str, label: str) -> str:
    versions = {
        "against": told.evaluation.started.against_version,
        "candidate": told.evaluation.started.version,
    }
    return f"{versions[side]}, {label}" if side in versions else label


def _note(told: HealthTold, side: str) -> str:
    if side != "candidate":
        return {"base": "no adapter", "against": "what people see"}[side]
    verdict = told.evaluation.verdict.capitalize()
    return f"{verdict}: " + ", ".join(_short(told, name) for name in MEASURED)


def _short(told: HealthTold, name: str) -> str:
    score = next(one for one in told.evaluation.scores if one.name == name)
    if score.value is None:
        return f"{name} not checked"
    if score.of is not None:
        return f"{score.value:.0f} of {score.of} pictures {name}"
    return f"{name} {score.value:.2f}"


def _missed(told: HealthTold) -> str:
    """Say which bounds it failed by: not every figure on the sheet is a bad one."""
    ends = ": missed"
    names = [one.split(":")[0] for one in told.evaluation.reasons if one.endswith(ends)]
    listed = ", ".join(name.replace("_", " ") for name in names)
    return f"Bounds that it missed: {listed}. " if names else ""


def _caption(told: HealthTold) -> str:
    scores = "; ".join(told_score(told.evaluation, name) for name in MEASURED)
    return (
        f"{told.evaluation.started.version} was drawn beside what it would replace, on "
        f"{told.evaluation.started.prompt_count} prompts with {told.evaluation.started.seed_count} "
        f"seeds each, and judged: "
        f"{told.evaluation.verdict}. {scores}. {_missed(told)}The channel refused "
        "it; it was promoted with an override all the same. "
        f"While callers drew {told.calls} images its canary took it back: "
        f"{told_canary(told.canary)} (record {told.record.seq}, by {told.record.actor}). "
        f"{PERSON_DECIDES}"
    )
