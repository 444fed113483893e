# SPDX-License-Identifier: Apache-2.0
"""A manifest can be read by whoever has its bytes."""

from tabard.convert import read_release
from tabard.releases.findings import Manifest
from tabard.v1 import adapter_pb2
from tabard_registry import AdapterName, sha256_bytes
from tests.registry.fakes import small_manifest


def test_manifest_names_the_authors_files() -> None:
    """By the digests of the bytes as they were sent."""
    written = small_manifest("1.0.0", adapter=AdapterName("acme", "a"), content=b"weights")

    manifest = Manifest(release=read_release(adapter_pb2.Release()), content=written.to_bytes())

    assert manifest.document["adapter"] == "acme/a"
    assert manifest.original_digests == (str(sha256_bytes(b"weights")),)
    assert "acme" not in repr(manifest).partition("content")[2]
