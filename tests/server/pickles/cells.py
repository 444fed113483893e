# SPDX-License-Identifier: Apache-2.0
"""Cells in which hostile code runs: a scene that nobody may change, and what came of it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.root import ROOT

PROGRAM = Path(__file__).with_name("hostile_cell.py")
NOBODY = 65534
SECRET = "only for its owner"
PATIENCE_SECONDS = 300
WALLS = ("filter", "landlock", "limits", "network")

_REFUSING = """
import ctypes, os
lib = ctypes.CDLL("libseccomp.so.2")
lib.seccomp_init.restype = ctypes.c_void_p
context = ctypes.c_void_p(lib.seccomp_init(0x7FFF0000))
number = lib.seccomp_syscall_resolve_name({name!r})
assert lib.seccomp_rule_add(context, 0x00050000 | {error}, number, 0) == 0
assert lib.seccomp_load(context) == 0
os.execv({command[0]!r}, {command!r})
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a run of attempts came to."""

    statuses: Mapping[str, int]
    said: Mapping[str, str]
    changed: Sequence[str]
    callers: int
    victim: str


def run_attempts(attempts: Mapping[str, str], *, user: str, without: Sequence[str] = ()) -> Told:
    """Run attempts in real cells that start as `root` or as a `plain` user."""
    is_root = os.geteuid() == 0
    if user == "root" and not is_root:
        pytest.skip("only root can start a cell as root")
    owner = NOBODY if is_root else os.getuid()
    with _scene(owner=owner) as folder:
        wish = {
            "scene": str(folder / "scene"),
            "owner": owner,
            "user": 0 if user == "root" else owner,
            "without": list(without),
            "attempts": dict(attempts),
        }
        (folder / "wish.json").write_text(json.dumps(wish))
        done = subprocess.run(
            [sys.executable, "-I", "-B", PROGRAM, folder / "wish.json"],
            capture_output=True,
            env={"OMP_NUM_THREADS": "1"},
            cwd=ROOT,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    found = json.loads(done.stdout)
    return Told(
        statuses={name: one["status"] for name, one in found["told"].items()},
        said={name: one["said"] for name, one in found["told"].items()},
        changed=found["changed"],
        callers=found["callers"],
        victim=found["victim"],
    )


def cell_program(before: str, *, arguments: Sequence[int]) -> list[str]:
    """Return a command: the real program of the sandbox, after some lines of our own."""
    program = f"{before}\nimport os\nfrom tabard_server.pickles.__main__ import main\n"
    program += f"os._exit(main({[str(one) for one in arguments]}))"
    return [sys.executable, "-I", "-B", "-c", program]


def refusing(call: str, *, error: int, command: list[str]) -> list[str]:
    """Return a command that is refused one call, as by a container's profile or an old kernel."""
    program = _REFUSING.format(name=call.encode(), error=error, command=command)
    return [sys.executable, "-I", "-c", program]


@contextmanager
def _scene(*, owner: int) -> Iterator[Path]:
    """Make a folder that every user can reach, with files that only their owner can read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "scene" / "folder").mkdir(parents=True)
        for file in ("secret", "victim"):
            (folder / "scene" / file).write_text(SECRET)
            (folder / "scene" / file).chmod(0o600)
        for one in (folder / "scene", *(folder / "scene").iterdir()):
            os.chown(one, owner, owner if owner == NOBODY else -1)
        yield folder
