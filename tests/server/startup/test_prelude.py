# SPDX-License-Identifier: Apache-2.0
"""Before a server: slips of the hand are answered at once, and words of others passed over."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tabard_server.errors import BadSettings
from tabard_server.startup import prelude
from tabard_server.startup.prelude import check, prepare
from tests.root import ROOT
from tests.server.c2pa.authority import issue, key_pem, new_key
from tests.server.telemetry.logged import logged

HEAVY = "{'torch', 'diffusers', 'transformers', 'accelerate', 'peft', 'tabard_server.serving'}"


@pytest.fixture(autouse=True)
def log() -> Iterator[None]:
    """Leave the log of this process as it was."""
    root, own = logging.getLogger(), logging.getLogger("tabard")
    kept = [(one, list(one.handlers), one.level, one.propagate) for one in (root, own)]
    hooks = sys.excepthook
    yield
    for one, handlers, level, propagate in kept:
        one.handlers[:], one.propagate = handlers, propagate
        one.setLevel(level)
    sys.excepthook = hooks
    logging.captureWarnings(False)


def test_settings_are_read_and_base_found() -> None:
    """A base that is there, by any of its words."""
    settings = prepare(environment={"TABARD_BASE_CONFIG": "demo"}, overrides={"base": "demo"})

    assert (settings.base, settings.base_config) == ("demo", "demo")


@pytest.mark.parametrize("name", ["base", "base_config"])
def test_absent_base_ends_the_start(name: str) -> None:
    """Of a base, and of the configs of a single file."""
    with pytest.raises(BadSettings, match="neither a folder") as refusal:
        prepare(overrides={name: "/nowhere/at/all"})

    assert (refusal.value.names, refusal.value.reason) == ((name,), "BASE_NOT_LOADABLE")


def test_traces_need_their_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Known before a base is loaded; who does not trace does not need it."""
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.grpc", None)
    prepare()

    with pytest.raises(BadSettings, match="OpenTelemetry") as refusal:
        prepare(overrides={"telemetry.otlp_endpoint": "http://127.0.0.1:4317"})

    assert (refusal.value.names, refusal.value.reason) == (
        ("telemetry.otlp_endpoint",),
        "EXTRA_MISSING",
    )
    assert "tabard[telemetry]" in refusal.value.hint


def test_openvino_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Likewise; and another word is no compiler."""
    monkeypatch.setattr(prelude, "find_spec", lambda _name: None)
    prepare(overrides={"compiled": "true"})

    with pytest.raises(BadSettings, match="OpenVINO") as refusal:
        prepare(overrides={"compiled": "openvino"})
    with pytest.raises(BadSettings) as unknown:
        prepare(overrides={"compiled": "tensorrt"})

    assert (refusal.value.names, refusal.value.reason) == (("compiled",), "EXTRA_MISSING")
    assert "tabard[openvino]" in refusal.value.hint
    assert "compiled" in str(unknown.value)


def test_passed_socket_ends_the_start() -> None:
    """The port is taken then, and gRPC cannot have it; what another process has is not told."""
    words = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}

    with pytest.raises(BadSettings, match="takes an address only") as refusal:
        prepare(environment=words)

    assert (refusal.value.names, refusal.value.reason) == (("listen",), "SOCKET_NOT_TAKEN")
    assert prepare(environment=words | {"LISTEN_PID": "1"}).base == "demo"


@pytest.mark.parametrize(
    "url",
    [
        "htp://x",
        "s3://",
        "s3://bucket?region=x",
        "file://elsewhere/x",
        "s3://[half",
        "~nobody-here/x",
    ],
)
def test_address_of_no_registry_ends_the_start(url: str) -> None:
    """It is read at once, and nobody is asked."""
    with pytest.raises(BadSettings) as refusal:
        prepare(overrides={"registry": url})

    assert (refusal.value.names, refusal.value.reason) == (("registry",), "UNSUPPORTED_STORE")


@pytest.mark.parametrize("examine", [prepare, check])
def test_encoder_that_is_none_ends_the_start(examine: Any, tmp_path: Path) -> None:
    """Each by its name, before anything is loaded; the demo's own are found."""
    table = '{{"name": "{}", "kind": "{}", "path": "{}"}}'
    good = table.format("own", "style", "demo")
    gone = table.format("dino", "subject", tmp_path / "gone")
    empty = table.format("sscd", "copy", tmp_path)
    examine(overrides={"encoders": f"[{good}]"})

    with pytest.raises(BadSettings) as refusal:
        examine(overrides={"encoders": f"[{good}, {gone}, {empty}]"})

    assert set(refusal.value.names) == {"encoders"}
    for words in ("'dino'", "cannot be opened", "'sscd'", "has no config.json"):
        assert words in str(refusal.value)


@pytest.mark.parametrize("examine", [prepare, check])
def test_certificate_that_cannot_sign_ends_the_start(examine: Any, tmp_path: Path) -> None:
    """By the setting that is wrong, before anything is loaded; what its key holds is nowhere."""
    issued = issue(tmp_path)
    said = {"c2pa.certificate": str(issued.certificate), "c2pa.key": str(issued.key)}
    examine(overrides=said)
    issued.key.write_bytes(key_pem(new_key()))

    with pytest.raises(BadSettings) as refusal:
        examine(overrides=said)

    assert (refusal.value.names, refusal.value.reason) == (
        ("c2pa.key",),
        "C2PA_CREDENTIAL_MISMATCH",
    )
    assert issued.key.read_text().splitlines()[1] not in str(refusal.value)


