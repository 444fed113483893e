# SPDX-License-Identifier: Apache-2.0
"""Pictures among the lines of a terminal that can show them: kitty's protocol, or iTerm2's. Pure.

In: the environment, and a PNG. Out: what makes the terminal show it. Another terminal gets nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

LINES = 10
"""How high a picture is."""
_CHUNK_CHARS = 4_096
_KITTY_PROGRAMS = frozenset({"ghostty"})
_ITERM_PROGRAMS = frozenset({"iTerm.app", "WezTerm"})


def protocol_of(environment: Mapping[str, str]) -> str:
    """Return how a terminal shows pictures: `kitty`, `iterm2`, or empty where it cannot.

    A multiplexer between passes neither on.
    """
    if environment.get("TMUX") or environment.get("STY"):
        return ""
    program = environment.get("TERM_PROGRAM", "")
    if environment.get("KITTY_WINDOW_ID") or program in _KITTY_PROGRAMS:
        return "kitty"
    return "iterm2" if program in _ITERM_PROGRAMS else ""


def shown(png: bytes, *, protocol: str) -> str:
    """Write what shows a PNG, and ends its line."""
    content = base64.b64encode(png).decode()
    if protocol == "iterm2":
        how = f"inline=1;size={len(png)};height={LINES};preserveAspectRatio=1"
        return f"\x1b]1337;File={how}:{content}\x07\n"
    chunks = [content[at : at + _CHUNK_CHARS] for at in range(0, len(content), _CHUNK_CHARS)]
    more = [int(at < len(chunks) - 1) for at in range(len(chunks))]
    first = f"a=T,f=100,r={LINES},q=2,"
    written = (
        f"\x1b_G{first if at == 0 else ''}m={more[at]};{chunk}\x1b\\"
        for at, chunk in enumerate(chunks)
    )
    return "".join(written) + "\n"
