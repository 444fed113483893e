# SPDX-License-Identifier: Apache-2.0
"""The wall clock of a server jumps by years, both ways, while it serves: nothing depends on it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tabard import Client
from tests.bases import make_tiny_base, write_diffusers_lora
from tests.e2e.conftest import run_server

pytestmark = pytest.mark.faults

JUMPS = ("+10y", "-10y", "+1d", "-40y", "+0")


def test_jumps_of_the_clock_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines hold, records follow each other by their number, and all of it is still there."""
    library = _faketime()
    base = make_tiny_base(tmp_path / "base")
    style = write_diffusers_lora(base, tmp_path / "ink.safetensors", seed=1)
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    for name, value in {
        "LD_PRELOAD": library,
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }.items():
        monkeypatch.setenv(name, value)

    with run_server(tmp_path / "server", base=base) as server, Client(server.address) as client:
        for number, jump in enumerate(JUMPS):
            clock.write_text(f"{jump}\n")
            version = f"1.{number}.0"
            client.publish("acme/ink", style, version=version)
            client.promote(f"acme/ink@{version}", channel="stable")
            drawn = client.generate(
                "x",
                adapters=["acme/ink"],
                num_inference_steps=2,
                width=32,
                height=32,
                timeout_seconds=60,
            )
            assert drawn.worn[0].version == version
        years = {entry.time[:4] for entry in client.history("acme/ink")}
        acts = [entry.seq for entry in client.history("acme/ink")]
        rolled = client.rollback("acme/ink", reason="drift")

    assert len(years) >= 3, "the clock did not jump"
    assert acts == sorted(acts)
    assert rolled.version == f"1.{len(JUMPS) - 2}.0"


def _faketime() -> str:
    """Find Debian's libfaketime."""
    program = shutil.which("faketime")
    assert program, "install Debian's package faketime"
    told = subprocess.run(
        [program, "-f", "+0", "env"], capture_output=True, text=True, check=True, env=os.environ
    ).stdout
    lines = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    return lines["LD_PRELOAD"]
