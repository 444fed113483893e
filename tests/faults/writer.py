# SPDX-License-Identifier: Apache-2.0
"""A publisher in a process of its own; prints what was acknowledged.

    python -m tests.faults.writer URL FOLDER NUMBER COUNT

Each line is `version digest seq`. When the store does not answer it tries again under the same
request id, as a client would, until it is killed.
"""

import sys
import time
from pathlib import Path

from tabard_registry import Published, Registry, RegistryError, StoreUnavailable
from tests.registry.fakes import publish

PAUSE_SECONDS = 0.1


def open_registry(url: str) -> Registry:
    """Open the registry, however long the store takes to come back."""
    while True:
        try:
            return Registry.open(url)
        except StoreUnavailable:
            time.sleep(PAUSE_SECONDS)


def publish_surely(registry: Registry, version: str, *, folder: Path) -> Published:
    """Publish one release, however often it has to be tried."""
    while True:
        try:
            return publish(registry, version, folder=folder, request_id=f"publish-{version}")
        except StoreUnavailable:
            time.sleep(PAUSE_SECONDS)


def main(url: str, folder: str, number: str, count: str) -> int:
    """Publish `count` releases named after this writer's number."""
    registry = open_registry(url)
    for position in range(int(count)):
        try:
            found = publish_surely(registry, f"{number}.{position}.0", folder=Path(folder))
        except RegistryError as error:
            print(f"{error.reason}: {error}", file=sys.stderr, flush=True)
            return 1
        release = found.release
        print(release.version, release.digest, release.seq, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
