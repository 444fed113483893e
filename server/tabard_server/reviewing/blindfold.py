# SPDX-License-Identifier: Apache-2.0
"""Who has seen whose picture is whose, and cannot vote on it any more.

In: every report, and every picture of one, that is about to be handed to somebody; every release
that somebody evaluates. Out: whether somebody knows the sides of a report's pairs. May wait for the
store.
"""

from tabard_registry import AdapterName, Registry, Release
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

        Only a report has sides. Idempotent.

        Raises:
            StoreUnavailable: It is not noted: do not show it.
        """
        if isinstance(document, Report) and (pairs := pairs_of(document)):
            self._note(name_of_pairs(pairs), document.release.adapter, identity=identity)

    def evaluates(self, release: Release, *, identity: Identity) -> None:
        """Note that somebody is about to see a release drawn beside what it would replace.

        They know the sides of whatever report comes of it. Raises as `saw`.
        """
        self._note(release.digest.hex, release.adapter, identity=identity)

    def has_seen(self, report: Report, *, voter: str) -> bool:
        """Say whether somebody was shown a report, or evaluated its release, on any server."""
        marks = (name_of_pairs(pairs_of(report)), report.release.digest.hex)
        return any(self._book.has_seen(mark, reader=voter) for mark in marks)

    def _note(self, what: str, adapter: AdapterName, *, identity: Identity) -> None:
        """Note what somebody knows; only those vote who have the role.

        Only those can be remembered who have shown who they are.
        """
        can_vote = identity.grants.allow(Role.REVIEW, namespace=adapter.namespace)
        mark = (what, identity.name)
        if identity.proof is Proof.NONE or not can_vote or mark in self._known:
            return
        self._book.note_seen(what, reader=identity.name)
        if len(self._known) >= _KNOWN_MAX:
            self._known.clear()
        self._known.add(mark)
