# SPDX-License-Identifier: Apache-2.0
"""Settings read from file, environment and overrides; anything wrong or unknown is refused."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from tabard_server import settings_sources
from tabard_server.errors import BadSettings
from tabard_server.settings import Settings
from tabard_server.settings_sources import (
    explain_settings,
    load_settings,
    read_settings,
    service_variables,
    setting_names,
)


class Guarded(Settings):
    """Settings with a secret."""

    password: SecretStr = SecretStr("")
    """What opens the door."""


def written(folder: Path, text: str) -> Path:
    """Return a file of settings."""
    file = folder / "tabard.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_later_sources_win(tmp_path: Path) -> None:
    """File, then environment, then overrides."""
    file = written(
        tmp_path,
        'base = "file"\ndevice = "cpu"\ndtype = "float16"\n[limits]\nsteps_max = 100\n',
    )

    settings = load_settings(
        file=file,
        environment={
            "TABARD_DEVICE": "cuda",
            "TABARD_DTYPE": "bfloat16",
            "HOME": "/",
            "TABARD_TOKEN": "",
        },
        overrides={"dtype": "float32", "base_config": None},
    )

    assert (settings.base, settings.device, settings.dtype) == ("file", "cuda", "float32")
    assert settings.limits.steps_max == 100


def test_sources_meet_within_a_section(tmp_path: Path) -> None:
    """Each source may say a part of a section; none takes away what another said of it."""
    file = written(tmp_path, "[limits]\nsteps_max = 100\nuploads_max = 10\nfetches_max = 10\n")

    limits = load_settings(
        file=file,
        environment={"TABARD_LIMITS_UPLOADS_MAX": "20", "TABARD_LIMITS_FETCHES_MAX": "20"},
        overrides={"limits.fetches_max": 30},
    ).limits

    assert (limits.steps_max, limits.uploads_max, limits.fetches_max) == (100, 20, 30)


def test_environment_reaches_every_setting() -> None:
    """Names within a section are joined by an underscore."""
    environment = {
        f"TABARD_{one.name.upper().replace('.', '_')}": _as_text(one.value)
        for one in explain_settings()
        if one.value is not None
    }

    assert load_settings(environment=environment) == Settings()
    assert {one.source.split()[0] for one in explain_settings(environment=environment)} == {
        "variable",
        "default",
    }


def test_overrides_are_texts_or_values() -> None:
    """What an option parsed and what `--set` left as text mean the same."""
    texts = {"insecure": "true", "torch_threads": "3", "cache": "/x", "limits.retry_seconds": "2"}
    values = {"insecure": True, "torch_threads": 3, "cache": Path("/x"), "limits.retry_seconds": 2}

    assert load_settings(overrides=texts) == load_settings(overrides=values)
    assert load_settings(overrides=texts).torch_threads == 3


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"overrides": {"colour": "red"}}, "colour"),
        ({"overrides": {"limits.steps_max": "many"}}, "limits.steps_max is 'many' (flag)"),
        ({"overrides": {"limits.steps_max": 0}}, "limits.steps_max"),
        ({"overrides": {"limits.guidance_scale_max": float("nan")}}, "limits.guidance_scale_max"),
        ({"overrides": {"limits.retry_seconds": "inf"}}, "limits.retry_seconds"),
        ({"overrides": {"listen": "nowhere"}}, "listen"),
        ({"overrides": {"listen": ""}}, "listen"),
        ({"overrides": {"poll_seconds": -1.0}}, "poll_seconds"),
        ({"overrides": {"checkpoint_records": -1}}, "checkpoint_records"),
        ({"overrides": {"cache": ""}}, "cache"),
        ({"overrides": {"single_writer": "perhaps"}}, "single_writer"),
        ({"overrides": {"defaults.steps": 0}}, "defaults.steps"),
        ({"overrides": {"defaults.guidance_scale": "inf"}}, "defaults.guidance_scale"),
        ({"environment": {"TABARD_LISTNE": "127.0.0.1:1"}}, "TABARD_LISTNE"),
        ({"environment": {"TABARD_LIMITS": "{}"}}, "TABARD_LIMITS"),
        ({"environment": {"TABARD_INSECURE": "perhaps"}}, "(variable TABARD_INSECURE)"),
        ({"environment": {"TABARD_TORCH_THREADS": "-1"}}, "(variable TABARD_TORCH_THREADS)"),
        ({"environment": {"TABARD_TORCH_THREADS": ""}}, "(variable TABARD_TORCH_THREADS)"),
    ],
)
def test_wrong_settings_are_refused(wrong: Any, named: str) -> None:
    """The refusal names the setting and where it was said, and says what to do."""
    with pytest.raises(BadSettings) as refusal:
        load_settings(**wrong)

    assert named in str(refusal.value)
    assert refusal.value.hint


@pytest.mark.parametrize(
    "line",
    [
        'insecure = "true"',
        "insecure = 1",
        "base = 5",
        'slot_rank_total = "64"',
        "slot_rank_total = 64.0",
        "slot_rank_total = true",
        "poll_seconds = inf",
        "listen = ['127.0.0.1:1']",
        "limits = 5",
        "[listen]\nhost = '127.0.0.1'",
        "[[limits]]\nsteps_max = 3",
        "not toml",
    ],
)
def test_file_is_read_exactly(tmp_path: Path, line: str) -> None:
    """A file has types: what is of another kind, or no TOML, is refused and the file named."""
    file = written(tmp_path, line)

    with pytest.raises(BadSettings) as refusal:
        load_settings(file=file)

    assert str(file) in str(refusal.value)
    assert refusal.value.hint


def test_whole_number_is_a_number(tmp_path: Path) -> None:
    """Nothing is lost when a float is written without a point."""
    settings = load_settings(file=written(tmp_path, "poll_seconds = 2"))

    assert (settings.poll_seconds, type(settings.poll_seconds)) == (2.0, float)


@pytest.mark.parametrize("name", ["absent.toml", "."])
def test_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    """A file that was named is never passed over."""
    with pytest.raises(BadSettings, match="cannot be read"):
        load_settings(file=tmp_path / name)


def test_file_may_be_a_pipe() -> None:
    """As a shell gives `--config <(…)`."""
    reading, writing = os.pipe()
    os.write(writing, b'base = "piped"')
    os.close(writing)

    settings = load_settings(file=Path(f"/dev/fd/{reading}"))

    os.close(reading)
    assert settings.base == "piped"


@pytest.mark.parametrize(
    ("line", "near"),
    [("[limits]\nsteps_most = 3", "limits.steps_max"), ("steps_max = 3", "limits.steps_max")],
)
def test_near_name_is_offered_for_file(tmp_path: Path, line: str, near: str) -> None:
    """A misspelt name never passes silently; the near one is suggested."""
    file = written(tmp_path, line)

    with pytest.raises(BadSettings, match=r"tabard\.toml") as refusal:
        load_settings(file=file)

    assert refusal.value.hint == f"did you mean {near}?"


@pytest.mark.parametrize(
    ("sources", "near"),
    [
        ({"environment": {"TABARD_LISTNE": ""}}, "TABARD_LISTEN"),
        ({"environment": {"TABARD_LIMIT_STEPS_MAX": "3"}}, "TABARD_LIMITS_STEPS_MAX"),
        ({"environment": {"TABARD_PORT": "50052"}}, "TABARD_LISTEN"),
        ({"overrides": {"host": "0.0.0.0"}}, "listen"),
        ({"overrides": {"insecur": True}}, "insecure"),
        ({"overrides": {"default.steps": None}}, "defaults.steps"),
    ],
)
def test_near_name_is_offered(sources: Any, near: str) -> None:
    """In the environment and among the overrides likewise."""
    with pytest.raises(BadSettings) as refusal:
        load_settings(**sources)

    assert refusal.value.hint == f"did you mean {near}?"


def test_strange_name_has_no_near_one() -> None:
    """No suggestion is better than a wild one."""
    with pytest.raises(BadSettings) as refusal:
        load_settings(environment={"TABARD_FOO": "1"})

    assert refusal.value.hint == "`tabard config example` names them all"


def test_every_wrong_value_is_named_at_once() -> None:
    """Nobody starts a server five times to learn of five mistakes."""
    with pytest.raises(BadSettings) as refusal:
        load_settings(
            environment={"TABARD_INSECURE": "perhaps"}, overrides={"limits.steps_max": -1}
        )

    for name in ("insecure", "limits.steps_max"):
        assert name in str(refusal.value)
        assert name in refusal.value.hint


def test_mistakes_of_every_kind_are_told_at_once(tmp_path: Path) -> None:
    """Unknown names, wrong values, and what does not fit together, whoever said it."""
    file = written(
        tmp_path,
        'listen = "nowhere"\nlog_level = "warn"\n[limits]\nsteps_mx = 3\npage_size_max = 5\n'
        '[defaults]\nsampler = "eular"\n',
    )

    with pytest.raises(BadSettings) as refusal:
        load_settings(
            file=file,
            environment={"TABARD_LISTNE": "x"},
            overrides={"defaults.steps": 200, "poll_seconds": "often"},
        )

    told = refusal.value
    names = "limits.steps_mx TABARD_LISTNE listen log_level limits.page_size_default"
    assert set(told.names) >= {*names.split(), "defaults.sampler", "defaults.steps", "poll_seconds"}
    assert "log_level: write debug or info" in told.hint
    assert "defaults.sampler: did you mean euler?" in told.hint
    assert f"limits.steps_mx (in {file})" in str(told)


def test_what_is_right_is_read_beside_what_is_wrong() -> None:
    """So that more can be looked at than the first mistake."""
    settings, mistakes = read_settings(overrides={"base": "here", "device": "cuda", "dtyp": 1})

    assert (settings.base, settings.device) == ("here", "cuda")
    assert [one.names for one in mistakes] == [("dtyp",)]


def test_sources_are_told(tmp_path: Path) -> None:
    """Of each setting, who said it last."""
    file = written(tmp_path, 'base = "file"\ndevice = "cpu"\ndtype = "float16"\n')

    told = explain_settings(
        file=file,
        environment={"TABARD_DEVICE": "cuda", "TABARD_LIMITS_STEPS_MAX": "30"},
        overrides={"dtype": "float32", "cache": None},
    )

    sources = {one.name: one.source for one in told if one.source != "default"}
    assert sources == {
        "base": f"file {file}",
        "device": "variable TABARD_DEVICE",
        "dtype": "flag",
        "limits.steps_max": "variable TABARD_LIMITS_STEPS_MAX",
    }


def test_every_setting_is_told_once() -> None:
    """The dotted names cover both sections."""
    names = [one.name for one in explain_settings()]

    assert tuple(names) == setting_names()
    assert {"listen", "limits.steps_max", "defaults.sampler"} <= set(names)
    assert len(names) == len(set(names))


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A secret is read from every source, and shown by none: neither told nor in a refusal."""
    monkeypatch.setattr(settings_sources, "Settings", Guarded)
    file = written(tmp_path, 'password = "hunter2"')
    sources: list[dict[str, Any]] = [
        {"file": file},
        {"environment": {"TABARD_PASSWORD": "hunter2"}},
        {"overrides": {"password": "hunter2"}},
    ]

    for one in sources:
        settings = load_settings(**one)
        told = {setting.name: setting for setting in explain_settings(**one)}["password"]
        assert isinstance(settings, Guarded)
        assert settings.password.get_secret_value() == "hunter2"
        assert told.value == "**********"
        assert told.source != "default"
        assert "hunter2" not in f"{settings!r} {told!r}"


