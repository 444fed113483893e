# SPDX-License-Identifier: Apache-2.0
"""Where adapters are checked and published: at a server, or at a registry that is at hand.

Files and words in, reports out; a release that is there already is known by its original bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tabard.cli.local.check import LocalCheck
from tabard.cli.local.registry import author, library, open_registry, sdk_errors
from tabard.client import Client
from tabard.errors import NotFound
from tabard.releases.report import CheckReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One release that shall be there.

    Attributes:
        name: `namespace/name`.
        version: SemVer.
        files: Its files.
        trigger_words: Words that wake it.
        notes: Free text.
        title: What people call it.
    """

    name: str
    version: str
    files: Sequence[Path]
    trigger_words: Sequence[str] = ()
    notes: str = ""
    title: str = ""


class Publisher(Protocol):
    """One place that takes adapters. Its errors are the SDK's."""

    def originals(self, name: str, version: str) -> frozenset[str] | None:
        """Return the digests of a release's files, or None when there is no such release."""
        ...

    def check(self, files: Sequence[Path], *, trigger_words: Sequence[str]) -> CheckReport:
        """Say whether files would be published."""
        ...

    def publish(self, wanted: Wanted) -> None:
        """Publish; idempotent."""
        ...


class ServerPublisher:
    """Implements `Publisher` at a server."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def originals(self, name: str, version: str) -> frozenset[str] | None:
        """Ask for the manifest."""
        try:
            return frozenset(self._client.manifest(f"{name}@{version}").original_digests)
        except NotFound:
            return None

    def check(self, files: Sequence[Path], *, trigger_words: Sequence[str]) -> CheckReport:
        """Upload and check."""
        return self._client.check(*files, trigger_words=trigger_words)

    def publish(self, wanted: Wanted) -> None:
        """Upload and publish."""
        self._client.publish(
            wanted.name,
            *wanted.files,
            version=wanted.version,
            trigger_words=wanted.trigger_words,
            notes=wanted.notes,
            title=wanted.title,
            reason="import",
        )


class LocalPublisher:
    """Implements `Publisher` at a registry that was opened here."""

    def __init__(self, registry: Any, *, checks: LocalCheck, needed_for: str) -> None:
        self._registry = registry
        self._checks = checks
        self._root = library(needed_for=needed_for)

    def originals(self, name: str, version: str) -> frozenset[str] | None:
        """Look into the state."""
        with sdk_errors():
            line = self._registry.state.adapters.get(self._root.AdapterName.parse(name))
            release = line.by_version.get(self._root.Version.parse(version)) if line else None
        return frozenset(map(str, release.original)) if release else None

    def check(self, files: Sequence[Path], *, trigger_words: Sequence[str]) -> CheckReport:
        """Check here."""
        return self._checks.report(files, trigger_words=trigger_words)

    def publish(self, wanted: Wanted) -> None:
        """Check and publish here."""
        with sdk_errors():
            checked = self._checks.checked(wanted.files, trigger_words=wanted.trigger_words)
            draft = self._root.ReleaseDraft(
                adapter=self._root.AdapterName.parse(wanted.name),
                version=self._root.Version.parse(wanted.version),
                trigger_words=tuple(wanted.trigger_words),
                notes=wanted.notes,
                title=wanted.title,
            )
            self._registry.publish(
                draft, checked=checked, files=wanted.files, author=author("import")
            )


@contextmanager
def open_local_publisher(
    url: str, *, base: str, needed_for: str, **words: Any
) -> Iterator[LocalPublisher]:
    """Open a registry that exists, and read a base, of which words say what `LocalCheck` takes."""
    checks = LocalCheck(base, **words)
    with open_registry(url, needed_for=needed_for) as registry:
        yield LocalPublisher(registry, checks=checks, needed_for=needed_for)
