# SPDX-License-Identifier: Apache-2.0
"""Votes on blind pairs: two pictures without a word about who drew which, until the vote is stored.

In: a release, a voter. Out: pairs, pictures made anew of their pixels alone, and after a vote the
sides. Nothing is kept between calls: every server of a registry gives the same answers. May wait
for the store. Knows nothing of protobuf.
"""

import io
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from tabard_registry import AdapterRef, Author, CorruptRegistry, NotFound, Registry, Release
from tabard_registry.acts.review import has_voted
from tabard_registry.errors import PreconditionFailed
from tabard_registry.evidence.documents import Previews
from tabard_registry.evidence.grid import Grid, trigger_of
from tabard_registry.evidence.pairs import Pair, pairs_of
from tabard_registry.evidence.report import Report
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import ByDigest
from tabard_registry.release.health import NO_LABELS, Labels
from tabard_server.limits import Limits
from tabard_server.output.provenance import encode_preview
from tabard_server.reviewing.blindfold import Blindfold
from tabard_server.reviewing.reviews import see
from tabard_server.reviewing.sides import Sides

A, B, TIE, BOTH_BAD = "a", "b", "tie", "both_bad"
"""What a voter may choose; the first two are sides, too."""

HELD_MAX = 16
"""Most pairs that a voter may have at hand."""

_FRAME_BYTES = 1_024
"""Room in an answer for what is not the picture."""
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)
"""What Pillow raises at files that are no whole PNG."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a voter is asked now.

    Attributes:
        release: The release.
        handle: What the voter calls the pair; empty: there is none left.
        prompt: What both pictures were to show.
        negative_prompt: What they were not to show.
        seed: The seed of both.
        pairs: How many pairs there are.
        voted: On how many of them the voter has voted.
    """

    release: Release
    pairs: int
    voted: int
    handle: str = ""
    prompt: str = ""
    negative_prompt: str = ""
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Revealed:
    """A vote that is stored, and whose picture was whose.

    Attributes:
        release: The release.
        choice: `candidate`, `stable`, `tie` or `both_bad`: whom the voter chose.
        is_a_candidate: Whether the release drew A.
        pairs: How many pairs there are.
        voted: On how many of them the voter has voted.
    """

    release: Release
    choice: str
    is_a_candidate: bool
    pairs: int
    voted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the votes on the pairs of a report stand.

    Attributes:
        choices: How many said `candidate`, `stable`, `tie` and `both_bad`.
        labels: How often each failure check was seen to fail: in pictures of the release, and in
            those of the other one.
    """

    choices: Counter[str] = field(default_factory=Counter)
    labels: tuple[Counter[str], Counter[str]] = field(
        default_factory=lambda: (Counter(), Counter())
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Booth:
    release: Release
    evidence: Digest
    report: Report
    pairs: tuple[Pair, ...]
    sides: Sides

    def left(self) -> list[Pair]:
        """Return the pairs that are to be voted on, in the voter's order."""
        said = self.release.health.votes
        voted = {one.pair for one in said if one.told.actor == self.sides.voter}
        return self.sides.in_order(one for one in self.pairs if one.name not in voted)


