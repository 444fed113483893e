# SPDX-License-Identifier: Apache-2.0
"""`tabard logout`: a profile is forgotten, and the others stay."""

from pathlib import Path

import pytest

from tabard.access.profiles import Profile, read_profiles, write_profiles
from tests.clients.cli.conftest import Tabard


def test_profile_is_forgotten(tabard: Tabard, tmp_path: Path) -> None:
    """Its token stays good, which is said."""
    config = tmp_path / "config-home" / "tabard" / "config.toml"
    staging = Profile(address="staging.example:1", token="s")
    write_profiles(config, {"default": Profile(address="a:1", token="t"), "staging": staging})

    ran = tabard("logout")
    again = tabard("logout", "--json")

    assert (ran.code, "a:1 is forgotten" in ran.out) == (0, True)
    assert read_profiles(config) == {"staging": staging}
    assert (again.code, again.document["error"]["reason"]) == (4, "PROFILE_UNKNOWN")
    assert "staging" in again.document["error"]["hint"]
    assert tabard("logout", "--profile", "staging").code == 0
    assert read_profiles(config) == {}


def test_variable_names_the_profile(
    tabard: Tabard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for every command."""
    config = tmp_path / "config-home" / "tabard" / "config.toml"
    kept = Profile(address="a:1")
    write_profiles(config, {"default": kept, "staging": kept})
    monkeypatch.setenv("TABARD_PROFILE", "staging")

    tabard("logout")

    assert set(read_profiles(config)) == {"default"}
