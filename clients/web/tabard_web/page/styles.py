# SPDX-License-Identifier: Apache-2.0
"""`/api/styles/NAMESPACE/NAME`: one release line with its past, its files; and a rollback."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from tabard import History, Release
from tabard_web.front.said_once import door
from tabard_web.page.errors import FAILURES
from tabard_web.page.gallery import DEFAULT_CHANNEL, ChannelCard
from tabard_web.page.visitors import OwnPage, Visitors, require_own_page
from tabard_web.texts import Text

_RECORDS_MAX = 500


class Act(BaseModel):
    """One thing that was done to a line.

    Attributes:
        seq: Log position.
        time: When, as RFC 3339.
        type: `publish`, `promote`, `rollback`, `yank`, ….
        version: The release.
        channel: The channel that moved.
        previous: The version that it pointed to before.
        actor: Who did it.
        on_behalf_of: What they said of themselves, where it is known who they are.
        proof: How that is known; empty: nobody was asked.
        reason: Why.
        effective: Whether it changed anything.
        note: Why it did not.
    """

    seq: int
    time: str
    type: str
    version: str
    channel: str
    previous: str
    actor: str
    on_behalf_of: str
    proof: str
    reason: str
    effective: bool
    note: str


class Style(BaseModel):
    """A release line.

    Attributes:
        name: `namespace/name`.
        releases: Its releases, by descending version.
        channels: Its channels.
        acts: What was done to it, oldest first; the newest few hundred.
    """

    name: str
    releases: list[dict[str, Any]]
    channels: list[ChannelCard]
    acts: list[Act]


class File(BaseModel):
    """A file as its author sent it.

    Attributes:
        name: Its name.
        digest: Its digest.
        bytes: Its size.
    """

    name: str
    digest: str
    bytes: int


class RollbackRequest(BaseModel):
    """A channel shall point to what it pointed to before.

    Attributes:
        channel: The channel.
        reason: Why.
        expect: The version that the visitor saw it point to: it is not moved from another one.
        actor: Who the visitor says that they are, where nobody is asked.
    """

    model_config = ConfigDict(extra="forbid")

    channel: Text = DEFAULT_CHANNEL
    reason: Annotated[Text, Field(min_length=1)]
    expect: Text = ""
    actor: Text = ""


class Move(BaseModel):
    """What came of it.

    Attributes:
        channel: The channel.
        previous: The version that it pointed to.
        version: The version that it points to now.
        moved: False when it pointed there already.
    """

    channel: str
    previous: str
    version: str
    moved: bool


class StylesDoor:
    """Tells of one line, and takes a channel of it back."""

    def __init__(self, visitors: Visitors) -> None:
        self._visitors = visitors

    @property
    def router(self) -> APIRouter:
        """The paths."""
        start = "/styles/{namespace}/{name}"
        router = door(prefix="/api", tags=["page"], responses=FAILURES)
        router.add_api_route(start, self.style, methods=["GET"])
        router.add_api_route(f"{start}/files", self.files, methods=["GET"])
        router.add_api_route(f"{start}/rollback", self.roll_back, methods=["POST"])
        return router

    async def style(self, request: Request, namespace: Text, name: Text) -> Style:
        """Tell of a line: releases, channels, and who did what, when and why."""
        async with self._visitors.client(request) as client:
            line = await client.get(f"{namespace}/{name}")
            records = await client.history(line.name, limit=_RECORDS_MAX)
        return Style(
            name=line.name,
            releases=[_told(one) for one in line.releases],
            channels=[ChannelCard(name=one.name, version=one.version) for one in line.channels],
            acts=list(_acts(records, line.releases)),
        )

    async def files(
        self, request: Request, namespace: Text, name: Text, version: Text
    ) -> list[File]:
        """List the files of a release, as its author sent them; a recipe has none."""
        async with self._visitors.client(request) as client:
            manifest = await client.manifest(f"{namespace}/{name}@{version}")
        sent = manifest.document.get("original", ())
        return [File(name=file, digest=digest, bytes=size) for file, digest, size in sent]

    async def roll_back(
        self, asked: RollbackRequest, request: Request, namespace: Text, name: Text, page: OwnPage
    ) -> Move:
        """Return a channel to the release before."""
        del page
        require_own_page(request)
        async with self._visitors.client(request, actor=asked.actor.strip()) as client:
            move = await client.rollback(
                f"{namespace}/{name}",
                channel=asked.channel,
                reason=asked.reason,
                expect=asked.expect,
            )
        return Move(
            channel=move.channel,
            previous=move.previous_version,
            version=move.version,
            moved=move.moved,
        )


def _told(release: Release) -> dict[str, Any]:
    return {**asdict(release), "state": release.state}


def _acts(records: History, releases: tuple[Release, ...]) -> Iterator[Act]:
    versions = {one.digest: one.version for one in releases}
    for record in records:
        for act in record.actions:
            yield Act(
                seq=record.seq,
                time=record.time,
                type=act.type,
                version=act.version,
                channel=act.channel,
                previous=versions.get(act.previous_digest, ""),
                actor=act.actor or record.actor,
                on_behalf_of=act.on_behalf_of,
                proof=act.proof,
                reason=act.reason or record.reason,
                effective=act.effective,
                note=act.note,
            )
