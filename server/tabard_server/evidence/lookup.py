# SPDX-License-Identifier: Apache-2.0
"""Finds a picture again among the evidence of a registry: by its file, its pixels, or its looks.

In: a file of a stranger. Out: what is known of the same picture, or how near the nearest one is.
Pictures are read once, and so many at most in one call; asked again, a search goes on.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from tabard_registry import Registry
from tabard_registry.errors import CorruptRegistry, NotFound
from tabard_registry.evidence.report import Report
from tabard_registry.identity.roles import Grants
from tabard_registry.refs.digest import Digest, sha256_bytes
from tabard_registry.state.sight import seen_by
from tabard_server.admission.picture_files import open_picture
from tabard_server.engine_port.drawing import Pixels
from tabard_server.evaluation.looks import pixels_of
from tabard_server.evidence.album import Album, Page, Shown
from tabard_server.evidence.recent import Recent
from tabard_server.judgement.pictures.perceptual import NEAR_BITS, hash_distance, perceptual_hash
from tabard_server.limits import Limits

READS_MAX = 512
"""Documents and pictures that one call reads from the store."""
MATCHES_MAX = 5
"""Matches that are told, the best."""


class Likeness(IntEnum):
    """In what way a picture is the one that is looked for, the best first."""

    SAME_FILE = 0
    SAME_PIXELS = 1
    NEAR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """What a picture is known by.

    Attributes:
        file: Digest of its file.
        pixels: Digest of what it shows.
        looks: Its perceptual hash.
    """

    file: Digest
    pixels: Digest
    looks: int

    @classmethod
    def of(cls, pixels: Pixels, *, file: Digest) -> "Print":
        """Take that of pixels."""
        size = ",".join(map(str, pixels.shape)).encode()
        shown = sha256_bytes(size + np.ascontiguousarray(pixels).tobytes())
        return cls(file=file, pixels=shown, looks=perceptual_hash(pixels))


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A picture of evidence that is the one that is looked for, or near it.

    Attributes:
        likeness: In what way.
        distance_bits: Bits of 64 in which their looks differ.
        page: The document that shows it, and the release that this is about.
        shown: Whose it is in the document.
    """

    likeness: Likeness
    distance_bits: int
    page: Page
    shown: Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What came of a search.

    Attributes:
        matches: The best first.
        png: The file of the best one; empty: there is none.
        reports: Those that show a match, told or not: whoever hears of it knows whose it is there.
        nearest_bits: How near the nearest picture is; None: none was compared.
        searched_count: How many different pictures were compared.
        is_complete: Whether there is none left to compare.
    """

    matches: tuple[Match, ...]
    png: bytes
    reports: tuple[Report, ...]
    nearest_bits: int | None
    searched_count: int
    is_complete: bool


class Lookup:
    """Looks for pictures in the evidence of one registry. Thread-safe; blocks."""

    def __init__(self, registry: Registry, *, limits: Limits, picture_bytes_max: int) -> None:
        """Take the registry, the bounds of what is sent, and that of a picture that is given."""
        self._registry = registry
        self._limits = limits
        self._picture_bytes_max = picture_bytes_max
        self._album = Album(registry)
        self._prints: Recent[Digest, Print | None] = Recent(limits.lookup_pictures_max)

    def find(self, content: bytes, *, grants: Grants) -> Found:
        """Look for a picture.

        Raises:
            InvalidRequest: It cannot be read.
        """
        image = open_picture(content, field="image", limits=self._limits).convert("RGB")
        wanted = Print.of(np.asarray(image), file=sha256_bytes(content))
        search = _Search(wanted)
        pages, is_whole = self._album.pages(seen_by(self._registry.state, grants))
        reads_left = READS_MAX
        for page in pages:
            reads_left -= not self._album.is_known(page)
            if reads_left < 0:
                break
            for shown in self._album.shown(page):
                if shown.image not in self._prints and shown.image != wanted.file:
                    reads_left -= 1
                    if reads_left < 0:
                        break
                search.compare(page, shown, self._print(shown.image, wanted=wanted))
        return self._told(search, is_complete=is_whole and reads_left >= 0)

    def _print(self, digest: Digest, *, wanted: Print) -> Print | None:
        """Return what a picture is known by; None: it is lost, or no picture."""
        if digest == wanted.file:
            return wanted
        if digest in self._prints:
            return self._prints.get(digest)
        found: Print | None = None
        try:
            png = self._registry.blobs.read(digest, bytes_max=self._picture_bytes_max)
            found = Print.of(pixels_of(png), file=digest)
        except (NotFound, CorruptRegistry, OSError, SyntaxError, ValueError):
            # Documents may list what somebody put there by other means.
            found = None
        self._prints.put(digest, found)
        return found

    def _told(self, search: "_Search", *, is_complete: bool) -> Found:
        matches = search.best()
        return Found(
            matches=matches,
            png=self._png(matches[0].shown.image) if matches else b"",
            reports=tuple(map(self._registry.evidence.report, search.reports)),
            nearest_bits=search.nearest_bits,
            searched_count=len(search.compared),
            is_complete=is_complete,
        )

    def _png(self, digest: Digest) -> bytes:
        try:
            return self._registry.blobs.read(digest, bytes_max=self._picture_bytes_max)
        except (NotFound, CorruptRegistry):
            return b""


class _Search:
    """What was compared so far, newest documents first."""

    def __init__(self, wanted: Print) -> None:
        self._wanted = wanted
        self._matches: dict[tuple[Digest, str, Digest], Match] = {}
        self.compared: set[Digest] = set()
        self.nearest_bits: int | None = None

    def compare(self, page: Page, shown: Shown, found: Print | None) -> None:
        """Compare with a picture; an edit of a report shows the same ones once."""
        if found is None:
            return
        self.compared.add(shown.image)
        bits = hash_distance(self._wanted.looks, found.looks)
        self.nearest_bits = bits if self.nearest_bits is None else min(bits, self.nearest_bits)
        likeness = self._likeness(found, bits=bits)
        if likeness is not None:
            match = Match(likeness=likeness, distance_bits=bits, page=page, shown=shown)
            self._matches.setdefault((page.release.digest, shown.side, shown.image), match)

    @property
    def reports(self) -> list[Digest]:
        """The reports that show a match."""
        pages = (match.page for match in self._matches.values())
        notes = (page.note for page in pages if page.note.kind == "report")
        return list(dict.fromkeys(note.document for note in notes))

    def best(self) -> tuple[Match, ...]:
        """Return the best matches; those that are only near where none is the same."""
        found = sorted(self._matches.values(), key=lambda one: (one.likeness, one.distance_bits))
        same = [one for one in found if one.likeness is not Likeness.NEAR]
        return tuple((same or found)[:MATCHES_MAX])

    def _likeness(self, found: Print, *, bits: int) -> Likeness | None:
        if found.file == self._wanted.file:
            return Likeness.SAME_FILE
        if found.pixels == self._wanted.pixels:
            return Likeness.SAME_PIXELS
        return Likeness.NEAR if bits <= NEAR_BITS else None