class Votes:
    """Votes of one registry. Thread-safe."""

    def __init__(self, registry: Registry, *, blindfold: Blindfold, limits: Limits) -> None:
        """Take the registry, what keeps sides from voters, and the bounds of pictures."""
        self._registry = registry
        self._blindfold = blindfold
        self._bytes_max = limits.message_bytes_max
        self._pixels_max = limits.picture_pixels_max

    def next_turn(self, ref: AdapterRef, *, author: Author, held: Collection[str] = ()) -> Turn:
        """Return a pair of the newest report that a voter has not voted on, and does not hold.

        Raises:
            NotFound: There is no such release, no report, or it compares with no release.
            PreconditionFailed: The voter was shown the report (VOTE_UNBLINDED).
        """
        booth = self._open(ref, author=author)
        self._refuse_unblinded(booth)
        left = booth.left()
        turn = Turn(
            release=booth.release, pairs=len(booth.pairs), voted=len(booth.pairs) - len(left)
        )
        # One that lost a picture is passed over, whichever it lost.
        free = (one for one in left if booth.sides.handle(one) not in held)
        pair = next((one for one in free if self._pictures(one) is not None), None)
        if pair is None:
            return turn
        prompt, negative_prompt = self._words(booth, pair)
        return replace(
            turn,
            handle=booth.sides.handle(pair),
            prompt=prompt,
            negative_prompt=negative_prompt,
            seed=pair.seed,
        )

    def picture(self, ref: AdapterRef, *, handle: str, side: str, author: Author) -> bytes:
        """Return a picture of a pair, as a PNG that says nothing but its pixels.

        Both are read for either, so that neither time nor failure tells them apart.

        Raises:
            NotFound: The voter has no such pair (PAIR_NOT_FOUND), or a picture is lost.
            PreconditionFailed: The voter was shown the report (VOTE_UNBLINDED).
        """
        booth = self._open(ref, author=author)
        pair = _find(booth, handle)
        if not has_voted(booth.release.health, pair=pair.name, actor=booth.sides.voter):
            self._refuse_unblinded(booth)
        pictures = self._pictures(pair)
        if pictures is None:
            raise NotFound(
                "a picture of this pair is lost or damaged",
                reason="BLOB_NOT_FOUND",
                hint="Ask for the next pair; `tabard fsck --deep` names what is damaged.",
            )
        shown = booth.sides.shown(pair)
        return pictures[shown[0 if side == A else 1]]

    def vote(
        self,
        ref: AdapterRef,
        *,
        handle: str,
        choice: str,
        author: Author,
        labels: Labels = NO_LABELS,
    ) -> Revealed:
        """Store a vote, then tell whose picture was whose; `labels` are of A, and of B.

        Raises:
            NotFound: The voter has no such pair (PAIR_NOT_FOUND).
            PreconditionFailed: The voter knows the sides (VOTE_UNBLINDED).
        """
        # Who has voted, and what the newest report is, may have changed elsewhere.
        self._registry.catch_up()
        booth = self._open(ref, author=author)
        pair = _find(booth, handle)
        if not has_voted(booth.release.health, pair=pair.name, actor=booth.sides.voter):
            self._refuse_unblinded(booth)
        is_a_candidate = booth.sides.shown(pair)[0] == pair.candidate
        meant = choice
        if choice in (A, B):
            meant = "candidate" if (choice == A) is is_a_candidate else "stable"
        done = self._registry.evidence.vote(
            _exactly(booth.release),
            pair=pair.name,
            choice=meant,
            evidence=booth.evidence,
            author=author,
            labels=labels if is_a_candidate else (labels[1], labels[0]),
        )
        now = replace(booth, release=done.subject)
        return Revealed(
            release=booth.release,
            choice=meant,
            is_a_candidate=is_a_candidate,
            pairs=len(booth.pairs),
            voted=len(booth.pairs) - len(now.left()),
        )

    def standing(self, release: Release) -> Standing:
        """Count votes on the pairs of the newest report; an edit of a report has the same pairs.

        Raises:
            NotFound, CorruptRegistry: The report cannot be read.
        """
        note = release.health.report
        if note is None or not release.health.votes:
            return Standing()
        return standing_on(self._registry.evidence.report(note.document), release)

    def _open(self, ref: AdapterRef, *, author: Author) -> _Booth:
        release = see(self._registry, ref, grants=author.grants)
        note = release.health.report
        if note is None:
            raise NotFound(
                f"there is no report on {release}",
                reason="EVIDENCE_NOT_FOUND",
                hint=f"Evaluate it first: `tabard evaluate {release}`.",
            )
        report = self._registry.evidence.report(note.document)
        shown = self._previewed(release, report)
        pairs = tuple(one for one in pairs_of(report) if (one.prompt, one.seed) not in shown)
        if not pairs:
            raise NotFound(
                f"the newest report on {release} has no pictures of another release beside its own",
                reason="PAIR_NOT_FOUND",
                hint=f"Evaluate it against one: `tabard evaluate {release} --against REF`.",
            )
        return _Booth(
            release=release,
            evidence=note.document,
            report=report,
            pairs=pairs,
            sides=self._blindfold.sides_for(author.actor),
        )

    def _previewed(self, release: Release, report: Report) -> frozenset[tuple[int, int]]:
        """Return the cells that everybody is shown beside one of the two releases."""
        line = self._registry.state.adapter(release.adapter)
        against = line.by_digest.get(report.against.digest) if report.against else None
        found: set[tuple[int, int]] = set()
        for one in filter(None, (release, against)):
            note = one.health.newest("previews")
            try:
                document = self._registry.evidence.document(note.document) if note else None
            except (NotFound, CorruptRegistry):
                # Nobody is shown what cannot be read.
                continue
            if isinstance(document, Previews):
                found.update((cell.prompt, cell.seed) for cell in document.cells)
        return frozenset(found)

    def _refuse_unblinded(self, booth: _Booth) -> None:
        voter = booth.sides.voter
        if self._blindfold.has_seen(booth.report, voter=voter):
            raise PreconditionFailed(
                f"{voter} was shown the report on {booth.release}, which names who drew what",
                reason="VOTE_UNBLINDED",
                hint="Ask somebody who has not read it; next time vote first, then read.",
            )

    def _words(self, booth: _Booth, pair: Pair) -> tuple[str, str]:
        grid = self._registry.evidence.document(booth.report.grid)
        if not isinstance(grid, Grid) or pair.prompt >= len(grid.prompts):
            return "", ""
        trigger = trigger_of(booth.release.kind, words=booth.release.trigger_words)
        return grid.prompts[pair.prompt].drawn(trigger), grid.negative_prompt

    def _pictures(self, pair: Pair) -> dict[Digest, bytes] | None:
        """Return both pictures made anew; None: one of them is lost, damaged or too large."""
        found = {}
        for digest in pair.pictures:
            try:
                png = self._registry.blobs.read(digest, bytes_max=self._bytes_max)
                found[digest] = _without_words(png, pixels_max=self._pixels_max)
                if len(found[digest]) > self._bytes_max - _FRAME_BYTES:
                    return None
            except (NotFound, CorruptRegistry, *_BROKEN):
                return None
        return found


