# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from tabard_registry import Registry
from tests.registry.fakes import NAME, publish


def test_release_matches_its_manifest(registry: Registry, tmp_path: Path) -> None:
    """What list shows without reading a blob is what the manifest says."""
    release = publish(registry, "1.0.0", folder=tmp_path).release

    manifest = registry.manifest(release.digest)

    assert manifest.digest == release.digest
    assert (manifest.adapter, manifest.version) == (NAME, release.version)
    assert (release.kind, release.rank, release.target_count) == ("lora", 2, len(manifest.targets))
    assert release.original == tuple(blob.sha256 for blob in manifest.original)
    assert release.resident_bytes == manifest.canonical.bytes


def test_adapters_list_newest_first(registry: Registry, tmp_path: Path) -> None:
    """Releases are listed by descending version, whenever they were published."""
    for version in ("1.10.0", "1.2.0", "2.0.0-rc.1"):
        publish(registry, version, folder=tmp_path)

    (adapter,) = registry.state.adapters_after()

    assert [str(r.version) for r in adapter.releases] == ["2.0.0-rc.1", "1.10.0", "1.2.0"]
