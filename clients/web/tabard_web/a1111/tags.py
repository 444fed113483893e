# SPDX-License-Identifier: Apache-2.0
"""Plain names in tags: `<lora:ink:0.8>` is `<lora:acme/ink:0.8>` where no other line has that name.

In: a prompt, and what finds lines by a name. Out: the prompt with whole names. What a tag means
otherwise is the server's business.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence

from tabard import FieldViolation, InvalidArgument, NotFound

Find = Callable[[str], Awaitable[Sequence[str]]]
"""Gives the lines, `namespace/name`, that a name may stand for."""

_PLAIN = re.compile(
    r"(?P<open><\s*lora\s*:\s*)(?P<name>[^\s<>:/@]+)(?P<rest>\s*(?:[@:][^<>]*)?>)", re.IGNORECASE
)
_TAGS_MAX = 64


async def with_whole_names(prompt: str, *, find: Find) -> str:
    """Give a prompt whose tags have whole names.

    Raises:
        NotFound: No line has the name.
        InvalidArgument: Several have it.
    """
    names = {found["name"].lower() for found in _PLAIN.finditer(prompt)}
    if len(names) > _TAGS_MAX:
        raise _refused(f"the prompt has {len(names)} tags", hint=f"use {_TAGS_MAX} at most")
    whole = {name: await _whole(name, find=find) for name in sorted(names)}
    return _PLAIN.sub(
        lambda found: f"{found['open']}{whole[found['name'].lower()]}{found['rest']}", prompt
    )


async def _whole(name: str, *, find: Find) -> str:
    lines = [line for line in await find(name) if line.partition("/")[2] == name]
    if not lines:
        message = f"no style is called {name!r}"
        raise NotFound(
            message,
            reason="ADAPTER_NOT_FOUND",
            hint="GET /sdapi/v1/loras lists them",
            violations=(FieldViolation(field="prompt", description=message),),
        )
    if len(lines) > 1:
        tags = ", ".join(f"<lora:{line}:1>" for line in sorted(lines)[:8])
        raise _refused(f"{len(lines)} styles are called {name!r}", hint=f"name one of them: {tags}")
    return lines[0]


def _refused(message: str, *, hint: str) -> InvalidArgument:
    return InvalidArgument(
        f"prompt: {message}",
        reason="TAG_AMBIGUOUS",
        hint=hint,
        violations=(FieldViolation(field="prompt", description=message),),
    )
