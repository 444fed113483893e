# SPDX-License-Identifier: Apache-2.0
"""The doors of the page, put together: what is asked for by its files, and the files."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Protocol

from fastapi import APIRouter

from tabard_web.bounds import Bounds
from tabard_web.page.assets import Assets
from tabard_web.page.covers import CoversDoor
from tabard_web.page.drawing import DrawingDoor
from tabard_web.page.events import EventsDoor
from tabard_web.page.evidence import EvidenceDoor
from tabard_web.page.gallery import GalleryDoor
from tabard_web.page.operate import OperateDoor
from tabard_web.page.provenance import ProvenanceDoor
from tabard_web.page.review.looks import LooksDoor
from tabard_web.page.review.pairs import PairsDoor
from tabard_web.page.review.sheets import SheetsDoor
from tabard_web.page.session import SessionDoor
from tabard_web.page.sessions import Sessions
from tabard_web.page.styles import StylesDoor
from tabard_web.page.visitors import Visitors
from tabard_web.pictures.studio import Studio
from tabard_web.upstream import Upstream


class Door(Protocol):
    """What has paths."""

    @property
    def router(self) -> APIRouter:
        """The paths."""


class PageDoors:
    """Everything that the page needs of the gateway."""

    def __init__(self, upstream: Upstream, studio: Studio, *, bounds: Bounds) -> None:
        sessions = Sessions(
            clock=time.monotonic,
            new_secret=lambda: secrets.token_urlsafe(32),
            count_max=bounds.sessions_max,
            idle_seconds_max=bounds.session_seconds_max,
        )
        visitors = Visitors(upstream, sessions)
        self._events = EventsDoor(visitors, pages_max=bounds.pages_max)
        self.doors: Sequence[Door] = (
            Assets(),
            SessionDoor(visitors),
            self._events,
            GalleryDoor(visitors),
            StylesDoor(visitors),
            EvidenceDoor(visitors),
            PairsDoor(visitors),
            LooksDoor(visitors, studio),
            SheetsDoor(visitors),
            OperateDoor(visitors),
            DrawingDoor(visitors),
            ProvenanceDoor(visitors, studio),
            CoversDoor(visitors, studio, kept_max=bounds.covers_kept_max),
        )

    def let_go(self) -> None:
        """End what has no end by itself."""
        self._events.let_go()
