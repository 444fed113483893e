# SPDX-License-Identifier: Apache-2.0
"""How a failure is answered: one table from the SDK's errors to HTTP, in the shape of each door.

In: a `TabardError`, or what the framework raises. Out: a response.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tabard import (
    Aborted,
    AlreadyExists,
    Cancelled,
    DeadlineExceeded,
    FailedPrecondition,
    FieldViolation,
    Internal,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    TabardError,
    Unauthenticated,
    Unavailable,
    Unimplemented,
)

Shape = Callable[[TabardError], Mapping[str, Any]]
"""Makes the body of a failure, as the tools of one door expect it."""

STATUSES: Mapping[type[TabardError], int] = {
    InvalidArgument: 400,
    Unauthenticated: 401,
    PermissionDenied: 403,
    NotFound: 404,
    AlreadyExists: 409,
    FailedPrecondition: 409,
    Aborted: 409,
    ResourceExhausted: 429,
    Cancelled: 499,
    Internal: 500,
    Unimplemented: 501,
    Unavailable: 503,
    DeadlineExceeded: 504,
}
_STATUSES_OF_REASONS = {
    "METHOD_NOT_ALLOWED": 405,
    "BODY_TOO_SLOW": 408,
    "BODY_TOO_LARGE": 413,
    # As OpenAI answers it: asked again as it is, it comes to the same.
    "IMAGE_WITHHELD": 400,
}
"""What HTTP itself has a status for, or tools expect another of."""


def status_of(error: TabardError) -> int:
    """Give the HTTP status of an error."""
    return _STATUSES_OF_REASONS.get(error.reason) or STATUSES.get(type(error), 500)


class Failures:
    """Answers failures, each in the shape of the door that it happened at."""

    def __init__(self, shapes: Mapping[str, Shape], *, default: Shape) -> None:
        """Take the shapes of the doors by how their paths begin, and that of all other paths."""
        self._shapes = shapes
        self._default = default

    def answer(self, path: str, error: TabardError) -> Response:
        """Give the response for an error at a path."""
        found = (shape for start, shape in self._shapes.items() if path.startswith(start))
        body = next(found, self._default)(error)
        return json_response(body, status=status_of(error), headers=_headers(error))

    async def on_error(self, request: Request, error: Exception) -> Response:
        """Answer whatever was raised; what nobody foresaw tells nothing of itself."""
        answer = self.answer(request.scope["path"], told_as(error))
        if isinstance(error, HTTPException):
            # As `Allow`, which says how else a path may be asked.
            answer.headers.update(error.headers or {})
        return answer


def json_response(
    body: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Give a response of pure ASCII, which holds any text whatever its characters are."""
    content = json.dumps(body, ensure_ascii=True, separators=(",", ":"))
    return Response(content, status_code=status, headers=headers, media_type="application/json")


def told_as(error: Exception) -> TabardError:
    """Give the error of the SDK's tree that says what was raised."""
    match error:
        case TabardError():
            return error
        case RequestValidationError():
            return _invalid(error)
        case HTTPException():
            return _FROM_HTTP.get(error.status_code, _unreadable)()
        case _:
            return Internal(
                "the gateway failed in a way that was not foreseen",
                reason="GATEWAY_FAILED",
                hint="look at its log",
            )


def _unreadable() -> TabardError:
    return InvalidArgument(
        "the body of the request cannot be read",
        reason="BODY_UNREADABLE",
        hint="send a whole JSON object as application/json, or of an edit a form",
    )


def _no_path() -> TabardError:
    return NotFound(
        "there is no such path", reason="PATH_UNKNOWN", hint="GET /openapi.json lists them"
    )


def _no_method() -> TabardError:
    return InvalidArgument(
        "this path is not asked like that",
        reason="METHOD_NOT_ALLOWED",
        hint="the header Allow says how it is",
    )


_FROM_HTTP: Mapping[int, Callable[[], TabardError]] = {404: _no_path, 405: _no_method}
_NO_OBJECT = ("missing", "model_attributes_type", "model_type", "dict_type")
"""What is said of a body that is there and is no object, or is not there."""


def _invalid(error: RequestValidationError) -> TabardError:
    """Say which fields cannot be, and never what was in them."""
    for one in error.errors():
        # Half a JSON has a place where it breaks off, which is no field.
        if one["type"] == "json_invalid" or (one["loc"] == ("body",) and one["type"] in _NO_OBJECT):
            return _unreadable()
    violations = tuple(
        FieldViolation(field=_field(one["loc"]), description=_words(one))
        for one in error.errors()[:_VIOLATIONS_MAX]
    )
    first = violations[0]
    return InvalidArgument(
        f"{first.field}: {first.description}" if first.field else first.description,
        reason="FIELD_INVALID",
        hint="GET /openapi.json says what every door takes",
        violations=violations,
    )


_VIOLATIONS_MAX = 16
_NAME_CHARS_MAX = 80


def _field(place: tuple[str | int, ...]) -> str:
    """Name a field: what comes before its name says where it was sent."""
    words = [str(word) for word in place[1:]] if len(place) > 1 else []
    return ".".join(words)[:_NAME_CHARS_MAX]


def _words(found: Mapping[str, Any]) -> str:
    if found["type"] == "extra_forbidden":
        return "this parameter is not known here, and is not passed over: it could change the image"
    return str(found["msg"]).removeprefix("Value error, ")


def _headers(error: TabardError) -> dict[str, str]:
    headers: dict[str, str] = {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="tabard"'
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_seconds)))
    # OpenAI's clients send again by the status alone, unless they are told.
    headers["X-Should-Retry"] = "true" if error.retry_after_seconds is not None else "false"
    return headers
