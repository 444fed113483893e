# SPDX-License-Identifier: Apache-2.0
"""Starts publishers as processes, and judges what they left behind."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tabard_registry import Digest, Registry, read_canonical
from tests.root import ROOT


class Acknowledged(NamedTuple):
    """One line that a publisher printed."""

    version: str
    digest: str
    seq: int


def start_writer(
    url: str, folder: Path, number: int, *, count: int, environment: dict[str, str] | None = None
) -> "subprocess.Popen[str]":
    """Start one publisher; its files lie in a folder of its own."""
    own = folder / f"writer-{number}"
    own.mkdir()
    paths = [str(ROOT), *(path for path in sys.path if path)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.writer", url, str(own), str(number), str(count)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {}), "PYTHONPATH": os.pathsep.join(paths)},
    )


def acknowledged_by(output: str) -> list[Acknowledged]:
    """Read what a publisher printed; a line that was cut off by a kill does not count."""
    whole = output[: output.rfind("\n") + 1]
    rows = (line.split() for line in whole.splitlines())
    return [Acknowledged(version, digest, int(seq)) for version, digest, seq in rows]


def check_loads(registry: Registry, digest: str) -> None:
    """A release is whole: its manifest and every file of it are there, and right."""
    manifest = registry.manifest(Digest.parse(digest))
    assert manifest.canonical is not None
    with tempfile.TemporaryDirectory() as folder:
        for blob in (*manifest.original, manifest.canonical):
            registry.fetch(blob, Path(folder) / blob.sha256.hex)
        canonical = read_canonical(Path(folder) / manifest.canonical.sha256.hex, manifest)
    assert len(canonical.layers) == len(manifest.targets)
