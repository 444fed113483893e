# SPDX-License-Identifier: Apache-2.0
"""Who has seen whose picture is whose, and cannot vote on it any more.

In: every report, and every picture of one, that is about to be handed to somebody. Out: whether
somebody has seen a report. May wait for the store.
"""

from tabard_registry import Registry
from tabard_registry.content.blind_book import BlindBook
from tabard_registry.evidence.documents import Document
from tabard_registry.evidence.pairs import name_of_pairs, pairs_of
from tabard_registry.evidence.report import Report
from tabard_registry.identity.identity import Identity, Proof
from tabard_registry.identity.roles import Role
from tabard_server.reviewing.sides import Sides

_KNOWN_MAX = 10_000


class Blindfold:
    """Keeps the sides of pairs from those who vote on them. Thread-safe."""

    def __init__(self, registry: Registry) -> None:
        """Take the registry, whose servers all know what one of them has shown."""
        self._book = BlindBook(registry.store)
        self._known: set[tuple[str, str]] = set()

    def sides_for(self, voter: str) -> Sides:
        """Return the sides as a voter is shown them."""
        return Sides(key=self._book.key(), voter=voter)

    def saw(self, document: Document, *, identity: Identity) -> None:
        """Note that somebody is about to see a document, or a picture of it, before they do.

        Only a report has sides; only those can be remembered who have shown who they are, and only
        those vote who have the role. Idempotent.

        Raises:
            StoreUnavailable: It is not noted: do not show it.
        """
        if not isinstance(document, Report) or identity.proof is Proof.NONE:
            return
        if not identity.grants.allow(Role.REVIEW, namespace=document.release.adapter.namespace):
            return
        pairs = pairs_of(document)
        mark = (name_of_pairs(pairs), identity.name)
        if not pairs or mark in self._known:
            return
        self._book.note_seen(mark[0], reader=identity.name)
        if len(self._known) >= _KNOWN_MAX:
            self._known.clear()
        self._known.add(mark)

    def has_seen(self, report: Report, *, voter: str) -> bool:
        """Say whether somebody was shown a report, by whatever server of the registry."""
        return self._book.has_seen(name_of_pairs(pairs_of(report)), reader=voter)
