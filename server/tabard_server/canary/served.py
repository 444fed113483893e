# SPDX-License-Identifier: Apache-2.0
"""What was served of late, by digest of the file and by job: what callers may complain about.

In: pictures as they are sent. Out: who drew them. Bounded: the oldest go first, and no picture is
kept.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from tabard_registry import AdapterRef, ByChannel, Digest, InvalidName, Release, State, sha256_bytes
from tabard_registry.acts import CanaryName
from tabard_registry.state.canaries import open_canary
from tabard_server.jobs.job import ImageReady, Job, Worn
from tabard_server.jobs.words.controls import bare_ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Which side of a canary drew a picture.

    Attributes:
        canary: The canary.
        is_candidate: Whether the candidate did; else what it is compared with.
        share: The candidate's share of the callers then; 1 where the channel points to it.
        salt: What its units are hashed with.
    """

    canary: CanaryName
    is_candidate: bool
    share: float
    salt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One picture that a caller was sent.

    Attributes:
        releases: What it wears, recipes as themselves.
        side: Of the canary on whose channel it was asked for; None: there was none.
    """

    releases: tuple[Release, ...]
    side: Side | None


class ServedImages:
    """Remembers pictures. Asyncio thread."""

    def __init__(self, *, state: Callable[[], State], images_max: int) -> None:
        """Take the newest snapshot, and how many pictures are remembered."""
        self._state = state
        self._max = images_max
        self._found: OrderedDict[str, Served] = OrderedDict()

    def note(self, job: Job, image: ImageReady) -> None:
        """Remember a picture that is being sent, by its file and by its job."""
        served = Served(
            releases=releases_asked(job),
            side=side_of(job, state=self._state()),
        )
        for key in (str(sha256_bytes(image.content)), job.id):
            self._found[key] = served
            self._found.move_to_end(key)
        while len(self._found) > 2 * self._max:
            self._found.popitem(last=False)

    def find(self, key: str) -> Served | None:
        """Return what is known under a digest or the id of a job."""
        return self._found.get(key)


def side_of(job: Job, *, state: State) -> Side | None:
    """Say which side of an open canary a job is, if it came by the channel of one."""
    for worn in job.worn:
        ref = _ref(worn)
        if ref is None or ref.adapter not in state.canaried:
            continue
        if not isinstance(ref.selector, ByChannel):
            continue
        canary = open_canary(state.adapter(ref.adapter), channel=ref.selector.channel)
        mine: Digest = release_asked(worn).digest
        if canary is None or mine not in (canary.terms.candidate, canary.terms.baseline):
            continue
        return Side(
            canary=CanaryName(adapter=ref.adapter, candidate=canary.terms.candidate),
            is_candidate=mine == canary.terms.candidate,
            share=1.0 if canary.is_promoted else canary.share,
            salt=canary.terms.salt,
        )
    return None


def releases_asked(job: Job) -> tuple[Release, ...]:
    """Return what a job wears, each once, recipes as themselves."""
    found = map(release_asked, job.worn)
    return tuple({str(one.digest): one for one in found}.values())


def releases_by_place(job: Job, *, count: int) -> list[Release] | None:
    """Return what each of the refs of a job meant, recipes as themselves.

    None: it wears more than its refs, as where its prompt names an embedding.
    """
    found: list[Release] = []
    left = iter(job.worn)
    for worn in left:
        release = release_asked(worn)
        found.append(release)
        # A recipe is worn as its members, one after another.
        for _member in release.members[1:]:
            next(left)
    return found if len(found) == count else None


def release_asked(worn: Worn) -> Release:
    """Return the release that a ref meant: of a member, the recipe."""
    return worn.recipe.release if worn.recipe else worn.release


def _ref(worn: Worn) -> AdapterRef | None:
    try:
        return AdapterRef.parse(bare_ref(worn.ref))
    except InvalidName:
        # What an embedding was named by may be no ref by itself.
        return None
