# SPDX-License-Identifier: Apache-2.0
"""After a start: what an earlier run kept is loaded, as far as channels want it and it fits."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tabard_registry import (
    AdapterName,
    AdapterRef,
    Author,
    IntakeLimits,
    Registry,
    ReleaseDraft,
    Version,
    check,
)
from tabard_registry.refs.names import ByVersion
from tabard_server.adapters.disk_cache import DiskCache, KeptRelease
from tabard_server.adapters.host_cache import HostCache
from tabard_server.followers.warming import Warming
from tabard_server.telemetry.labels import Labels
from tabard_server.telemetry.metrics import Metrics
from tests.server.adapters.sized_adapters import SizedLoader
from tests.server.fakes import PROFILE
from tests.server.harness import lora_file

INK = AdapterName.parse("acme/ink")
VERSIONS = ("1.0.0", "1.1.0", "1.2.0")


def ref(version: str) -> AdapterRef:
    """Name one version exactly."""
    return AdapterRef(adapter=INK, selector=ByVersion(Version.parse(version)))


@pytest.fixture
def stocked(tmp_path: Path) -> tuple[Registry, dict[str, str]]:
    """Publish three versions and promote them in turn; digests by version."""
    registry = Registry.open(str(tmp_path / "registry"))
    digests = {}
    for rank, version in enumerate(VERSIONS, start=1):
        file = tmp_path / f"{version}.safetensors"
        file.write_bytes(lora_file(rank=rank))
        checked = check([file], profile=PROFILE, limits=IntakeLimits())
        draft = ReleaseDraft(adapter=INK, version=Version.parse(version))
        published = registry.publish(
            draft, checked=checked, files=[file], author=Author(actor="tester")
        )
        digests[version] = str(published.release.digest)
        registry.promote(ref(version), channel="stable", author=Author(actor="tester"))
    return registry, digests


def recalled(registry: Registry, kept: list[KeptRelease], *, folder: Path) -> list[str]:
    """Return what a new server loads."""

    async def walk() -> list[str]:
        loader = SizedLoader()
        with ThreadPoolExecutor(max_workers=1) as executor:
            cache = HostCache(
                load=loader,
                bytes_max=25,
                loads_max=1,
                waiting_rows_max=1,
                overtakes_max=1,
                executor=executor,
                metrics=Metrics(),
            )
            disk = DiskCache(folder, fetch=registry.fetch, bytes_max=100, metrics=Metrics())
            warming = Warming(registry, cache=cache, disk=disk, labels=Labels())  # type: ignore[arg-type]
            warming.begin_recall(lambda: kept)
            await asyncio.gather(*warming._loads)
        return loader.loads

    return asyncio.run(walk())


def kept(digest: str, *, line: str = "acme/ink", size_bytes: int = 10) -> KeptRelease:
    """Say that a release lies on the disk."""
    return KeptRelease(digest=digest, line=line, bytes=size_bytes)


def test_live_and_rollback_target_are_recalled(
    stocked: tuple[Registry, dict[str, str]], tmp_path: Path
) -> None:
    """What the channel points to and what a rollback returns to; not what came before."""
    registry, digests = stocked
    found = [kept(digests[version]) for version in VERSIONS]

    loads = recalled(registry, found, folder=tmp_path / "cache")

    assert loads == [digests["1.1.0"], digests["1.2.0"]]


def test_recall_stops_where_memory_ends(
    stocked: tuple[Registry, dict[str, str]], tmp_path: Path
) -> None:
    """Nothing is evicted for what nobody has asked for yet."""
    registry, digests = stocked
    found = [kept(digests["1.2.0"]), kept(digests["1.1.0"], size_bytes=20)]

    assert recalled(registry, found, folder=tmp_path / "cache") == [digests["1.2.0"]]


def test_withdrawn_and_strange_are_not_recalled(
    stocked: tuple[Registry, dict[str, str]], tmp_path: Path
) -> None:
    """A quarantined release stays on the disk; a line that is gone is nobody's."""
    registry, digests = stocked
    registry.quarantine(ref("1.2.0"), author=Author(actor="tester", reason="bad"))
    found = [kept(digests["1.2.0"]), kept(digests["1.1.0"], line="acme/gone")]

    assert recalled(registry, found, folder=tmp_path / "cache") == []
