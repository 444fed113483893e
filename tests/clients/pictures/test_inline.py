# SPDX-License-Identifier: Apache-2.0
"""Pictures among the lines of a terminal."""

import base64
import re

import pytest

from tabard.pictures.inline import protocol_of, shown

PNG = bytes(range(256)) * 40


@pytest.mark.parametrize(
    ("environment", "protocol"),
    [
        ({"KITTY_WINDOW_ID": "1", "TERM": "xterm-kitty"}, "kitty"),
        ({"TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"KITTY_WINDOW_ID": "1", "TMUX": "/run/tmux"}, ""),
        ({"TERM": "xterm-256color"}, ""),
        ({}, ""),
    ],
)
def test_terminal_is_known_by_its_environment(environment: dict[str, str], protocol: str) -> None:
    """One that does not say so gets no bytes that it would print."""
    assert protocol_of(environment) == protocol


def test_kitty_gets_chunks() -> None:
    """The first says what it is, the last that there is no more; together they are the file."""
    chunks = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", shown(PNG, protocol="kitty"))

    assert base64.b64decode("".join(content for _keys, content in chunks)) == PNG
    assert [keys.rpartition("m=")[2] for keys, _content in chunks] == ["1"] * 3 + ["0"]
    assert chunks[0][0].startswith("a=T,f=100,")
    assert all(len(content) <= 4_096 for _keys, content in chunks)


def test_iterm_gets_one_file() -> None:
    """With its size, so that what is cut off is not shown."""
    found = re.fullmatch(r"\x1b]1337;File=([^:]*):(.*)\x07\n", shown(PNG, protocol="iterm2"))

    assert found is not None
    assert f"size={len(PNG)}" in found[1]
    assert base64.b64decode(found[2]) == PNG
