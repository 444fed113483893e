# SPDX-License-Identifier: Apache-2.0
"""Hostile pickles never run, never take more than they are given, and are refused by name."""

import tempfile
import tracemalloc
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tabard_registry import check
from tabard_registry.intake.files.limits import IntakeLimits
from tabard_registry.intake.files.pickles import PickleRefused
from tabard_server.pickles import reader
from tabard_server.pickles.reader import SandboxLimits, read_in_sandbox
from tests.registry.fakes import sd_profile
from tests.registry.intake.files.hostile_pickles import MEBIBYTE, NOT_TORCH, RUNS_CODE, TAKES_ALL
from tests.server.pickles.warm_cell import warm_cells

LIMITS = SandboxLimits(bytes_max=64 * MEBIBYTE, memory_bytes_max=256 * MEBIBYTE, seconds_max=2)
ALONE = "system in a zip"


def verdict(path: Path, *, limits: SandboxLimits = LIMITS) -> tuple[str, str]:
    """Return why a file is refused; empty when it is read."""
    try:
        read_in_sandbox(path, limits=limits)
    except PickleRefused as refused:
        return refused.reason, refused.detail
    return "", ""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def verdicts(scene: Path) -> Mapping[str, tuple[str, str]]:
    """What becomes of every hostile file; two cells at a time.

    One goes to a process of its own, as all do in a server; the others to forks of one that has
    imported what they need.
    """
    writers = {**RUNS_CODE, **{k: w for k, (w, _) in TAKES_ALL.items()}, **NOT_TORCH}
    files = {}
    for name, write in writers.items():
        files[name] = scene / f"{name.replace(' ', '-')}.pt"
        write(files[name], f"touch {scene / 'canary'}")
    alone = {ALONE: verdict(files.pop(ALONE))}
    command = reader._command
    with (
        warm_cells(scene) as quick,
        pytest.MonkeyPatch.context() as patch,
        ThreadPoolExecutor(2) as pool,
    ):
        patch.setattr(reader, "_command", lambda limits: quick(command(limits)))
        return alone | dict(zip(files, pool.map(verdict, files.values()), strict=True))


@pytest.mark.parametrize("name", RUNS_CODE)
def test_code_never_runs(name: str, verdicts: Mapping[str, tuple[str, str]], scene: Path) -> None:
    """Every payload is refused, and the canary is not there."""
    assert verdicts[name][0] == "PICKLE_REFUSED"
    assert not (scene / "canary").exists()


def test_payloads_are_alive(scene: Path) -> None:
    """The same payload creates a canary where somebody unpickles it: the test would see it."""
    import torch  # noqa: PLC0415

    canary = scene / "alive"
    RUNS_CODE["system in a zip"](scene / "alive.pt", f"touch {canary}")
    torch.load(scene / "alive.pt", weights_only=False)

    assert canary.exists()


@pytest.mark.parametrize("name", TAKES_ALL)
def test_appetite_is_bounded(name: str, verdicts: Mapping[str, tuple[str, str]]) -> None:
    """Memory and time have an end, and the reason says which."""
    assert verdicts[name][0] in TAKES_ALL[name][1], verdicts[name]


@pytest.mark.parametrize("name", NOT_TORCH)
def test_other_archives_are_refused(name: str, verdicts: Mapping[str, tuple[str, str]]) -> None:
    """What is no embedding is told so."""
    assert verdicts[name][0] == "PICKLE_REFUSED", verdicts[name]


def test_refusal_names_the_call(verdicts: Mapping[str, tuple[str, str]]) -> None:
    """People learn what the file wanted, and nobody is told to read it without care."""
    detail = verdicts["system in a zip"][1]

    assert "system" in detail
    assert not any("weights_only" in said for _, said in verdicts.values())


