# SPDX-License-Identifier: Apache-2.0
"""Several real processes on one folder: nothing lost, nothing doubled, nothing half visible."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tabard_registry import Registry, sha256_file
from tabard_registry.store.folder import FolderStore
from tests.registry.fakes import NAME
from tests.root import ROOT

PROCESSES = 4
PUBLISHES = 25
KILLS = 4

WRITER = """
import sys
from pathlib import Path
from tabard_registry import Registry
from tests.registry.fakes import publish
url, folder, number, count = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
registry = Registry.open(url)
for i in range(count):
    print(publish(registry, f"{number}.{i}.0", folder=folder).release.version, flush=True)
"""

HALF_PUTTER = """
import sys, time
from pathlib import Path
from tabard_registry.store.folder import FolderStore
def chunks():
    yield b"first half"
    print("half", flush=True)
    time.sleep(60)
FolderStore(Path(sys.argv[1])).put("blob/sha256/aa/bb", chunks=chunks())
"""


def run(code: str, *arguments: str) -> "subprocess.Popen[str]":
    """Start a Python process with the import path of this one."""
    paths = [str(ROOT), *(p for p in sys.path if p)]
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )


def start(folder: Path, number: int, *, count: int) -> "subprocess.Popen[str]":
    """Start a process that publishes `count` releases and prints each that was acknowledged."""
    own = folder / f"writer-{number}"
    own.mkdir()
    return run(WRITER, str(folder / "registry"), str(own), str(number), str(count))


def check_blobs(registry: Registry, root: Path) -> None:
    """Every blob is what its name says, and every release has its own."""
    for path in (root / "blob").rglob("*"):
        if path.is_file():
            assert sha256_file(path).hex == path.parent.name + path.name
    for adapter in registry.state.adapters_after():
        for release in adapter.releases:
            manifest = registry.manifest(release.digest)
            for blob in (*manifest.original, manifest.canonical):
                assert registry.blob_path(blob.sha256) is not None


def test_processes_share_one_folder(tmp_path: Path) -> None:
    """Four processes that publish at once make one chain with everything in it, once."""
    processes = [start(tmp_path, number, count=PUBLISHES) for number in range(PROCESSES)]

    outputs = [process.communicate()[0] for process in processes]

    assert [process.returncode for process in processes] == [0] * PROCESSES
    registry = Registry.open(str(tmp_path / "registry"), create=False)
    acknowledged = [line for output in outputs for line in output.split()]
    published = Counter(a.version for a in registry.queries.history())
    assert published == Counter(acknowledged)
    assert registry.seq == len(acknowledged) == PROCESSES * PUBLISHES
    assert len({applied.record.id for applied in registry.since(0)}) == registry.seq
    assert len(registry.state.adapters[NAME].by_version) == registry.seq
    check_blobs(registry, tmp_path / "registry")


def test_killed_writer_leaves_whole_registry(tmp_path: Path) -> None:
    """A writer killed at any moment leaves what it acknowledged, and nothing half done."""
    acknowledged: list[str] = []
    for number in range(KILLS):
        process = start(tmp_path, number, count=10_000)
        assert process.stdout is not None
        for _ in range(3 + number):
            acknowledged.append(process.stdout.readline().strip())
        process.send_signal(signal.SIGKILL)
        acknowledged += process.stdout.read().split()
        process.stdout.close()
        process.wait()

    registry = Registry.open(str(tmp_path / "registry"), create=False)

    found = {str(version) for version in registry.state.adapters[NAME].by_version}
    assert set(acknowledged) <= found
    assert len(found) == registry.seq
    check_blobs(registry, tmp_path / "registry")
    assert [p for p in (tmp_path / "registry" / "log").iterdir() if p.suffix != ".json"] == []


def test_blob_killed_midway_is_invisible(tmp_path: Path) -> None:
    """A writer killed in the middle of a blob leaves no blob, and the next one can put it."""
    process = run(HALF_PUTTER, str(tmp_path))
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"

    process.send_signal(signal.SIGKILL)
    process.stdout.close()
    process.wait()

    store = FolderStore(tmp_path)
    assert store.size_bytes("blob/sha256/aa/bb") is None
    store.put("blob/sha256/aa/bb", chunks=[b"whole"])
    assert store.read("blob/sha256/aa/bb", bytes_max=9) == b"whole"
