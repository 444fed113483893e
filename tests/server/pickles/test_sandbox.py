# SPDX-License-Identifier: Apache-2.0
"""A sealed process can do nothing, whatever code runs in it; and what cannot be sealed says so."""

import errno
import os
import signal
import subprocess
from functools import cache

import pytest

from tabard_server.pickles import reader
from tabard_server.pickles.landlock import landlock_version
from tests.server.pickles.cells import SECRET, WALLS, Told, cell_program, refusing, run_attempts
from tests.server.pickles.hostile_attempts import ALIVE, APPETITES, ATTEMPTS, STRONG

USERS = ("root", "plain")
FILE_ATTEMPTS = ("open after close(0)", "mkdir", "rename")


@cache
def sealed(user: str) -> Told:
    """Run every attempt in a sealed cell, once."""
    return run_attempts({**ATTEMPTS, **APPETITES}, user=user)


@pytest.mark.parametrize("name", ATTEMPTS)
@pytest.mark.parametrize("user", USERS)
def test_attempt_ends_its_process(user: str, name: str) -> None:
    """The code runs where unpickling would run it, and what it tries is the last thing it does."""
    told = sealed(user)

    assert told.said[name] == "ready\nbegun "
    assert told.statuses[name] == -signal.SIGSYS


@pytest.mark.parametrize("user", USERS)
def test_nothing_happened_outside(user: str) -> None:
    """No file is other than before, nobody was called, and the other process is as it was."""
    told = sealed(user)

    assert (told.changed, told.callers, told.victim) == ([], 0, "untouched")
    assert not any(SECRET in said or "root:" in said for said in told.said.values())


@pytest.mark.parametrize("name", APPETITES)
@pytest.mark.parametrize("user", USERS)
def test_appetite_has_an_end(user: str, name: str) -> None:
    """Memory, time and depth end in an error or in death; who asked ends an endless answer."""
    told = sealed(user)

    ended = told.statuses[name] in (-signal.SIGXCPU, -signal.SIGKILL, -signal.SIGSEGV)
    # Whoever reads an endless answer hangs up: the writer fails at that, or is killed first.
    hung_up = told.said[name] == "endless" and name == "endless answer"
    assert ended or hung_up or "Error" in told.said[name]
    assert "worked" not in told.said[name]


def test_attempts_are_alive() -> None:
    """Without the walls they work: the tests above see what the walls forbid."""
    attempts = {name: code for name, code in ATTEMPTS.items() if name not in STRONG}

    told = run_attempts(attempts, user="plain", without=WALLS)

    dead = {name: told.said[name] for name in ALIVE if "worked" not in told.said[name]}
    assert dead == {}
    assert len(ALIVE) >= 40
    assert SECRET in told.said["the user's own file after close(0)"]
    assert any(change.startswith("canary ") for change in told.changed)
    assert told.callers > 0


def test_filter_is_what_kills() -> None:
    """With that one wall taken away the code of an attempt goes on."""
    attempts = {"a pipe": "os.pipe()", "a look": "os.getcwd()"}

    told = run_attempts(attempts, user="plain", without=["filter"])

    assert told.statuses == {"a pipe": 0, "a look": 0}


def test_landlock_holds_files_alone() -> None:
    """Were the filter to have a hole, there is a second wall, where the kernel has it."""
    if landlock_version() == 0:
        pytest.skip("this kernel has no Landlock")
    attempts = {name: ATTEMPTS[name] for name in FILE_ATTEMPTS}

    told = run_attempts(attempts, user="plain", without=["filter", "limits"])

    assert {name: "PermissionError" in said for name, said in told.said.items()} == dict.fromkeys(
        FILE_ATTEMPTS, True
    )
    assert told.changed == []


def seal_under(call: str, error: int) -> list[str]:
    """Seal a process to which one system call is refused; return the lines that it says."""
    command = refusing(call, error=error, command=cell_program("", arguments=(0, 1 << 30, 10)))
    done = subprocess.run(command, capture_output=True, env={}, timeout=120, check=True)
    return done.stdout.decode().splitlines()


@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOSYS])
@pytest.mark.parametrize(
    ("call", "named"),
    [
        ("seccomp", "seccomp_init"),
        ("prctl", "prctl"),
        ("capset", "capset"),
        ("prlimit64", "setrlimit"),
        ("landlock_restrict_self", "landlock_restrict_self"),
        ("setgroups", "setgroups"),
        ("setresgid", "setresgid"),
        ("setresuid", "setresuid"),
    ],
)
def test_refused_call_leaves_nothing_sealed(call: str, named: str, error: int) -> None:
    """Every call of the seal is looked at: where one fails the cell names it and reads nothing."""
    if call.startswith("set") and os.geteuid() != 0:
        pytest.skip("only root gives itself up")
    if call.startswith("landlock") and landlock_version() == 0:
        pytest.skip("this kernel has no Landlock")

    word, why, *_remedy = seal_under(call, error)

    assert word == "unsealed"
    assert why.startswith(f"{named}: ")


@pytest.mark.parametrize(
    ("call", "missing"), [("unshare", "own network"), ("landlock_create_ruleset", "Landlock")]
)
def test_what_only_some_kernels_have_may_be_missing(call: str, missing: str) -> None:
    """A network of its own and Landlock come on top; the filter is what must be there."""
    word, _ok, layers = seal_under(call, errno.ENOSYS)

    assert word == "ready"
    assert missing not in layers
    assert layers.endswith("seccomp")


def test_root_and_its_rights_are_gone() -> None:
    """What the kernel says of a sealed process: nobody, no capability, one filter, no way back."""
    command = cell_program("", arguments=(1 << 20, 1 << 30, 10))
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=reader.ENVIRONMENT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        with open(f"/proc/{process.pid}/status") as file:  # noqa: PTH123 - a file of the kernel
            facts = dict(line.rstrip("\n").split(":\t", 1) for line in file)
        process.stdin.close()
        process.stdout.read()

    assert facts["Seccomp"] == "2"
    assert facts["NoNewPrivs"] == "1"
    assert {int(facts[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    assert "0" not in facts["Uid"].split()
    assert facts["Threads"] == "1"