def play(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Put a program in the sandbox's place."""
    command = [reader.sys.executable, "-I", "-c", program]
    monkeypatch.setattr(reader, "_command", lambda limits: command)


@pytest.mark.parametrize("name", ["system in a zip", "a process", "exec"])
def test_seal_holds_by_itself(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were torch to run the code of a pickle, it could do nothing: the second wall alone."""
    play(
        monkeypatch,
        "import os, torch; load = torch.load\n"
        "torch.load = lambda *a, **k: load(*a, **{**k, 'weights_only': False})\n"
        "from tabard_server.pickles.__main__ import main\n"
        f"os._exit(main(['{MEBIBYTE}', '{256 * MEBIBYTE}', '4']))",
    )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        file, canary = Path(folder) / "x.pt", Path(folder) / "canary"
        RUNS_CODE[name](file, f"touch {canary}")

        found = verdict(file)

        assert found[0] == "PICKLE_REFUSED", found
        assert "wants to call" not in found[1]
        assert not canary.exists()


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import time; print('ready', flush=True); time.sleep(60)", "PICKLE_TIMEOUT"),
        ("print('ready', flush=True); import os; os.abort()", "PICKLE_REFUSED"),
        ("print('something else', flush=True)", "PICKLE_REFUSED"),
        ("raise SystemExit(1)", "PICKLE_REFUSED"),
        ("print('ready', flush=True)", "PICKLE_REFUSED"),
        ("print('x' * 1000, flush=True)", "PICKLE_REFUSED"),
    ],
)
def test_broken_sandbox_is_a_refusal(
    program: str, reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A sandbox that hangs, dies or talks nonsense ends in a typed refusal."""
    play(monkeypatch, program)
    file = tmp_path / "x.pt"
    file.write_bytes(b"PK\x03\x04")

    patience = 1 if reason == "PICKLE_TIMEOUT" else 60

    assert verdict(file, limits=SandboxLimits(wall_seconds_max=patience))[0] == reason


def test_endless_answer_is_cut(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A sandbox that was taken over cannot fill the memory of who asked."""
    play(
        monkeypatch,
        "import sys; w = sys.stdout.buffer.write; w(b'ready\\nok\\n')\nwhile True: w(bytes(65536))",
    )
    file = tmp_path / "x.pt"
    file.write_bytes(b"PK\x03\x04")
    tracemalloc.start()
    try:
        found = verdict(file, limits=SandboxLimits(bytes_max=MEBIBYTE, seconds_max=30))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert found[0] == "PICKLE_TOO_LARGE"
    assert peak_bytes < 16 * MEBIBYTE


@pytest.mark.parametrize(
    "answer",
    [b"", b"junk", b"\xff" * 40, b"\x08\0\0\0\0\0\0\0{}      ", b"\x04\0\0\0\0\0\0\0{..}"],
)
def test_answer_is_not_believed(answer: bytes, tmp_path: Path) -> None:
    """What comes out of the sandbox is opened like any hostile file."""
    file = tmp_path / "x.pt"
    file.write_bytes(b"PK\x03\x04")

    report = check([file], profile=sd_profile(), pickles=lambda path: answer).report

    assert not report.accepted
    assert {problem.reason for problem in report.problems} <= {"PICKLE_REFUSED", "EMPTY"}


def test_without_a_reader_says_what_to_install(tmp_path: Path) -> None:
    """The registry alone reads no pickle and says what would."""
    file = tmp_path / "x.safetensors"
    file.write_bytes(b"\x80\x04\x95\x00." * 9)

    problem = check([file], profile=sd_profile()).report.problems[0]

    assert problem.reason == "PICKLE_READER_MISSING"
    assert "tabard[server]" in problem.remedy


def test_large_pickle_stays_outside(tmp_path: Path) -> None:
    """Beyond the limit no process is started."""
    file = tmp_path / "x.ckpt"
    file.write_bytes(b"PK\x03\x04" + bytes(100))
    limits = IntakeLimits(pickle_bytes_max=100)

    report = check([file], profile=sd_profile(), limits=limits, pickles=pytest.fail).report

    assert [problem.reason for problem in report.problems] == ["PICKLE_TOO_LARGE"]
