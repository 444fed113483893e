# SPDX-License-Identifier: Apache-2.0
"""What the server does with the registry beyond reading it: check, publish, promote, roll back.

In: parsed values. Out: the registry's answers, visible to admission before they are given. I/O is
done in worker threads. Knows nothing of protobuf.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from livery_registry import (
    Absent,
    AdapterName,
    AdapterRef,
    BaseProfile,
    ByDigest,
    ChannelMove,
    Checked,
    Digest,
    IntakeLimits,
    Published,
    Registry,
    Release,
    ReleaseDraft,
    Version,
    check,
)
from livery_server.errors import UploadRefused
from livery_server.follower import Follower

if TYPE_CHECKING:
    from livery_server.adapters.packed import HostAdapter
    from livery_server.adapters.tiers import HostCache


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Who acts, why, and the caller's key for the act."""

    actor: str
    reason: str = ""
    request_id: str = ""


class Publishing:
    """The registry's acts, as one server allows them. Asyncio thread."""

    def __init__(
        self,
        registry: Registry,
        *,
        profile: BaseProfile,
        limits: IntakeLimits,
        cache: "HostCache[HostAdapter]",
        follower: Follower,
    ) -> None:
        self._registry = registry
        self._profile = profile
        self._limits = limits
        self._cache = cache
        self._follower = follower

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
        )

    async def publish(
        self, draft: ReleaseDraft, *, files: Sequence[Path], signature: Signature
    ) -> tuple[Published, Checked]:
        """Check and publish.

        Raises:
            UploadRefused: The checks found problems; it holds the report.
            RegistryError: The registry refused, or did not answer.
        """
        checked = await self.check(files, kind=draft.kind, trigger_words=draft.trigger_words)
        if not checked.report.accepted:
            raise UploadRefused(checked.report)
        published = await asyncio.to_thread(
            self._registry.publish,
            draft,
            checked=checked,
            files=files,
            actor=signature.actor,
            reason=signature.reason,
            request_id=signature.request_id,
        )
        self._follower.poke()
        return published, checked

    async def promote(
        self,
        ref: AdapterRef,
        *,
        channel: str,
        expect: Digest | Absent | None,
        signature: Signature,
    ) -> ChannelMove:
        """Load a release, then move a channel to exactly what was loaded.

        Raises:
            NotServable: This server cannot wear it; the channel stays.
            RegistryError: There is no such release, or the registry refused.
        """
        release = self._registry.resolve(ref)
        exact = AdapterRef(adapter=ref.adapter, selector=ByDigest(release.digest.hex))
        with await self._cache.acquire(str(release.digest)):
            move = await asyncio.to_thread(
                self._registry.promote,
                exact,
                channel=channel,
                expect=expect,
                actor=signature.actor,
                reason=signature.reason,
                request_id=signature.request_id,
            )
        self._follower.poke()
        return move

    async def roll_back(
        self, adapter: AdapterName, *, channel: str, to: Version | None, signature: Signature
    ) -> ChannelMove:
        """Return a channel to an earlier release. Needs nothing but the log."""
        move = await asyncio.to_thread(
            self._registry.roll_back,
            adapter,
            channel=channel,
            to=to,
            actor=signature.actor,
            reason=signature.reason,
            request_id=signature.request_id,
        )
        self._follower.poke()
        return move

    async def set_yanked(
        self, ref: AdapterRef, *, is_yanked: bool, signature: Signature
    ) -> Release:
        """Yank a release, or undo it."""
        act = self._registry.yank if is_yanked else self._registry.unyank
        release = await asyncio.to_thread(act, ref, actor=signature.actor, reason=signature.reason)
        self._follower.poke()
        return release
