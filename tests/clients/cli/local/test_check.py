# SPDX-License-Identifier: Apache-2.0
"""The intake runs in this process, against a base that is read here."""

import sys
from dataclasses import asdict, fields
from pathlib import Path

import pytest

from tabard.cli.local.check import LocalCheck
from tabard.releases.report import CheckReport, Coverage
from tests.clients.cli.conftest import Tabard
from tests.registry.fakes import kohya_tensors, sd_profile, write


def test_local_check_needs_no_server(tabard: Tabard, engine: None, refused_file: Path) -> None:
    """The intake runs here, and its report is the same kind of answer."""
    ran = tabard("check", refused_file, "--base", "demo", "--address", "127.0.0.1:1", "--json")

    assert ran.code == 4
    assert not ran.document["accepted"]
    assert ran.document["problems"][0]["remedy"]


def test_local_check_names_bad_base(tabard: Tabard, engine: None, refused_file: Path) -> None:
    """The engine's reason and hint reach the user."""
    ran = tabard("check", refused_file, "--base", "nowhere")

    assert ran.code == 4
    assert "reason: BASE_NOT_LOADABLE" in ran.err
    assert "hint: give `demo`, a diffusers folder" in ran.err


def test_report_is_the_sdks_own(engine: None, tmp_path: Path) -> None:
    """Everything that the intake says of a file is in it, in the SDK's types."""
    file = write(tmp_path / "ink.safetensors", kohya_tensors(sd_profile(), seed=1))

    checks = LocalCheck("demo")
    report = checks.report([file], trigger_words=["inkwash"])

    own = checks.checked([file], trigger_words=["inkwash"]).report
    assert isinstance(report, CheckReport)
    for field in fields(report):
        told, known = getattr(report, field.name), getattr(own, field.name)
        if field.name in ("problems", "coverage"):
            told, known = list(map(asdict, told)), list(map(asdict, known))
        assert told == known, field.name
    assert (report.accepted, report.trigger_words) == (True, ("inkwash",))
    assert all(isinstance(part, Coverage) for part in report.coverage)


def test_missing_extra_is_named(
    tabard: Tabard, refused_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A base install says what to install, and writes nothing."""
    monkeypatch.setitem(sys.modules, "tabard_server.engine.base.profile", None)

    ran = tabard("check", refused_file, "--base", "demo")

    assert ran.code == 5
    assert "hint: pip install 'tabard[server]'" in ran.err