def test_secret_stays_out_of_refusals(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not even a secret of the wrong kind is repeated, in the refusal or in what it came from."""
    monkeypatch.setattr(settings_sources, "Settings", Guarded)
    file = written(tmp_path, 'password = ["hunter2"]')

    with pytest.raises(BadSettings, match=r"password is wrong \(file") as refusal:
        load_settings(file=file)

    assert "hunter2" not in f"{refusal.value} {refusal.value.hint} {refusal.value.__cause__}"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ann:hunter2@store/x", "https://**********@store/x"),
        ("s3://KEY:hun/ter2@styles/team", "s3://**********@styles/team"),
        ("s3://styles/team", "s3://styles/team"),
        ("file:///home/a@b/registry", "file:///home/a@b/registry"),
        ("/home/a@b/registry", "/home/a@b/registry"),
    ],
)
def test_credentials_of_addresses_are_masked(url: str, shown: str) -> None:
    """Whatever stands before the @ of an address is nobody's business; paths have none."""
    told = {one.name: one.value for one in explain_settings(overrides={"registry": url})}

    assert told["registry"] == shown
    assert load_settings(overrides={"registry": url}).registry == url


@pytest.mark.parametrize("variable", [*sorted(settings_sources.TEST_VARIABLES), "TABARD_TOKEN"])
def test_variables_of_others_are_left_alone(variable: str) -> None:
    """What the command line and the test suite read is no wrong setting of the server."""
    assert load_settings(environment={variable: "x"}) == load_settings()


def service(name: str) -> dict[str, str]:
    """Return what Kubernetes puts into a pod for a Service with two ports."""
    return {
        f"{name}_SERVICE_HOST": "10.96.0.17",
        f"{name}_SERVICE_PORT": "50051",
        f"{name}_SERVICE_PORT_GRPC": "50051",
        f"{name}_PORT": "tcp://10.96.0.17:50051",
        f"{name}_PORT_50051_TCP": "tcp://10.96.0.17:50051",
        f"{name}_PORT_50051_TCP_PROTO": "tcp",
        f"{name}_PORT_50051_TCP_PORT": "50051",
        f"{name}_PORT_50051_TCP_ADDR": "10.96.0.17",
        f"{name}_PORT_9464_UDP": "udp://[fd00::17]:9464",
        f"{name}_PORT_9464_UDP_ADDR": "fd00::17",
    }


@pytest.mark.parametrize("name", ["TABARD", "TABARD_GPU", "TABARD_METRICS_2"])
def test_variables_of_a_service_are_passed_over(name: str) -> None:
    """A pod starts under whatever name its Service has; what was passed over is named."""
    environment = service(name)

    assert load_settings(environment=environment) == load_settings()
    assert set(service_variables(environment)) == set(environment)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("TABARD_PORT", "50051"),
        ("TABARD_PORT", "127.0.0.1:50051"),
        ("TABARD_SERVICE_HOST", "example.com"),
        ("TABARD_PORTS", "tcp://10.96.0.17:50051"),
        ("TABARD_SERVICE_LISTEN", "10.96.0.17"),
    ],
)
def test_what_only_looks_like_them_is_refused(variable: str, text: str) -> None:
    """Somebody who writes a port by hand meant a setting."""
    with pytest.raises(BadSettings, match=variable):
        load_settings(environment={variable: text})


def test_no_setting_is_taken_for_theirs() -> None:
    """Whatever value one of ours has, it is read."""
    variables = [f"TABARD_{name.upper().replace('.', '_')}" for name in setting_names()]

    for text in ("tcp://10.0.0.1:1", "50051", "10.0.0.1", "tcp"):
        assert service_variables(dict.fromkeys(variables, text)) == ()


def _as_text(value: object) -> str:
    return json.dumps(value) if isinstance(value, tuple) else str(value)
