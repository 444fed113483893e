# SPDX-License-Identifier: Apache-2.0
"""What one finds out about releases: where words stand, what a digest is of, what depends.

Plain frozen values; they know nothing of protobuf or the network.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tabard.releases.release import Release


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """A release line that has the words.

    Attributes:
        adapter: `namespace/name`.
        snippet: The words around what was found; empty when that is its name.
        release_count: How many releases it has.
        found_in: What holds the words: `name`, `title`, `trigger words`, `notes`, ….
        version: The newest of its releases that says the best of it.
    """

    adapter: str
    snippet: str
    release_count: int
    found_in: tuple[str, ...] = ()
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What the digest of a release stands for; `content` was seen to have that digest."""

    release: Release
    content: bytes = field(repr=False)

    @property
    def document(self) -> dict[str, Any]:
        """The content, read."""
        read: dict[str, Any] = json.loads(self.content)
        return read

    @property
    def original_digests(self) -> tuple[str, ...]:
        """`sha256:…` of the files as the author sent them."""
        return tuple(str(digest) for _name, digest, _bytes in self.document["original"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependents:
    """What depends on a release.

    Attributes:
        release: The release.
        channels: Channels that point to it.
        recipes: Recipes that are locked to it, `namespace/name@version`; the first few.
        recipe_count: How many recipes there are.
        job_count: Jobs of the server that was asked that wear it now.
    """

    release: Release
    channels: tuple[str, ...]
    recipes: tuple[str, ...]
    recipe_count: int
    job_count: int
