# SPDX-License-Identifier: Apache-2.0
"""What one finds out about releases: where words stand, what a digest is of, what depends."""

import hashlib
import json
from pathlib import Path

import pytest

import tabard
from tabard import Client
from tabard.calls import findings
from tabard.v1 import adapter_pb2
from tabard.v1 import registry_service_pb2 as registry_pb2
from tests.clients.fakes.server import FakeServer

INK = "acme/ink@1.0.0"


def test_search_counts_releases(stocked: Client) -> None:
    """A hit says where the words stand and how much there is."""
    hits = stocked.search("black", limit=3)

    assert hits == (
        tabard.SearchHit(
            adapter="acme/ink",
            snippet="black",
            release_count=1,
            found_in=("name", "notes"),
            version="1.0.0",
        ),
    )


def test_manifest_is_checked(stocked: Client, server: FakeServer) -> None:
    """Bytes that do not have the release's digest are never handed out."""
    content = json.dumps({"original": [["x", "sha256:" + "a" * 64, 1]]}).encode()
    server.state.manifest = content
    with pytest.raises(tabard.Internal) as caught:
        stocked.manifest(INK)

    server.state.releases["acme/ink"][0].digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    manifest = stocked.manifest(INK)

    assert caught.value.reason == "MANIFEST_DAMAGED"
    assert manifest.original_digests == ("sha256:" + "a" * 64,)


def test_dependents_are_told(stocked: Client) -> None:
    """Channels, recipes and jobs."""
    stocked.promote("acme/ink@1.0.0")

    found = stocked.dependents("acme/ink@1.0.0")

    assert (found.channels, found.recipes) == (("stable",), ("acme/mix@1.0.0",))
    assert (found.recipe_count, found.job_count) == (3, 2)


def test_manifest_must_have_its_digest() -> None:
    """Bytes that are another's are never handed out."""
    content = b'{"original": []}'
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    release = adapter_pb2.Release(digest=digest)

    manifest = findings.read_manifest(
        registry_pb2.GetManifestResponse(release=release, manifest=content)
    )
    with pytest.raises(tabard.Internal) as caught:
        findings.read_manifest(registry_pb2.GetManifestResponse(release=release, manifest=b"{}"))

    assert manifest.content == content
    assert caught.value.reason == "MANIFEST_DAMAGED"


def test_releases_are_compared(stocked: Client, style_file: Path) -> None:
    """What is not known, or not there, is None."""
    found = stocked.diff("acme/ink@1.0.0", "acme/ink@1.0.0")

    first, second, third, _same = found.layers
    assert (first.distance, second.right, second.distance) == (5.0, None, None)
    assert third.left == tabard.LayerSide(method="OFT", rank=0, norm=None)
    assert found.fields[0] == tabard.FieldDiff(name="notes", left="soft", right="")
