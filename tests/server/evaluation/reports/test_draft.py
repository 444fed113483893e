# SPDX-License-Identifier: Apache-2.0
"""The draft of a report: what was drawn, how, by what, and what only people know."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tabard_registry import Registry, sha256_bytes
from tabard_registry.evidence.documents import read_document, to_bytes
from tabard_registry.evidence.report import Report
from tabard_registry.release.bounds import Measurement
from tabard_server.evaluation.cells import Side
from tabard_server.evaluation.events import ReferenceSource
from tabard_server.evaluation.looks import Encoders
from tabard_server.evaluation.plan import Plan
from tabard_server.evaluation.reports.draft import draft_report
from tabard_server.evaluation.reports.findings import Findings
from tabard_server.judgement.verdict import GatePolicy
from tests.server.evaluation.wishes.planning import pinning_in, registry_with_a_line, wish

INPUTS = sha256_bytes(b"inputs")
BOUNDS = GatePolicy().bounds
FOUND = Findings(
    scores=(),
    prompts=(),
    checks={},
    verdict="Inconclusive",
    reasons=("why",),
    bounds={**BOUNDS, "style_min": 0.7},
    measurement=Measurement(figures={"style": (0.6, 0.8)}, bounds=BOUNDS),
)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """Open a registry with a line of two releases."""
    with registry_with_a_line(tmp_path) as found:
        yield found


@pytest.fixture
def plan(registry: Registry) -> Plan:
    """Pin the newer one against the one in service."""
    return pinning_in(registry).pin(wish("acme/ink@1.1.0:0.8"))


def draft(registry: Registry, plan: Plan) -> Report:
    """Draft a report of every cell, but for one picture that became NaN."""
    drawn = {
        (cell.prompt, cell.seed): {
            side: sha256_bytes(f"{side} {cell.prompt} {cell.seed}".encode())
            for side in cell.pictures
            if (side, cell.prompt, cell.seed) != (Side.CANDIDATE, 0, 11)
        }
        for cell in plan.cells
    }
    return draft_report(
        plan,
        FOUND,
        inputs=INPUTS,
        drawn=drawn,
        manifest=registry.manifest(plan.candidate.release.digest),
        encoders=Encoders(),
    )


def test_draft_is_a_document(registry: Registry, plan: Plan) -> None:
    """It says what it rests on, and reads back as it was."""
    report = draft(registry, plan)

    assert read_document(to_bytes(report)) == report
    assert (report.inputs, report.verdict, report.edited_from) == (INPUTS, "Inconclusive", None)
    assert report.against is not None
    assert str(report.against.version) == "1.0.0"
    assert report.reasons[0] == "why"
    assert report.outcome == ""


def test_pictures_are_of_both_releases(registry: Registry, plan: Plan) -> None:
    """Prompt by prompt; what could not be drawn is missing on its own side only."""
    report = draft(registry, plan)

    assert len(report.candidates) + 1 == len(report.baseline) == 20 * 4
    assert (report.candidates[0].prompt, report.candidates[0].seed) == (0, 23)
    assert (report.baseline[0].prompt, report.baseline[0].seed) == (0, 11)
    assert not any(one.selected for one in report.candidates)


def test_technical_note_says_how(registry: Registry, plan: Plan) -> None:
    """Steps, latents, layers, weight, place and libraries; and how it is worn."""
    note = draft(registry, plan).technical

    assert (note.steps, note.latent_size, note.sampler) == (4, (8, 8), "ddim")
    assert (note.kind, note.rank, note.mode, note.weight) == ("lora", 4, "rows", 0.8)
    assert (note.layers.targets, note.layers.cross_attention) == (1, 0)
    assert (note.hardware, note.dtype, dict(note.libraries)) == ("cpu", "float32", {"fake": "1.0"})


def test_prompt_record_names_its_reference(registry: Registry, plan: Plan) -> None:
    """The picture of what is in service, where that is what it is compared with."""
    for source, expected in (
        (ReferenceSource.AGAINST, sha256_bytes(b"against 3 11")),
        (ReferenceSource.PUBLISHED, None),
    ):
        note = draft(registry, replace(plan, source=source)).prompt_record[3]

        assert (note.reference, note.seed, note.version) == (expected, 11, "1.1.0")
        assert note.model.startswith("sd1 sha256:")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("lora", "A LoRA"),
        ("textual_inversion", "A textual inversion"),
        ("dreambooth", "DreamBooth"),
        ("recipe", "A recipe"),
    ],
)
def test_why_this_method_is_drafted(registry: Registry, plan: Plan, kind: str, words: str) -> None:
    """For every kind; a person completes it."""
    release = replace(plan.candidate.release, kind=kind, notes="a style of ink")
    other = replace(plan, candidate=replace(plan.candidate, release=release))

    goal = draft_report(
        other,
        FOUND,
        inputs=INPUTS,
        drawn={(0, 11): {}, **{(n, 11): {} for n in range(20)}},
        manifest=registry.manifest(plan.candidate.release.digest),
        encoders=Encoders(),
    ).goal

    assert goal.why_this_method.startswith(words)
    assert goal.statement == "a style of ink"
