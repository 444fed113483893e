# SPDX-License-Identifier: Apache-2.0
"""A manifest can be read by whoever has its bytes."""

import json

from tabard.convert import read_release
from tabard.releases import Manifest
from tabard.v1 import adapter_pb2


def test_manifest_names_the_authors_files() -> None:
    """By the digests of the bytes as they were sent."""
    content = json.dumps({"adapter": "acme/a", "original": [{"sha256": "sha256:a"}]}).encode()

    manifest = Manifest(release=read_release(adapter_pb2.Release()), content=content)

    assert manifest.document["adapter"] == "acme/a"
    assert manifest.original_digests == ("sha256:a",)
    assert "acme" not in repr(manifest).partition("content")[2]
