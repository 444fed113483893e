# SPDX-License-Identifier: Apache-2.0
"""A real systemd as the manager of a few units, in a mount namespace of its own; needs root.

In: units as texts. Out: what `systemctl` says of them. It is Debian's systemd as the manager of a
user, who is root: it starts, watches, hardens and stops services as the manager of a machine does.
What differs is said where it differs: its folders lie below `HOME`, and nothing is booted.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.root import ROOT

PATIENCE_SECONDS = 120.0
HOME = "/run/tabard-test"
"""The home of the manager, in its own namespace: nobody else sees it."""
HIDDEN = ("/root", "/home", "/run/user")
"""What `ProtectHome` hides."""
PRIVATE = ("/tmp/", "/var/tmp/")
"""What `PrivateTmp` hides."""

# The folders that a booted system has, and nothing of this machine's /run. What a service needs of
# this test's Python may lie in somebody's home: it is shown at its path, and the rest is not.
_START = """
set -e
shown=/var/tmp/$$.shown
mkdir -m 700 "$shown"
mount -t tmpfs tmpfs "$shown"
number=0
for path in $SHOWN; do
  mkdir "$shown/$number"
  mount --bind "$path" "$shown/$number"
  number=$((number + 1))
done
for home in /root /home; do
  case " $SHOWN" in *" $home"/*) mount -t tmpfs -o mode=755 tmpfs $home ;; esac
done
number=0
for path in $SHOWN; do
  for home in /root /home; do
    case $path in "$home"/*) mkdir -p "$path"; mount --bind "$shown/$number" "$path" ;; esac
  done
  number=$((number + 1))
done
mount -t tmpfs -o mode=755 tmpfs /run
closed=/run/systemd/inaccessible
mkdir -p /run/systemd/system $closed
mkdir -m 000 $closed/dir
install -m 000 /dev/null $closed/reg
mkfifo -m 000 $closed/fifo
mknod -m 000 $closed/chr c 0 0
mknod -m 000 $closed/blk b 0 0
touch $closed/sock
mkdir -p $HOME/run
exec /lib/systemd/systemd --user --default-standard-output=inherit
"""


@dataclass(frozen=True, kw_only=True)
class Manager:
    """A systemd that runs."""

    process: "subprocess.Popen[bytes]"
    units: Path
    log: Path

    def systemctl(self, *words: str) -> str:
        """Ask it for something; return what it says.

        Raises:
            AssertionError: It failed.
        """
        ran = self._run("systemctl", "--user", "--no-pager", *words)
        assert ran.returncode == 0, f"{words}: {ran.stdout}{ran.stderr}\n{self.log.read_text()}"
        return ran.stdout

    def show(self, unit: str, name: str) -> str:
        """Return a property of a unit."""
        return self.systemctl("show", unit, "--property", name, "--value").strip()

    def until(self, unit: str, name: str, value: str) -> None:
        """Wait until a property of a unit is so."""
        until = time.monotonic() + PATIENCE_SECONDS
        while (found := self.show(unit, name)) != value:
            assert time.monotonic() < until, f"{name} is {found!r}\n{self.log.read_text()}"
            time.sleep(0.1)

    def _run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        inside = ["nsenter", "--mount", "--target", str(self.process.pid), *command]
        return subprocess.run(
            inside,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
            env=_environment(self.units),
        )


@contextmanager
def manager_of(folder: Path, **units: str) -> Iterator[Manager]:
    """Start a systemd that knows these units, by name (`tabard_service`); it ends with the block.

    Args:
        folder: Where units and log lie.
        **units: Texts of units.
    """
    assert os.geteuid() == 0, "a manager of services needs root: run this as root"
    known, log = folder / "units", folder / "log"
    known.mkdir()
    for name, text in units.items():
        stem, _line, kind = name.rpartition("_")
        (known / f"{stem.replace('_', '-')}.{kind}").write_text(text, encoding="utf-8")
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "bash", "-c", _START],
            stdout=out,
            stderr=out,
            env=_environment(known),
        )
    found = Manager(process=process, units=known, log=log)
    try:
        _await(found)
        yield found
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def runs_here(unit: str, *, command: str, user: str = "nobody", group: str = "nogroup") -> str:
    """Return a unit of the repository as it can run in this tree: another command, an other user.

    Everything that hardens it stays, but `ProtectHome` where Python itself lies in a home. What of
    it lies among temporary files is shown to the unit at its path, and nothing else from there.
    """
    lines = []
    for line in unit.splitlines():
        name, _equals, _value = line.partition("=")
        if name == "ExecStart":
            lines += [f"ExecStart={command}", f"Environment=PYTHONPATH={_path()}"]
            lines += ["Environment=PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1"]
            lines += [f"BindReadOnlyPaths={path}" for path in _shown() if path.startswith(PRIVATE)]
        elif name in ("User", "Group"):
            lines.append(f"{name}={user if name == 'User' else group}")
        elif name == "ProtectHome" and any(path.startswith(HIDDEN) for path in _shown()):
            continue
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def _await(manager: Manager) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while manager._run("systemctl", "--user", "list-units").returncode:
        assert manager.process.poll() is None, manager.log.read_text()
        assert time.monotonic() < until, manager.log.read_text()
        time.sleep(0.1)
    # Services of other users tell how they stand, as they may tell the manager of a machine.
    manager._run("chmod", "0777", f"{HOME}/run/systemd/notify")


def _shown() -> list[str]:
    """Return the folders that a service needs of this test's Python."""
    found = {sys.base_prefix, str(Path(sys.prefix).resolve()), str(ROOT)}
    return sorted(path for path in found if not path.startswith(("/usr", "/opt")))


def _path() -> str:
    packages = ("clients/python", "clients/web", "registry", "server")
    return ":".join(str(ROOT / one) for one in packages)


def _environment(units: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": HOME,
        "XDG_RUNTIME_DIR": f"{HOME}/run",
        "SYSTEMD_UNIT_PATH": f"{units}:/usr/lib/systemd/user",
        "SHOWN": " ".join(_shown()),
    }
