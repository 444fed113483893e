# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gc
import json

import pytest

from tabard_registry.checkpoint.rows import read_head, read_row
from tabard_registry.refs.digest import sha256_bytes
from tests.registry.checkpoint.kept_states import INK, kept
from tests.registry.described_logs import noted_publication
from tests.registry.random_logs import folded

HEAD = ["acme/ink", "1.0.0", "00" * 32, [["stable", 0, 2, [], [0]]], ["lora"], []]
ROW = [1, "2026", "", [4, 1, 2, 3], [0] * 8, [0], [[0, "7"]], [0, ""], None, {}]


def test_rows_are_what_was_written() -> None:
    """Lists of JSON become fields by their places, which garbage collection passes by."""
    head, row = (
        read(json.dumps(one).encode()) for read, one in ((read_head, HEAD), (read_row, ROW))
    )

    assert (head.name, head.texts, head.channels[0].served) == ("acme/ink", ("lora",), (0,))
    assert (row.numbers, row.training, row.parent) == ((4, 1, 2, 3), ((0, "7"),), None)
    passed_by = (head, row, head.channels[0], INK, sha256_bytes(b""))
    assert not any(map(gc.is_tracked, passed_by))


@pytest.mark.parametrize("line", [HEAD[:-1], [*HEAD, 1], [1, *HEAD[1:]], {"name": "acme/ink"}, "x"])
def test_other_lines_are_refused(line: object) -> None:
    """Items that are missing, too many or of another type are never read as something."""
    with pytest.raises(ValueError, match=r"array|str"):
        read_head(json.dumps(line).encode())


@pytest.mark.parametrize("line", [b"", b"[", b'["a\n"]', b"[1] 2"])
def test_what_is_no_json_is_refused(line: bytes) -> None:
    """A line that nothing reads is a ValueError."""
    with pytest.raises(ValueError):
        read_head(line)


def test_half_a_surrogate_is_read() -> None:
    """A record may hold texts that are no Unicode; a checkpoint keeps what the log says."""
    extra = {"notes": "half \ud800", "licence": "\udfff", "training": {"seed": "\ud83d"}}
    state, _ = folded([[noted_publication((INK, "1.0.0"), extra)]])

    _, read = kept(state)

    [release] = read.adapters[INK].releases
    assert (release.notes, release.licence) == ("half \ud800", "\udfff")
    assert release.training == {"seed": "\ud83d"}
    assert read == state
