# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from tabard_registry import Registry
from tabard_registry.errors import InvalidField
from tabard_registry.evidence.report import Check, Score
from tests.registry.evidence.reports import report_on
from tests.registry.fakes import publish


def test_unknown_is_no_pass(registry: Registry, tmp_path: Path) -> None:
    """A check that nobody made is not checked; a score without a value is not measured."""
    release = publish(registry, "1.0.0", folder=tmp_path).release

    assert Check().state == "not_checked"
    with pytest.raises(InvalidField, match="'mood'"):
        report_on(release, checks={"mood": Check()})
    with pytest.raises(InvalidField, match="without a value"):
        Score(name="style", state="measured")
