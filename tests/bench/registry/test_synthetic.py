# SPDX-License-Identifier: Apache-2.0
"""The registry that the bench makes up is one that could have been."""

from tabard_registry.checkpoint.codec import lines_of
from tabard_registry.checkpoint.packed import PackedLines
from tests.bench.registry import synthetic

LINES = 20


def test_made_up_lines_are_read_as_they_were_made() -> None:
    """Through the checkpoint's codec and back, sorted, and with all channels in use."""
    named = list(enumerate(synthetic.names(LINES)))
    made = [synthetic.line_of(name, number=number) for number, name in named]
    content = b"".join(row + b"\n" for line in made for row in lines_of(line))

    read = [line for _, line in PackedLines(content, start=0).lines()]

    assert read == made
    assert all(set(line.channels) == {"canary", "stable"} for line in read)
    assert [line.name for line in read] == sorted(synthetic.names(LINES), key=str)
