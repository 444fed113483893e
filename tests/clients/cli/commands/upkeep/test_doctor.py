# SPDX-License-Identifier: Apache-2.0
"""`tabard doctor`: a plain report, one JSON document, and an exit code that scripts can trust."""

import sys
from pathlib import Path

import pytest

import tabard_registry
from tabard_server.pickles import reader
from tests.clients.cli.conftest import Tabard


def test_sound_folder_exits_zero(tabard: Tabard, tmp_path: Path) -> None:
    """Every check is a line; the last one says what it means."""
    tabard_registry.Registry.open(str(tmp_path / "new"))

    ran = tabard("doctor", str(tmp_path / "new"))

    lines = ran.out.splitlines()
    assert (ran.code, ran.err) == (0, "")
    assert lines[0].startswith("ok    place: ")
    assert any(line.startswith("ok    racing create: 10 of 10 races") for line in lines)
    assert lines[-2].startswith("ok    pickles: read in a sealed process: ")
    assert lines[-1] == "fine: any number of servers may write here"


def test_nothing_is_made_where_nothing_is(tabard: Tabard, tmp_path: Path) -> None:
    """A mistyped address is told, and no folder of it stays."""
    ran = tabard("doctor", str(tmp_path / "mistyped" / "styles"))
    as_json = tabard("doctor", str(tmp_path / "mistyped" / "styles"), "--json")

    assert ran.code == 0
    assert ran.out.startswith("ok    place: there is nothing yet")
    assert "Check the address" in ran.out
    assert ran.out.splitlines()[-1].startswith("there is no registry yet; fine")
    assert as_json.document["is_vacant"]
    assert list(tmp_path.iterdir()) == []


def test_report_is_json_too(tabard: Tabard, tmp_path: Path) -> None:
    """The same checks for scripts."""
    ran = tabard("doctor", tmp_path.as_uri(), "--json")

    assert ran.code == 0
    assert (ran.document["verdict"], ran.document["is_safe"]) == ("ok", True)
    assert {check["name"] for check in ran.document["checks"]} >= {"place", "racing create"}


def test_machine_without_a_seal_is_warned_of(
    tabard: Tabard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server may run there; it will refuse pickles, and the doctor says why and what helps."""
    script = "printf 'unsealed\\nlibseccomp.so.2: it is not installed\\nInstall it.'"
    monkeypatch.setattr(reader, "_command", lambda _limits: ["/bin/sh", "-c", script])

    ran = tabard("doctor", tmp_path.as_uri())

    assert ran.code == 0
    assert "warn  pickles: pickles can run code, and the process" in ran.out
    assert "libseccomp.so.2: it is not installed\n      Install it." in ran.out
    assert ran.out.endswith("read the warnings\n")


def test_place_that_must_be_refused_exits_four(tabard: Tabard, tmp_path: Path) -> None:
    """What fails is named with its remedy, and nothing was written."""
    (tmp_path / "holiday.jpg").write_bytes(b"x")

    ran = tabard("doctor", str(tmp_path))

    assert ran.code == 4
    assert "fail  place: " in ran.out
    assert "holiday.jpg" in ran.out
    assert "Choose an empty place" in ran.out
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_unreachable_store_is_a_finding(tabard: Tabard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that nobody runs is reported, not thrown."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    ran = tabard("doctor", "s3://bucket/styles", "--json")

    assert ran.code == 4
    assert "127.0.0.1:1" in ran.document["checks"][-2]["detail"]
    assert "AWS_ENDPOINT_URL_S3" in ran.document["checks"][-2]["remedy"]


def test_unreadable_address_is_told(tabard: Tabard) -> None:
    """An address without a store is an error with a hint."""
    ran = tabard("doctor", "ftp://somewhere")

    assert ran.code == 4
    assert "reason: UNSUPPORTED_STORE" in ran.err
    assert "s3://bucket/path" in ran.err


def test_missing_boto3_is_named(tabard: Tabard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, the error says what to install."""
    for name in [name for name in sys.modules if name.startswith("tabard_registry.store.s3")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "boto3", None)

    ran = tabard("doctor", "s3://bucket/styles")

    assert ran.code == 4
    assert "hint: pip install 'tabard[registry]'" in ran.err
