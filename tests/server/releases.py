# SPDX-License-Identifier: Apache-2.0
"""Releases that no registry holds, as values: what is worn, told and counted of them."""

from dataclasses import replace
from typing import Any

from tabard_registry import AdapterName, Release, Version, sha256_bytes
from tabard_registry.release.manifest import Member

PLAIN = Release(
    adapter=AdapterName.parse("acme/ink"),
    version=Version.parse("1.0.0"),
    digest=sha256_bytes(b"acme/ink@1.0.0"),
    kind="lora",
    purpose="style",
    base_family="sd1",
    base_fingerprint="sha256:" + "b" * 64,
    trigger_words=("inky",),
    tokens=(),
    rank=4,
    target_count=1,
    original=(sha256_bytes(b"file"),),
    canonical=sha256_bytes(b"canonical"),
    original_bytes=100,
    resident_bytes=200,
    dialect="diffusers",
    notes="black lines",
    licence="CC0-1.0",
    title="Ink",
    training={"steps": "10"},
    parent=None,
    seq=1,
    published_at="2026-01-01T00:00:00Z",
    published_by="ann",
)


def release(name: str = "acme/ink", version: str = "1.0.0", **changes: Any) -> Release:
    """Return a release with a digest of its own."""
    return replace(
        PLAIN,
        adapter=AdapterName.parse(name),
        version=Version.parse(version),
        digest=sha256_bytes(f"{name}@{version}".encode()),
        **changes,
    )


def member(of: Release, *, weight: float = 1.0) -> Member:
    """Return a release as a member of a recipe."""
    return Member(adapter=of.adapter, version=of.version, digest=of.digest, weight=weight)
