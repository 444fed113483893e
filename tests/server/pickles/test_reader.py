# SPDX-License-Identifier: Apache-2.0
"""The side that asks: an answer within bounds, whatever the sandbox says or does not say."""

import errno
from pathlib import Path

import pytest
import torch
from safetensors.torch import load

from tabard_registry.intake.files.pickles import PickleRefused
from tabard_server.pickles import reader
from tabard_server.pickles.reader import SandboxLimits, examine_seal, read_in_sandbox
from tests.server.pickles.cells import cell_program, refusing

SMALL = SandboxLimits(bytes_max=1 << 16, start_seconds_max=60, wall_seconds_max=60)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x.pt"
    torch.save({"<ink>": torch.arange(6.0).view(2, 3)}, path)
    return path


def say(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a shell in the place of the sandbox."""
    monkeypatch.setattr(reader, "_command", lambda _limits: ["/bin/sh", "-c", script])


def test_tensors_come_out_as_safetensors(file: Path) -> None:
    """The real sandbox, sealed, gives what the file holds."""
    found = load(read_in_sandbox(file))

    assert torch.equal(found["<ink>"], torch.arange(6.0).view(2, 3))


def test_file_is_what_the_sandbox_reads(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    """On its standard input, and its answer is taken to the last byte."""
    say(monkeypatch, "printf 'ready\\nok\\n'; cat")

    assert read_in_sandbox(file, limits=SMALL) == file.read_bytes()


@pytest.mark.parametrize(
    ("script", "reason", "says"),
    [
        ("exit 3", "PICKLE_REFUSED", "did not start"),
        ("echo hello", "PICKLE_REFUSED", "did not start"),
        ("printf 'readyreadyreadyready\\n'", "PICKLE_REFUSED", "did not start"),
        ("printf 'ready\\nrefused\\nit is odd'", "PICKLE_REFUSED", "it is a pickle, and it is odd"),
        ("printf 'ready\\nlarge\\nit has much'", "PICKLE_TOO_LARGE", "it has much"),
        ("printf 'ready\\nrefused\\na\\033[2Jb'", "PICKLE_REFUSED", r"and a \[2Jb"),
        ("printf 'ready\\nperhaps\\n'", "PICKLE_REFUSED", r"died of it \(0\)"),
        ("echo ready; exit 7", "PICKLE_REFUSED", r"died of it \(7\)"),
        ("echo ready; kill -SYS $$", "PICKLE_REFUSED", "tried what reading data never does"),
        ("echo unsealed; echo no_call: no", "PICKLE_SEAL_UNAVAILABLE", "sealed here: no_call: no"),
        ("echo unsealed", "PICKLE_SEAL_UNAVAILABLE", "cannot be sealed here"),
        ("echo ready; kill -XCPU $$", "PICKLE_TIMEOUT", "too much time"),
        ("echo ready; kill -KILL $$", "PICKLE_TIMEOUT", "too much time"),
        ("printf 'ready\\nok\\n'; cat /dev/zero", "PICKLE_TOO_LARGE", "too large"),
    ],
)
def test_whatever_a_sandbox_says_is_judged(
    monkeypatch: pytest.MonkeyPatch, file: Path, script: str, reason: str, says: str
) -> None:
    """Nothing that a captured sandbox could say is believed, printed raw, or read for ever."""
    say(monkeypatch, script)

    with pytest.raises(PickleRefused, match=says) as caught:
        read_in_sandbox(file, limits=SMALL)

    assert caught.value.reason == reason


def test_nothing_is_read_without_the_library(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    """Where libseccomp is missing the file is refused, and the remedy names the package."""
    patch = "from tabard_server.pickles import seccomp\nseccomp._LIBRARY = 'libnowhere.so.9'"
    command = cell_program(patch, arguments=(1 << 20, 1 << 30, 10))
    monkeypatch.setattr(reader, "_command", lambda _limits: command)

    with pytest.raises(PickleRefused, match=r"sealed here: libnowhere\.so\.9: it is") as caught:
        read_in_sandbox(file)

    assert caught.value.reason == "PICKLE_SEAL_UNAVAILABLE"
    assert "apt-get install libseccomp2" in caught.value.remedy
    assert "convert it to safetensors" in caught.value.remedy


def test_nothing_is_read_where_seals_are_forbidden(
    monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    """A container that forbids filters is another thing than a missing library, and is named."""
    command = cell_program("", arguments=(1 << 20, 1 << 30, 10))
    forbidden = refusing("seccomp", error=errno.EPERM, command=command)
    monkeypatch.setattr(reader, "_command", lambda _limits: forbidden)

    with pytest.raises(PickleRefused, match="cannot be sealed here: seccomp") as caught:
        read_in_sandbox(file)

    assert caught.value.reason == "PICKLE_SEAL_UNAVAILABLE"
    assert "Docker's default profile" in caught.value.remedy


def test_seal_can_be_examined() -> None:
    """Without a file: what it is made of here, the filter last."""
    assert examine_seal().endswith("seccomp")


@pytest.mark.parametrize(
    ("script", "limits"),
    [
        ("exec sleep 60", SandboxLimits(start_seconds_max=0)),
        ("echo ready; exec sleep 60", SandboxLimits(start_seconds_max=60, wall_seconds_max=0)),
    ],
)
def test_silent_sandbox_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, file: Path, script: str, limits: SandboxLimits
) -> None:
    """Neither before it is sealed nor after; its process is gone when the answer is."""
    say(monkeypatch, script)

    with pytest.raises(PickleRefused) as caught:
        read_in_sandbox(file, limits=limits)

    assert caught.value.reason == "PICKLE_TIMEOUT"
