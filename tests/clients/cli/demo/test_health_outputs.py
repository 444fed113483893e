# SPDX-License-Identifier: Apache-2.0
"""What the demo of release health leaves, and when it says that it did not hold."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from tabard.cli.demo import health_outputs
from tabard.cli.demo.health_outputs import prove_health, write_health
from tabard.pictures.png_text import SHEET_KEYWORD
from tests.clients.cli.demo.told_health import png, told_health


def test_good_story_is_kept(tmp_path: Path) -> None:
    """The sheet has a row for each side and one for what came back; the summary has the figures."""
    told = told_health()

    summary = write_health(told, proof=prove_health(told), seconds={"total": 1.0}, folder=tmp_path)

    assert json.loads((tmp_path / "summary.json").read_text()) == json.loads(json.dumps(summary))
    assert (summary["failures"], summary["canary"]["e_value"]) == ([], 112.0)
    assert summary["evaluation"]["scores"][1]["value"] == 0.1
    with Image.open(tmp_path / "contact-sheet.png") as sheet:
        assert sheet.height > 4 * 128
        assert SHEET_KEYWORD in sheet.info


def test_sheet_says_by_which_bounds_it_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not every figure on it is a bad one: a style may hold while its pictures are broken."""
    captions: list[str] = []
    draw = health_outputs.contact_sheet

    def listen(*rows: Any, caption: str, **said: Any) -> Image.Image:
        captions.append(caption)
        return draw(*rows, caption=caption, **said)

    monkeypatch.setattr(health_outputs, "contact_sheet", listen)
    good = told_health()
    reasons = ("style: 0.8: holds", "drift_against_stable: 5.7: missed", "broken: 12: missed")
    told = replace(good, evaluation=replace(good.evaluation, reasons=reasons))

    write_health(told, proof=prove_health(told), seconds={"total": 1.0}, folder=tmp_path)

    assert "Bounds that it missed: drift against stable, broken." in captions[0]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"refused": ""}, "without an override"),
        ({"after": (SimpleNamespace(content=png("blue")),)}, "differ from those before"),
        (
            {"evaluation": replace(told_health().evaluation, verdict="inconclusive")},
            "not found out",
        ),
        (
            {"canary": replace(told_health().canary, verdict="success")},
            "did not take the bad successor back",
        ),
    ],
)
def test_every_claim_can_fail(changes: dict[str, Any], fault: str) -> None:
    """Each alone, by its sentence."""
    failures = prove_health(told_health(**changes)).failures

    assert len(failures) == 1
    assert fault in failures[0]