def standing_on(report: Report, release: Release) -> Standing:
    """Count the votes on the pairs of a report among those on its release."""
    names = {one.name for one in pairs_of(report)}
    said = [one for one in release.health.votes if one.pair in names]
    return Standing(
        choices=Counter(one.choice for one in said),
        labels=(
            Counter(label for one in said for label in one.labels[0]),
            Counter(label for one in said for label in one.labels[1]),
        ),
    )


def _find(booth: _Booth, handle: str) -> Pair:
    pair = booth.sides.find(booth.pairs, handle)
    if pair is None:
        raise NotFound(
            f"{booth.sides.voter} was asked about no such pair of the newest report on "
            f"{booth.release}",
            reason="PAIR_NOT_FOUND",
            hint="Ask for the next pair.",
        )
    return pair


def _exactly(release: Release) -> AdapterRef:
    return AdapterRef(adapter=release.adapter, selector=ByDigest(release.digest.hex))


def _without_words(png: bytes, *, pixels_max: int) -> bytes:
    """Make a PNG anew of its pixels: no profile, no time, no trace of who wrote it.

    That a model made it is said of either side alike.
    """
    with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
        if image.width * image.height > pixels_max:
            raise ValueError("too many pixels")
        pixels = np.asarray(image.convert("RGB"))
    return encode_preview(pixels, is_composite=False)
