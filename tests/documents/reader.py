# SPDX-License-Identifier: Apache-2.0
"""A reader with a shell at hand: every block of a document in order, in one shell, as printed.

The reader sits in an empty folder with the files that a document speaks of. `tabard serve` goes on
in a terminal of its own, on ports the system gives, and everything after it talks to that server.
What the reader did before (install, make) is noted and not done again: other tests do it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabard_server.engine.base.loading import DEMO_BASE
from tests.documents.markdown import Fence
from tests.root import ROOT

HUB_ID = "stable-diffusion-v1-5/stable-diffusion-v1-5"
"""The hub id that the documents name. Here the demo base lies under it, in the hub's own cache."""

RUN, SHOWN = frozenset({"sh", "python"}), frozenset({"text", "json", "toml", "yaml"})
"""Languages of blocks that are run, and of those that only show something."""

ELSEWHERE = ("make", "pip", "git", "docker", "apt-get", "tests/ceph")
"""Programs that a block may name and this reader only notes: they change the machine."""

SECONDS_MAX = 600
_COMMIT = "0" * 40

_SHELL = """
set -Eeuo pipefail
server=
finish() { if [[ -n $server ]]; then kill -TERM "$server"; wait "$server" || true; fi; server=; }
trap finish EXIT
# The line of the document: the frame within a block, whatever function it called.
tell() {
  local frame
  for frame in "${!BASH_SOURCE[@]}"; do
    [[ ${BASH_SOURCE[frame]} == *.md-* ]] || continue
    echo "FAILED: ${BASH_SOURCE[frame]##*/}, line ${BASH_LINENO[frame - 1]}" >&2
    return
  done
}
trap tell ERR
tabard() {
  if [[ $1 != serve ]]; then command tabard "$@"; return; fi
  finish
  rm -f "$TABARD_READY_FILE"
  command tabard "$@" >>server.log 2>&1 &
  server=$!
  until [[ -e $TABARD_READY_FILE ]]; do
    kill -0 "$server" 2>/dev/null || { server=; cat server.log >&2; return 1; }
    sleep 0.05
  done
  TABARD_ADDRESS=$(python -c 'import json, sys; print(json.load(sys.stdin)["address"])' \\
    <"$TABARD_READY_FILE")
  export TABARD_ADDRESS
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What came of reading a document: the end of its shell, and all that was shown."""

    status: int
    output: str


def read(
    blocks: Sequence[Fence], *, name: str, folder: Path, variables: Mapping[str, str] | None = None
) -> Reading:
    """Run what a document prints, from its first block to its last.

    Args:
        blocks: Its blocks.
        name: What it is called; a failing line is told as `NAME:LINE`.
        folder: Where the reader sits, with the files that the document speaks of.
        variables: What the reader's environment says beside its own.
    """
    script = [_SHELL, *(f'{one}() {{ echo {one} "$@" >>elsewhere.txt; }}' for one in ELSEWHERE)]
    notes = folder / ".reader"
    notes.mkdir()
    for block in blocks:
        if block.language not in RUN:
            continue
        # Lines of the block keep the numbers they have in the document.
        path = notes / f"{name}-{block.line}.{block.language}"
        path.write_text("\n" * (block.line - 1) + block.text, encoding="utf-8")
        words = {"sh": "source", "python": "python"}
        script.append(f"{words[block.language]} {shlex.quote(str(path))}")
    log = notes / "output.txt"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            ["bash", "-c", "\n".join(script)],
            cwd=folder,
            env=_environment(notes) | dict(variables or {}),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
        try:
            status = process.wait(timeout=SECONDS_MAX)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    return Reading(status=status, output=log.read_text(encoding="utf-8", errors="replace"))


def _environment(notes: Path) -> dict[str, str]:
    kept = {name: said for name, said in os.environ.items() if not name.startswith("TABARD_")}
    return kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(notes),
        "HF_HOME": str(_hub_cache(notes / "hub")),
        "HF_HUB_OFFLINE": "1",
        "TABARD_LISTEN": "127.0.0.1:0",
        "TABARD_METRICS_LISTEN": "127.0.0.1:0",
        "TABARD_READY_FILE": str(notes / "ready.json"),
        "TABARD_ACTOR": "reader",
    }


def _hub_cache(home: Path) -> Path:
    """Lay the demo base into a hub's cache, as if it had been fetched under `HUB_ID`."""
    model = home / "hub" / f"models--{HUB_ID.replace('/', '--')}"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text(_COMMIT, encoding="ascii")
    (model / "snapshots").mkdir()
    shutil.copytree(DEMO_BASE, model / "snapshots" / _COMMIT)
    return home


def documents() -> list[Path]:
    """Return every document of the repository that a user or a contributor reads."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "deploy").glob("**/*.md")]
    return sorted(path for path in found if path.name not in {"CHANGELOG.md", "ARCHITECTURE.md"})
