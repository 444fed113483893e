# SPDX-License-Identifier: Apache-2.0
"""Settings: read from file, environment and overrides; anything wrong or unknown is refused."""

from pathlib import Path
from typing import Any

import pytest

from tabard_server.errors import BadSettings
from tabard_server.settings import Settings, load_settings, setting_names


def test_later_sources_win(tmp_path: Path) -> None:
    """File, then environment, then overrides."""
    file = tmp_path / "tabard.toml"
    file.write_text('base = "file"\ndevice = "file"\ndtype = "file"\n[limits]\nsteps_max = 10\n')

    settings = load_settings(
        file=file,
        environment={
            "TABARD_DEVICE": "env",
            "TABARD_DTYPE": "env",
            "HOME": "/",
            "TABARD_TOKEN": "",
        },
        overrides={"dtype": "said", "base_config": None},
    )

    assert (settings.base, settings.device, settings.dtype) == ("file", "env", "said")
    assert settings.limits.steps_max == 10


def test_environment_reaches_every_section() -> None:
    """Names within a section are joined by an underscore."""
    environment = {"TABARD_LIMITS_QUEUE_ROWS_MAX": "7", "TABARD_DEFAULTS_GUIDANCE_SCALE": "3"}

    settings = load_settings(environment=environment)

    assert settings.limits.queue_rows_max == 7
    assert settings.defaults.guidance_scale == 3.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"overrides": {"colour": "red"}},
        {"overrides": {"limits.steps_max": "many"}},
        {"overrides": {"limits.steps_max": 0}},
        {"overrides": {"limits.guidance_scale_max": float("nan")}},
        {"overrides": {"listen": "nowhere"}},
        {"overrides": {"listen": ""}},
        {"overrides": {"poll_seconds": -1.0}},
        {"overrides": {"checkpoint_records": -1}},
        {"overrides": {"cache": ""}},
        {"overrides": {"single_writer": "perhaps"}},
        {"overrides": {"defaults.steps": 0}},
        {"environment": {"TABARD_LISTNE": "127.0.0.1:1"}},
        {"environment": {"TABARD_INSECURE": "perhaps"}},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    """The refusal names the setting and says what to do."""
    with pytest.raises(BadSettings) as refusal:
        load_settings(**wrong)

    assert refusal.value.hint


def test_unknown_name_in_file_is_refused(tmp_path: Path) -> None:
    """A misspelt name never passes silently; the near one is suggested."""
    file = tmp_path / "tabard.toml"
    file.write_text("[limits]\nsteps_most = 3\n")

    with pytest.raises(BadSettings) as refusal:
        load_settings(file=file)

    assert "limits.steps_max" in refusal.value.hint


@pytest.mark.parametrize("address", ["0.0.0.0:50051", "[::]:50051", "10.1.2.3:0", "example.com:1"])
@pytest.mark.parametrize("name", ["listen", "metrics_listen"])
def test_open_address_needs_insecure(address: str, name: str) -> None:
    """What others can reach is refused unless it is said to be meant."""
    with pytest.raises(BadSettings) as refusal:
        load_settings(overrides={name: address})

    assert refusal.value.reason == "INSECURE_LISTEN"
    assert "insecure" in refusal.value.hint
    assert load_settings(overrides={name: address, "insecure": True})


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:1", "[::1]:2", "unix:/run/x.sock"])
def test_loopback_needs_no_word(address: str) -> None:
    """Loopback and sockets are fine as they are."""
    assert Settings(listen=address).listen == address


def test_every_setting_has_a_name() -> None:
    """The dotted names cover both sections."""
    names = setting_names()

    assert {"listen", "limits.steps_max", "defaults.sampler"} <= set(names)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", setting_names())
def test_every_setting_is_documented(name: str) -> None:
    """The docstring of its section explains each setting."""
    kind = {"limits": type(Settings().limits), "defaults": type(Settings().defaults)}
    section, _dot, leaf = name.rpartition(".")

    assert f"        {leaf}: " in (kind.get(section, Settings).__doc__ or "")


@pytest.mark.parametrize("variable", ["TABARD_TEST_S3", "TABARD_CEPH_FOLDER", "TABARD_TOKEN"])
def test_variables_of_others_are_left_alone(variable: str) -> None:
    """What the command line and the test suite read is no wrong setting of the server."""
    assert load_settings(environment={variable: "x"}) == load_settings()
