# SPDX-License-Identifier: Apache-2.0
"""Reviews of one registry as pages: as they stand now, and as somebody filed them.

In: documents about releases, as somebody sees them. Out: HTML, and documents that name it. Blocks.
"""

from tabard_registry import AdapterRef, Author, Registry
from tabard_registry.acts import Evidenced
from tabard_registry.evidence.documents import PAGE_BYTES_MAX, FiledReview
from tabard_registry.evidence.report import Report
from tabard_registry.refs.digest import Digest, sha256_bytes
from tabard_registry.refs.names import ByDigest
from tabard_registry.state.sight import seen_by
from tabard_server.evidence.review_page import review_page
from tabard_server.evidence.shelf import Filed, Shelf
from tabard_server.reviewing.votes import standing_on


class Filing:
    """Writes reviews, and keeps them beside their releases. Thread-safe."""

    def __init__(self, registry: Registry, *, shelf: Shelf) -> None:
        """Take the registry, and where its documents are read."""
        self._registry = registry
        self._shelf = shelf

    def report_of(self, filed: Filed) -> Report | None:
        """Return the report that a document is, or shows; None: it knows of none.

        Raises:
            NotFound, CorruptRegistry: That report is lost.
        """
        document = filed.document
        if isinstance(document, FiledReview):
            return self._registry.evidence.report(document.report)
        return document if isinstance(document, Report) else None

    def page(self, filed: Filed) -> bytes:
        """Return the page of a report as it stands now, or of a review as it was filed.

        Of other documents there is none.

        Raises:
            NotFound: The page went with its release, or is lost.
            CorruptRegistry: Its bytes are others.
        """
        document = filed.document
        if isinstance(document, FiledReview):
            return self._registry.blobs.read(document.page, bytes_max=PAGE_BYTES_MAX)
        if isinstance(document, Report):
            return _page_of(document, filed)
        return b""

    def file(self, ref: AdapterRef, *, author: Author) -> Evidenced:
        """Keep the review of the newest report on a release; the same again changes nothing.

        Raises:
            NotFound: There is no such release, or no report on it.
            PreconditionFailed: The release was purged.
            InvalidField: The page is too large.
        """
        # What was said elsewhere a moment ago belongs to it.
        self._registry.catch_up()
        release = seen_by(self._registry.state, author.grants).find_kept(ref)
        exactly = AdapterRef(adapter=release.adapter, selector=ByDigest(release.digest.hex))
        filed = self._shelf.document(exactly, grants=author.grants)
        report = filed.document
        assert isinstance(report, Report), "the newest report is one"
        page = _page_of(report, filed)
        document = FiledReview(
            release=report.release,
            report=filed.note.document,
            page=sha256_bytes(page),
            against=report.against,
            pictures=_pictures(report),
        )
        return self._registry.evidence.put(document, author=author, blobs=[page])


def _page_of(report: Report, filed: Filed) -> bytes:
    return review_page(
        report,
        digest=filed.note.document,
        release=filed.release,
        votes=standing_on(report, filed.release),
    )


def _pictures(report: Report) -> tuple[Digest, ...]:
    """Return what the page shows, each once."""
    drawn = [one.image for one in report.candidates] + [one.image for one in report.baseline]
    return tuple(dict.fromkeys(drawn))
