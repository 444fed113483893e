# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tabard_registry import Registry, sha256_bytes
from tabard_registry.errors import PreconditionFailed
from tabard_registry.evidence.documents import digest_of
from tabard_registry.evidence.editing import edited
from tabard_registry.evidence.report import Check, Goal, Score
from tests.registry.evidence.reports import report_on
from tests.registry.fakes import publish


def test_people_complete(registry: Registry, tmp_path: Path) -> None:
    """Who changed a check is written there, whatever the edit says of it."""
    original = report_on(
        publish(registry, "1.0.0", folder=tmp_path).release,
        verdict="Failed",
        checks={"artifact": Check(state="flagged", by="eve")},
    )
    chosen = (replace(original.candidates[0], selected=True), *original.candidates[1:])
    checks = {**original.checks, "portrait": Check(state="clear", by="somebody else")}
    wanted = replace(original, goal=Goal(statement="ink"), candidates=chosen, checks=checks)

    found = edited(original, wanted, digest=digest_of(original), by="bob")

    assert found.edited_from == digest_of(original)
    assert (found.checks["artifact"].by, found.checks["portrait"].by) == ("eve", "bob")
    assert found.candidates[0].selected


@pytest.mark.parametrize(
    "fields",
    [
        {"verdict": "Success"},
        {"scores": (Score(name="style", state="measured", value=1.0),)},
        {"grid": sha256_bytes(b"easier")},
        {"reasons": ()},
        {"candidates": ()},
    ],
)
def test_measured_stays(registry: Registry, tmp_path: Path, fields: dict[str, Any]) -> None:
    """Nobody makes a Success of a failure by an edit."""
    release = publish(registry, "1.0.0", folder=tmp_path).release
    original = report_on(release, verdict="Failed", reasons=("style lost",))

    with pytest.raises(PreconditionFailed) as refused:
        edited(original, replace(original, **fields), digest=digest_of(original), by="bob")

    assert refused.value.reason == "EDIT_OF_MEASUREMENT"
