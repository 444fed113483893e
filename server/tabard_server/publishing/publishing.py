# SPDX-License-Identifier: Apache-2.0
"""What the server does with the registry beyond reading it: check, publish, move, withdraw, sign.

In: parsed values. Out: the registry's answers, in effect on this server before they are given.
Acts wait in worker threads of their own, where those who wait together share a record. Knows
nothing of protobuf.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

from tabard_registry import (
    ABSENT,
    DEFAULT_CHANNEL,
    AdapterName,
    AdapterRef,
    Author,
    BaseProfile,
    ByDigest,
    ByVersion,
    ChannelMove,
    Checked,
    Digest,
    IntakeLimits,
    InvalidName,
    Published,
    Registry,
    ReleaseDraft,
    Version,
    check,
)
from tabard_registry.acts import Expectation
from tabard_registry.state.sight import seen_by
from tabard_registry.trust.servable import check_servable
from tabard_registry.trust.signatures import Verifier
from tabard_server.adapters.host_cache import HostCache
from tabard_server.errors import UploadRefused
from tabard_server.followers.follower import Follower
from tabard_server.jobs.job import worn_for
from tabard_server.pickles.reader import read_in_sandbox
from tabard_server.settings import Settings
from tabard_server.telemetry.labels import Labels
from tabard_server.threads import Threads

P = ParamSpec("P")
T = TypeVar("T")

_NO_RELEASE = "none"
_SHA256 = "sha256:"
_DIGEST_CHARS = len(_SHA256) + 64
_TEXT_SHOWN_MAX = 80


class Publishing:
    """The registry's acts, as one server allows them. Asyncio thread."""

    def __init__(
        self,
        registry: Registry,
        *,
        profile: BaseProfile,
        limits: IntakeLimits,
        cache: HostCache,
        follower: Follower,
        threads: Threads,
        operators_threads: Threads,
        labels: Labels,
        verifier: Verifier,
        takes_contradictions: bool = False,
    ) -> None:
        """Take the rooms that an act reaches, and the threads where acts wait for the store.

        What takes back what went wrong has threads of its own, which nothing else can fill.
        """
        self._registry = registry
        self._profile = profile
        self._limits = limits
        self._cache = cache
        self._follower = follower
        self._threads = threads
        self._operators_threads = operators_threads
        self._labels = labels
        self._verifier = verifier
        self._takes_contradictions = takes_contradictions

    async def check(
        self, files: Sequence[Path], *, kind: str | None, trigger_words: Sequence[str]
    ) -> Checked:
        """Check files against the resident base. Bad content is told in the report."""
        return await asyncio.to_thread(
            check,
            files,
            profile=self._profile,
            kind=kind,
            trigger_words=trigger_words,
            limits=self._limits,
            pickles=read_in_sandbox,
            takes_contradictions=self._takes_contradictions,
        )

    async def publish(
        self, draft: ReleaseDraft, *, files: Sequence[Path], author: Author
    ) -> tuple[Published, Checked]:
        """Check and publish.

        Raises:
            UploadRefused: The checks found problems; it holds the report.
            RegistryError: The registry refused, or did not answer.
        """
        checked = await self.check(files, kind=draft.kind, trigger_words=draft.trigger_words)
        if not checked.report.accepted:
            raise UploadRefused(checked.report)
        published = await self.act(
            self._registry.publish, draft, checked=checked, files=files, author=author
        )
        return published, checked

    async def promote(
        self,
        ref: AdapterRef,
        *,
        channel: str,
        expect: Expectation | None,
        author: Author,
        override: str = "",
    ) -> ChannelMove:
        """Load what a ref means now, then move a channel to exactly what was loaded.

        No channel means the default one, here and in `roll_back`. What was acknowledged before, by
        whichever server, is known here.

        Raises:
            NotServable: This server cannot wear it; the channel stays.
            RegistryError: There is no such release, nobody may be served with it, or the registry
                refused.
        """
        return await self.act(
            self._registry.promote,
            await self.load(ref, author=author),
            channel=channel or DEFAULT_CHANNEL,
            expect=expect,
            author=author,
            override=override,
        )

    async def load(self, ref: AdapterRef, *, author: Author) -> AdapterRef:
        """Load what a ref means now; return a ref to exactly that. Raises as `promote`."""
        newest = await self._threads.run(self._registry.catch_up)
        state = seen_by(newest, author.grants)
        release = state.resolve(ref)
        check_servable(state, release, verifier=self._verifier)
        self._labels.note(release)
        for digest in worn_for(release):
            await self._cache.load(digest)
        return AdapterRef(adapter=ref.adapter, selector=ByDigest(release.digest.hex))

    async def roll_back(
        self,
        adapter: AdapterName,
        *,
        channel: str,
        to: Version | None,
        expect: Expectation | None,
        author: Author,
    ) -> ChannelMove:
        """Return a channel to an earlier release. Needs nothing but the log."""
        return await self.take_back(
            self._registry.roll_back,
            adapter,
            channel=channel or DEFAULT_CHANNEL,
            to=to,
            expect=expect,
            author=author,
        )

    async def act(self, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do an act that needs nothing but the registry: `act(registry.yank, ref, author=author)`.

        Raises:
            RegistryError: The registry refused, or did not answer.
        """
        return await self._act_in(self._threads, act, *args, **kwargs)

    async def take_back(self, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do an act that takes back what went wrong: a withdrawal, or its undoing. As `act`."""
        return await self._act_in(self._operators_threads, act, *args, **kwargs)

    async def _act_in(
        self, threads: Threads, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        try:
            return await threads.run(act, *args, **kwargs)
        finally:
            # Also when it failed: a purge that could not delete every byte has taken effect.
            await self._follower.catch_up()


def publishing_for(
    registry: Registry,
    settings: Settings,
    *,
    profile: BaseProfile,
    cache: HostCache,
    follower: Follower,
    threads: Threads,
    operators_threads: Threads,
    labels: Labels,
    verifier: Verifier,
) -> Publishing:
    """Return the acts of a server with these settings."""
    intake = IntakeLimits(
        files_max=settings.limits.upload_files_max,
        file_bytes_max=settings.limits.upload_bytes_max,
        rank_max=min(IntakeLimits().rank_max, settings.slot_rank_total),
    )
    return Publishing(
        registry,
        profile=profile,
        limits=intake,
        cache=cache,
        follower=follower,
        threads=threads,
        operators_threads=operators_threads,
        labels=labels,
        verifier=verifier,
        takes_contradictions=settings.adapters_that_contradict,
    )


def read_expectation(text: str) -> Expectation | None:
    """Read where a channel must point: `none` for nowhere, empty for anywhere.

    Otherwise what names one release: a version, a digest, or the first digits of one.

    Raises:
        InvalidName: It is none of them.
    """
    if not text:
        return None
    if text == _NO_RELEASE:
        return ABSENT
    try:
        if len(text) == _DIGEST_CHARS:
            return Digest.parse(text)
        if text.startswith(_SHA256):
            return ByDigest(text.removeprefix(_SHA256))
        return ByVersion(Version.parse(text))
    except InvalidName as error:
        raise InvalidName(
            f"expect_digest {text[:_TEXT_SHOWN_MAX]!r} names no one release",
            reason=error.reason,
            hint="Write a version like 1.2.0, `sha256:` and at least 12 digits of a digest, or "
            "`none`; `tabard show` lists them.",
        ) from error
