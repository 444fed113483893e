# SPDX-License-Identifier: Apache-2.0
"""What a server does for a picture of a pair says nothing of who drew it: no time and no size.

Clocks are no witnesses in a test. Calls, reads and bytes are: where they and their order are the
same for either side, nothing is left that a clock could measure but the pictures themselves.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tabard_registry import Registry
from tabard_registry.store.folder import FolderStore
from tabard_server.limits import Limits
from tabard_server.output.provenance import encode_preview
from tabard_server.reviewing.blindfold import Blindfold
from tabard_server.reviewing.votes import Votes
from tests.server.reviewing.blind_reports import SIDE, voter
from tests.server.reviewing.calls_made import calls_made
from tests.server.reviewing.polls import Poll, pixels

Work = tuple[list[str], list[tuple[str, int]]]


class Counted(FolderStore):
    """A folder that notes what is read of it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.noted: list[tuple[str, int]] = []

    def read(self, key: str, *, bytes_max: int) -> bytes | None:
        found = super().read(key, bytes_max=bytes_max)
        self.noted.append((key, len(found or b"")))
        return found


class Booth:
    """A server that is watched while it works."""

    def __init__(self, poll: Poll, folder: Path) -> None:
        self.poll = poll
        self.store = Counted(folder / "poll" / "registry")
        registry = Registry.open(self.store)
        self.votes = Votes(registry, blindfold=Blindfold(registry), limits=Limits())
        self.handles = self._handles()

    def picture(self, handle: str, side: str) -> tuple[bytes, Work]:
        """A picture, and what it took."""
        self.store.noted.clear()
        with calls_made() as calls:
            png = self.votes.picture(self.poll.ref, handle=handle, side=side, author=voter("bob"))
        return png, (calls, list(self.store.noted))

    def _handles(self) -> list[str]:
        """Every pair, and all that is done once for all of them."""
        held: list[str] = []
        while handle := self.votes.next_turn(
            self.poll.ref, author=voter("bob"), held=frozenset(held)
        ).handle:
            held.append(handle)
        self.picture(held[0], "a")
        return held


@pytest.fixture
def booth(poll: Poll, tmp_path: Path) -> Booth:
    return Booth(poll, tmp_path)


@pytest.mark.parametrize("order", ["ab", "ba", "aab", "bba"])
def test_either_side_is_the_same_work(booth: Booth, order: str) -> None:
    """The same calls, the same objects, the same bytes, in the same order; no cache helps one."""
    for handle in booth.handles:
        works = [booth.picture(handle, side)[1] for side in order]

        calls, reads = works[0]
        assert len([one for one in calls if one.endswith("encode_preview")]) == 2
        assert len([key for key, _ in reads if key.startswith("blob/")]) >= 3
        assert all(one == works[0] for one in works)


def test_work_is_the_same_had_the_other_release_drawn_it(tmp_path: Path) -> None:
    """Of two worlds that differ in nothing but who drew which."""
    worlds = []
    for name, is_swapped in (("one", False), ("other", True)):
        folder = tmp_path / name
        folder.mkdir()
        worlds.append(Booth(Poll(folder / "poll", is_swapped=is_swapped), folder))
    one, other = worlds

    assert one.handles == other.handles
    for handle in one.handles:
        for side in "ab":
            (png, (calls, reads)), (twin, (others_calls, others_reads)) = (
                booth.picture(handle, side) for booth in worlds
            )
            assert (png, calls) == (twin, others_calls)
            assert [size for _, size in reads] == [size for _, size in others_reads]


def test_file_is_what_its_pixels_make_it(booth: Booth) -> None:
    """Its size, too: it says how well the pixels pack, whoever drew them, and nothing else."""
    for handle in booth.handles:
        for side in "ab":
            png, _ = booth.picture(handle, side)
            shown = np.frombuffer(pixels(png), dtype=np.uint8).reshape(SIDE, SIDE, 3)
            assert png == encode_preview(shown, is_composite=False)
