# SPDX-License-Identifier: Apache-2.0
"""One small file of profiles, which only its owner can read."""

import os
import stat
import tomllib
from pathlib import Path

import pytest

from tabard import InvalidArgument
from tabard.access.profiles import (
    CONFIG_BYTES_MAX,
    Profile,
    check_profile_name,
    config_file,
    default_profile,
    named_profile,
    read_profiles,
    write_profiles,
)

SECRET = "tabard_01234567_0123456789ab_5ec2e7"
ODD = 'C:\\keys\\"ann"\x7f\t\u00e9\U0001f58c'
FULL = Profile(
    address="grpcs://styles.example:50051",
    token=SECRET,
    tls_ca=ODD,
    certificate="/ann.pem",
    key="/ann.key",
    insecure=True,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give where the file shall be."""
    return tmp_path / "new" / "tabard" / "config.toml"


def test_profiles_come_back_as_they_were(path: Path) -> None:
    """Whatever a path may hold; the file is TOML for anybody."""
    profiles = {"default": Profile(address="127.0.0.1:1"), "staging": FULL}

    write_profiles(path, profiles)

    assert read_profiles(path) == profiles
    assert set(tomllib.loads(path.read_text())["profiles"]) == set(profiles)


def test_nobody_else_can_read_them(path: Path) -> None:
    """Neither the file nor its folder, whatever the process makes otherwise."""
    path.parent.mkdir(parents=True, mode=0o755)
    before = os.umask(0)
    try:
        write_profiles(path, {"default": FULL})
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [one.name for one in path.parent.iterdir()] == ["config.toml"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610, 0o644, 0o666, 0o602])
def test_file_that_others_can_read_is_refused(path: Path, mode: int) -> None:
    """Before anything of it is believed."""
    write_profiles(path, {"default": FULL})
    path.chmod(mode)

    with pytest.raises(InvalidArgument) as caught:
        read_profiles(path)

    assert caught.value.reason == "CONFIG_NOT_PRIVATE"
    assert f"chmod 600 '{path}'" in caught.value.hint


@pytest.mark.parametrize(
    "content",
    [
        f'token = "{SECRET}',
        f"profiles = '{SECRET}'",
        f"[profiles]\ndefault = '{SECRET}'",
        f"[profiles.default]\ntoken = '{SECRET}'",
        f"[profiles.default]\naddress = 'a:1'\ntokn = '{SECRET}'",
        "[profiles.default]\naddress = 1",
        "[profiles.default]\naddress = 'a:1'\ninsecure = 'yes'",
        "\xff",
    ],
)
def test_damaged_file_is_named(path: Path, content: str) -> None:
    """What it holds is not shown: it may be a piece of a token."""
    write_profiles(path, {})
    path.write_bytes(content.encode("latin-1"))

    with pytest.raises(InvalidArgument) as caught:
        read_profiles(path)

    error = caught.value
    assert (error.reason, str(path) in str(error)) == ("CONFIG_INVALID", True)
    assert "5ec2e7" not in str(error) + error.hint


def test_endless_file_is_refused(path: Path) -> None:
    """It is no configuration."""
    write_profiles(path, {})
    path.write_bytes(b"#" * (CONFIG_BYTES_MAX + 1))

    with pytest.raises(InvalidArgument) as caught:
        read_profiles(path)

    assert caught.value.reason == "FILE_UNREADABLE"


def test_missing_file_has_no_profiles(tmp_path: Path) -> None:
    """Nobody has logged in."""
    (tmp_path / "file").touch()

    assert read_profiles(tmp_path / "none" / "config.toml") == {}
    assert read_profiles(tmp_path / "file" / "config.toml") == {}
    assert default_profile({"XDG_CONFIG_HOME": str(tmp_path)}) is None
    assert default_profile({}) is None


def test_profile_is_found_by_its_name(tmp_path: Path) -> None:
    """An unknown name tells the known ones."""
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    write_profiles(tmp_path / "tabard" / "config.toml", {"default": FULL, "staging": FULL})

    assert named_profile("staging", environ) == default_profile(environ) == FULL
    with pytest.raises(InvalidArgument) as caught:
        named_profile("stagin", environ)
    assert caught.value.reason == "PROFILE_UNKNOWN"
    assert "default, staging" in caught.value.hint


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({"XDG_CONFIG_HOME": "/c", "HOME": "/home/ann"}, "/c/tabard/config.toml"),
        ({"XDG_CONFIG_HOME": "c", "HOME": "/home/ann"}, "/home/ann/.config/tabard/config.toml"),
        ({"HOME": "/home/ann"}, "/home/ann/.config/tabard/config.toml"),
        ({}, "None"),
    ],
)
def test_file_lies_where_such_files_lie(environ: dict[str, str], found: str) -> None:
    """By the specification of X Desktop Group."""
    assert str(config_file(environ)) == found


@pytest.mark.parametrize("name", ["", "-", "a b", "a.b", "a]\n[x", "x" * 65, "\u00e9"])
def test_name_that_no_table_has_is_refused(name: str) -> None:
    """Before it is written."""
    with pytest.raises(InvalidArgument) as caught:
        check_profile_name(name)

    assert caught.value.reason == "PROFILE_NAME_INVALID"
    assert check_profile_name("Staging-2_b") == "Staging-2_b"


def test_token_stays_out_of_repr() -> None:
    """A profile that is printed gives nothing away."""
    assert "5ec2e7" not in repr(FULL)
