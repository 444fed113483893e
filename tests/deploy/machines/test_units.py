# SPDX-License-Identifier: Apache-2.0
"""The units, by systemd itself: it finds nothing wrong, calls them safe, and runs them as they are.

Root, and Debian's systemd. What no test runs is said in docs/machines.md.
"""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tabard_server.settings_sources import load_settings
from tests.deploy.machines.manager import PATIENCE_SECONDS, Manager, manager_of, runs_here
from tests.root import ROOT

pytestmark = pytest.mark.deploy

UNITS = ROOT / "deploy" / "systemd"
SERVERS = ("tabard.service", "tabard@.service")
SERVICES = (*SERVERS, "tabard-web.service")
EXPOSURE_MAX = 2.0
"""Of 10; systemd calls up to 2.9 OK. What is left: a network, and code that is written and run."""


def text_of(name: str) -> str:
    """Return a unit."""
    return (UNITS / name).read_text(encoding="utf-8")


def said(name: str, key: str) -> list[str]:
    """Return what a unit says under a name, each time."""
    return re.findall(rf"^{key}=(.*)$", text_of(name), flags=re.MULTILINE)


def seconds(name: str, key: str) -> float:
    """Return a time that a unit says."""
    value = said(name, key)[-1]
    return float(value) if value.isdecimal() else 60.0 * float(value.removesuffix("min"))


def variables(name: str) -> dict[str, str]:
    """Return the variables of a unit, of instance 1."""
    pairs = (pair for line in said(name, "Environment") for pair in line.split())
    found = dict(pair.split("=", 1) for pair in pairs)
    return {key: value.replace("%i", "1").replace("%", "/") for key, value in found.items()}


def test_nothing_is_wrong_with_them(tmp_path: Path) -> None:
    """Every name and value is one that systemd knows, and the units fit together."""
    for unit in UNITS.iterdir():
        text = unit.read_text(encoding="utf-8").replace("/opt/tabard/bin/tabard", "/bin/true")
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    command = ["systemd-analyze", "verify", "--man=no", *sorted(map(str, tmp_path.iterdir()))]

    ran = subprocess.run(command, capture_output=True, text=True, check=False)

    own = [line for line in ran.stderr.splitlines() if "tabard" in line]
    assert (ran.returncode, own) == (0, [])


@pytest.mark.parametrize("name", SERVICES)
def test_exposure_is_small(name: str) -> None:
    """By systemd's own measure of how much a service may do."""
    command = ["systemd-analyze", "security", "--offline=true", str(UNITS / name)]

    ran = subprocess.run(command, capture_output=True, text=True, check=True)

    found = re.search(r"exposure level for \S+: ([\d.]+)", ran.stdout)
    assert found is not None
    assert float(found[1]) <= EXPOSURE_MAX


@pytest.mark.parametrize("name", SERVERS)
def test_stop_has_time_for_jobs(name: str) -> None:
    """A running job ends by itself before systemd loses its patience."""
    own = {key: value for key, value in variables(name).items() if key.startswith("TABARD_")}

    settings = load_settings(environment=own)

    assert settings.drain_seconds_max + settings.stop_seconds_max < seconds(name, "TimeoutStopSec")
    assert settings.drain_seconds_max >= 300


def test_instances_share_nothing_but_the_cache() -> None:
    """Ports, operators' socket and GPU are each one's own; what they do not say they share."""
    own, other = variables("tabard@.service"), variables("tabard.service")

    assert own["CUDA_VISIBLE_DEVICES"] == "1"
    assert own["TABARD_LISTEN"] == "127.0.0.1:50061"
    assert own["TABARD_METRICS_LISTEN"] == "127.0.0.1:9461"
    assert own["TABARD_OPERATORS_LISTEN"] == "unix:/t/tabard-1/operators"
    assert own["TABARD_CACHE"] == other["TABARD_CACHE"] == "/C/tabard"
    different = {"Environment", "EnvironmentFile", "RuntimeDirectory", "Description"}
    lines = [
        {
            line
            for line in text_of(name).splitlines()
            if "=" in line and not line.startswith("#") and line.split("=")[0] not in different
        }
        for name in SERVERS
    ]
    assert lines[0] == lines[1]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Manager]:
    """A manager that knows the unit of a server, on the demo's base, as a plain user."""
    command = f"{sys.executable} -m tabard serve --base demo --registry %S/tabard/registry"
    unit = runs_here(text_of("tabard.service"), command=f"{command} --listen 127.0.0.1:0")
    unit = unit.replace("TABARD_CACHE", "TABARD_METRICS_LISTEN=127.0.0.1:0 TABARD_CACHE")
    with manager_of(tmp_path, tabard_service=unit) as found:
        yield found


