# SPDX-License-Identifier: Apache-2.0
"""A parameter is said once: of two values one would be passed over, whichever it is.

In: the body of a request, JSON or a form. Out: the same, or a refusal by name.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Iterable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from tabard import FieldViolation, InvalidArgument


def door(**said: Any) -> APIRouter:
    """Make a router whose paths take no JSON that says a parameter twice."""
    return APIRouter(route_class=_Route, **said)


def require_once(names: Iterable[str], *, several: Collection[str]) -> None:
    """See that a form says each parameter once, but for those that it may say several times.

    Raises:
        InvalidArgument: It says one of the others again.
    """
    for name, count in Counter(names).items():
        if count > 1 and name not in several:
            raise _refused(name)


class _Asked(Request):
    """A request that reads its JSON once, and notes what that says twice."""

    twice: str | None = None
    _read: Any = None
    _is_read = False

    async def json(self) -> Any:
        if not self._is_read:
            self._read = json.loads(await self.body(), object_pairs_hook=self._paired)
            self._is_read = True
        return self._read

    def _paired(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        paired = dict(pairs)
        if len(paired) < len(pairs) and self.twice is None:
            self.twice = Counter(name for name, _value in pairs).most_common(1)[0][0]
        return paired


class _Route(APIRoute):
    """A path that takes no JSON that says a parameter twice."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def answer_once(request: Request) -> Response:
            asked = _Asked(request.scope, request.receive)
            if "json" in request.headers.get("content-type", ""):
                await _look(asked)
            return await answer(asked)

        return answer_once


async def _look(asked: _Asked) -> None:
    try:
        await asked.json()
    except (ValueError, RecursionError):
        # It is told as every JSON that cannot be read, once somebody asks for it.
        return
    if asked.twice is not None:
        raise _refused(asked.twice)


def _refused(name: str) -> InvalidArgument:
    message = "it is said twice, and only one of its values could count"
    return InvalidArgument(
        f"{name[:80]}: {message}",
        reason="FIELD_INVALID",
        hint="say it once",
        violations=(FieldViolation(field=name[:80], description=message),),
    )
