# SPDX-License-Identifier: Apache-2.0
"""Commands that work where a registry lies: it is named, opened, and its errors are told."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tabard import errors as sdk
from tabard.cli import exit_codes
from tabard.cli.local import registry as local_registry
from tabard_registry import Registry
from tabard_registry import errors as registry_errors
from tests.clients.cli.conftest import Tabard
from tests.registry.fakes import publish


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry with a release, in a folder."""
    monkeypatch.delenv("TABARD_REGISTRY", raising=False)
    publish(Registry.open(str(tmp_path / "registry")), "1.0.0", folder=tmp_path)
    return tmp_path / "registry"


def test_variable_names_the_registry(
    tabard: Tabard, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command takes the registry from the environment when it is not named."""
    monkeypatch.setenv("TABARD_REGISTRY", str(place))

    codes = [tabard(*one.split()).code for one in ("fsck", "gc", "checkpoint", "key list")]
    ran = tabard("backup", tmp_path / "export")

    assert (codes, ran.code) == ([0] * 4, 0)
    assert (tmp_path / "export" / "format.json").exists()


@pytest.mark.parametrize("arguments", [("fsck",), ("gc",), ("backup", "x"), ("restore", ".")])
def test_registry_must_be_named(
    tabard: Tabard, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """Somewhere."""
    monkeypatch.delenv("TABARD_REGISTRY", raising=False)

    assert tabard(*arguments).code == exit_codes.USAGE


def test_nothing_is_made_by_looking(tabard: Tabard, tmp_path: Path) -> None:
    """A place without a registry is refused, and stays as it was."""
    for name in ("fsck", "gc", "checkpoint"):
        ran = tabard(name, tmp_path / "nowhere")

        assert ran.code == exit_codes.INVALID
        assert "reason: NOT_A_REGISTRY" in ran.err
        assert "Check the address" in ran.err and "made by `tabard serve" in ran.err
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", ["fsck", "gc", "checkpoint"])
def test_missing_extra_is_named(
    tabard: Tabard, place: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A base install says what to install."""
    monkeypatch.setitem(sys.modules, "tabard_registry", None)
    for part in ("upkeep.fsck.fsck", "upkeep.garbage"):
        monkeypatch.setitem(sys.modules, f"tabard_registry.{part}", None)

    ran = tabard(name, place)

    assert ran.code == exit_codes.PRECONDITION
    assert "hint: pip install 'tabard[registry]'" in ran.err


def test_every_library_error_is_told() -> None:
    """Each class of the library's tree has a class of the SDK's."""
    tree = {one.__name__ for one in registry_errors.RegistryError.__subclasses__()}

    assert tree == set(local_registry.ERRORS)


def test_library_errors_become_the_sdks() -> None:
    """The nearest class of the tree decides; reason and hint are kept."""
    with pytest.raises(sdk.NotFound, match="no such") as caught, local_registry.sdk_errors():
        raise registry_errors.NotFound("no such", reason="ADAPTER_NOT_FOUND", hint="look")

    assert (caught.value.reason, caught.value.hint) == ("ADAPTER_NOT_FOUND", "look")


def test_damage_is_data_loss() -> None:
    """So that the exit code says damaged."""
    with pytest.raises(sdk.Internal) as caught, local_registry.sdk_errors():
        raise registry_errors.CorruptRegistry("broken", reason="CORRUPT_RECORD", hint="restore")

    assert exit_codes.exit_code(caught.value) == exit_codes.DAMAGED


def test_registry_is_closed_after_a_failure(place: Path) -> None:
    """Whatever happens in the block."""
    seen: list[Any] = []

    with (
        pytest.raises(KeyboardInterrupt),
        local_registry.open_registry(str(place), needed_for="the test") as registry,
    ):
        registry.close = lambda: seen.append(registry)
        raise KeyboardInterrupt

    assert len(seen) == 1