def test_hardened_server_serves_and_stops(served: Manager) -> None:
    """With every restriction of its unit: it loads, says so, seals its pickles, and ends well."""
    served.systemctl("start", "tabard.service")

    assert served.show("tabard.service", "StatusText") == "serving"
    pid = served.show("tabard.service", "MainPID")
    assert "Seccomp:\t2" in Path(f"/proc/{pid}/status").read_text()
    served.systemctl("stop", "tabard.service")

    log = served.log.read_text()
    assert served.show("tabard.service", "Result") == "success"
    assert '"server.stopped"' in log
    assert "pickles.refused" not in log
    assert "supervisor.not_told" not in log


def test_killed_server_is_started_again(served: Manager) -> None:
    """And serves again, with what its registry held."""
    served.systemctl("start", "tabard.service")
    before = served.show("tabard.service", "MainPID")

    served.systemctl("kill", "--signal=KILL", "tabard.service")
    served.until("tabard.service", "NRestarts", "1")
    served.until("tabard.service", "StatusText", "serving")

    assert served.show("tabard.service", "MainPID") != before
    served.systemctl("stop", "tabard.service")


def test_wrong_setting_is_not_tried_again(tmp_path: Path) -> None:
    """What no restart cures is told once, and stays."""
    command = f"{sys.executable} -m tabard serve --base /nowhere --registry %S/tabard/registry"
    unit = runs_here(text_of("tabard.service"), command=command)
    with manager_of(tmp_path, tabard_service=unit) as manager:
        manager.systemctl("start", "--no-block", "tabard.service")
        manager.until("tabard.service", "ActiveState", "failed")

        assert manager.show("tabard.service", "ExecMainStatus") == "4"
        assert manager.show("tabard.service", "NRestarts") == "0"
        assert "BASE_NOT_LOADABLE" in manager.log.read_text()


def test_stuck_engine_is_ended_by_the_watchdog(tmp_path: Path) -> None:
    """Its event loop goes on; what is missing is the sign of life of the engine."""
    command = f"{sys.executable} -m tests.deploy.machines.stuck_server %t/tabard"
    unit = runs_here(text_of("tabard.service"), command=command)
    unit = unit.replace("WatchdogSec=60", "WatchdogSec=2").replace("RestartSec=2", "RestartSec=1h")
    unit = unit.replace("PYTHONPATH=", f"PYTHONPATH={ROOT}:")
    with manager_of(tmp_path, tabard_service=unit) as manager:
        manager.systemctl("start", "tabard.service")
        manager.until("tabard.service", "Result", "watchdog")
        manager.until("tabard.service", "SubState", "auto-restart")

        log = manager.log.read_text()
        assert "ENGINE_STALLED" in log
        assert "signal=SIGTERM" in log


def test_port_is_held_while_the_gateway_is_away(tmp_path: Path) -> None:
    """Whoever asks before it runs, and while it restarts, is answered."""
    unit = runs_here(
        text_of("tabard-web.service"), command=f"{sys.executable} -m tabard web --listen systemd"
    )
    # Users that are made up for a service are for the manager of a machine.
    unit = unit.replace("DynamicUser=yes", "User=nobody")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    place = text_of("tabard-web.socket").replace("127.0.0.1:8080", f"127.0.0.1:{port}")

    with manager_of(tmp_path, tabard_web_service=unit, tabard_web_socket=place) as manager:
        manager.systemctl("start", "tabard-web.socket")
        assert manager.show("tabard-web.service", "ActiveState") == "inactive"
        first = httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE_SECONDS)
        manager.systemctl("restart", "--no-block", "tabard-web.service")
        second = httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE_SECONDS)

        assert (first.status_code, second.status_code) == (200, 200)
        manager.systemctl("stop", "tabard-web.socket", "tabard-web.service")
        assert manager.show("tabard-web.service", "Result") == "success"