@pytest.mark.parametrize("examine", [prepare, check])
def test_classifier_that_is_none_ends_the_start(examine: Any, tmp_path: Path) -> None:
    """As an encoder does."""
    said = {"safety.path": str(tmp_path / "gone"), "safety.labels": '[{"label": "nsfw"}]'}

    with pytest.raises(BadSettings) as refusal:
        examine(overrides=said)

    assert (refusal.value.names, refusal.value.reason) == (
        ("safety.path",),
        "SAFETY_MODEL_MISSING",
    )


def test_absent_device_ends_the_start(tmp_path: Path) -> None:
    """At once, and nothing is left where the registry would be; a file may be for another place."""
    wanted = {"device": "cuda:9999", "registry": str(tmp_path / "styles"), "base": "demo"}
    check(overrides=wanted)

    with pytest.raises(BadSettings, match="cuda:9999 is asked for") as refusal:
        prepare(overrides=wanted)

    assert refusal.value.names == ("device",)
    assert not (tmp_path / "styles").exists()


@pytest.mark.parametrize("examine", [prepare, check])
def test_mistakes_of_every_kind_are_told_at_once(examine: Any) -> None:
    """Words, numbers and places, each with its hint."""
    wrong = {"dtype": "float8", "device": "gpu", "base": "nope", "registry": "htp://x"}

    with pytest.raises(BadSettings) as refusal:
        examine(overrides={**wrong, "limits.steps_max": 0, "limits.prompt_windows_max": 5})

    numbers = {"limits.steps_max", "limits.prompt_windows_max"}
    assert set(refusal.value.names) == {*wrong, *numbers}
    assert refusal.value.reason == "BAD_SETTINGS"
    for words in (
        "mean float16?",
        "mean cuda?",
        "base: give `demo`",
        "registry: Use a folder",
        "write 4 or less",
    ):
        assert words in refusal.value.hint


@pytest.mark.parametrize("text", ['{"pid": 4194305}', "{}"])
def test_ready_file_of_a_killed_server_goes_first(text: str, tmp_path: Path) -> None:
    """Even where the start is refused: whoever waits for it is not sent to a dead address."""
    ready = tmp_path / "ready.json"
    ready.write_text(text)

    with pytest.raises(BadSettings):
        check(overrides={"ready_file": ready, "base": "nope"})
    assert ready.exists()
    with pytest.raises(BadSettings):
        prepare(overrides={"ready_file": ready, "base": "nope", "dtype": "float8"})
    assert not ready.exists()


def test_ready_file_that_cannot_be_written_ends_the_start(tmp_path: Path) -> None:
    """A folder, and a file in a folder that is not there."""
    for path in (tmp_path, tmp_path / "absent" / "ready.json"):
        with pytest.raises(BadSettings, match="cannot be written") as refusal:
            check(overrides={"ready_file": path})

        assert refusal.value.names == ("ready_file",)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"limits.steps_max": "many", "defaults.steps": 200}, "limits.steps_max"),
        ({"insecure": "perhaps", "listen": "0.0.0.0:1"}, "insecure"),
        ({"poll_seconds": "often", "staleness_seconds_max": 1}, "poll_seconds"),
    ],
)
def test_what_a_mistake_brings_about_is_not_told(said: Any, name: str) -> None:
    """What contradicts a wrong value may be right; nobody is sent to change it."""
    with pytest.raises(BadSettings) as refusal:
        check(overrides=said)

    assert refusal.value.names == (name,)


def test_check_leaves_the_log_alone() -> None:
    """It belongs to whoever asks."""
    handlers = list(logging.getLogger("tabard").handlers)

    check(overrides={"base": "demo", "log_format": "json"})

    assert logging.getLogger("tabard").handlers == handlers


def test_variables_of_a_service_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """They are no settings, and one line says that they were passed over."""
    prepare(
        environment={"TABARD_PORT": "tcp://10.0.0.1:50051", "TABARD_LOG_FORMAT": "text"},
        overrides={"base": "demo"},
    )

    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert "settings.variables_ignored names=TABARD_PORT" in told[0]


def test_nothing_is_told_without_them(caplog: pytest.LogCaptureFixture) -> None:
    """A server elsewhere has nothing to say of Services."""
    prepare(environment={}, overrides={"base": "demo"})

    assert logged(caplog, "settings.variables_ignored") == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BASE", "/nowhere/at/all"),
        ("BASE", "nobody/nothing"),
        ("DEVICE", "gpu"),
        ("DTYPE", "float8"),
        ("DEFAULTS_SAMPLER", "nope"),
    ],
)
@pytest.mark.parametrize("how", ["-m tabard serve", "-m tabard_server"])
def test_slip_of_the_hand_loads_no_library(how: str, name: str, value: str, tmp_path: Path) -> None:
    """It is refused before anything slow is imported, by both ways to start a server."""
    module = how.split()[1]
    watch = (
        "import atexit, runpy, sys; "
        f"atexit.register(lambda: print(*({HEAVY} & set(sys.modules)))); "
        f"sys.argv = ['x', *{how.split()[2:]}]; "
        f"runpy.run_module({module!r}, run_name='__main__')"
    )
    environment = os.environ | {
        f"TABARD_{name}": value,
        "TABARD_REGISTRY": str(tmp_path / "registry"),
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path),
    }

    ran = subprocess.run(
        [sys.executable, "-c", watch],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ran.returncode == (2 if module == "tabard_server" else 4)
    assert value in ran.stderr or f"TABARD_{name}" in ran.stderr
    assert ("BASE_NOT_LOADABLE" if name == "BASE" else "BAD_SETTINGS") in ran.stderr
    assert ran.stdout.split() == []
    assert not (tmp_path / "registry").exists()
