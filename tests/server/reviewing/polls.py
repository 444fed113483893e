# SPDX-License-Identifier: Apache-2.0
"""A registry with blind pairs, and what its voters are told."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tabard_registry import Registry
from tabard_registry.content.blind_book import BlindBook
from tabard_registry.errors import RegistryError
from tabard_registry.evidence.report import Report
from tabard_server.limits import Limits
from tabard_server.reviewing.blindfold import Blindfold
from tabard_server.reviewing.votes import Votes
from tabard_server.rpc.review.messages import write_turn
from tests.server.reviewing.blind_reports import file_report, noise, ref_of, released, voter

KEY = b"k" * 32


class Poll:
    """A registry with a report, and who votes there."""

    def __init__(self, folder: Path, **report: Any) -> None:
        folder.mkdir(exist_ok=True)
        numbers = iter(range(10**6))
        self.registry = Registry.open(
            str(folder / "registry"), new_id=lambda: f"{next(numbers):032x}"
        )
        # The same key everywhere, so that two worlds differ in nothing but who drew which.
        BlindBook(self.registry.store, new_key=lambda _count: KEY).key()
        self.release, self.before = released(self.registry, folder)
        self.report = file_report(
            self.registry, self.release, against=self.before, **{"cells": 16, **report}
        )
        self.ref = ref_of(self.release)

    def votes(self) -> Votes:
        """Votes as another server counts them."""
        registry = Registry.open(self.registry.url)
        return Votes(registry, blindfold=Blindfold(registry), limits=Limits())

    def told(self, name: str, *, votes: Votes | None = None) -> tuple[str, bytes, bytes, bytes]:
        """All that a voter is told of the next pair: its handle, the answer, the two pictures."""
        votes, who = votes or self.votes(), voter(name)
        turn = votes.next_turn(self.ref, author=who)
        pictures = [
            votes.picture(self.ref, handle=turn.handle, side=side, author=who) for side in "ab"
        ]
        return turn.handle, write_turn(turn).SerializeToString(), pictures[0], pictures[1]


def reason_of(call: Any, *args: Any, **words: Any) -> str:
    """Why a call is refused; empty: it is not."""
    try:
        call(*args, **words)
    except RegistryError as error:
        return error.reason
    return ""


def truth(report: Report) -> dict[bytes, bool]:
    """Pixels of every picture, and whether the release drew it."""
    drawn = {}
    for n in range(len(report.candidates)):
        for number in (2 * n, 2 * n + 1):
            png = noise(number, drawn_by="one" if number % 2 == 0 else "other")
            drawn[pixels(png)] = number % 2 == 0
    return drawn


def pixels(png: bytes) -> bytes:
    """What a picture shows."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).tobytes()
