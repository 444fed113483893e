# SPDX-License-Identifier: Apache-2.0
"""Failures in OpenAI's shape, with the reason and the hint that Tabard gives beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from tabard import NotFound, PermissionDenied, ResourceExhausted, TabardError, Unauthenticated
from tabard_web.failures import status_of


class OpenAIError(BaseModel):
    """One failure.

    Attributes:
        message: What happened, and what to do.
        type: OpenAI's word for its kind.
        param: The parameter that was refused, if one was.
        code: What OpenAI calls it where it has a word, else the reason in lower case.
        reason: Stable code, as errors.md has it.
        hint: What to do next.
    """

    message: str
    type: str
    param: str | None
    code: str | None
    reason: str
    hint: str


class OpenAIFailure(BaseModel):
    """The body of a failure.

    Attributes:
        error: The failure.
    """

    error: OpenAIError


FAILURES: dict[int | str, dict[str, Any]] = {
    "default": {"model": OpenAIFailure, "description": "What failed, and what to do."}
}
"""How every path of this door says in its description that it may fail."""

_CODES: dict[type[TabardError], str] = {
    NotFound: "model_not_found",
    Unauthenticated: "invalid_api_key",
    ResourceExhausted: "rate_limit_exceeded",
}
_CODES_OF_REASONS = {"IMAGE_WITHHELD": "content_policy_violation"}
_TYPES: dict[type[TabardError], str] = {
    PermissionDenied: "permission_error",
    Unauthenticated: "authentication_error",
    ResourceExhausted: "rate_limit_error",
}
_NO_MODEL = ("PATH_UNKNOWN", "JOB_UNKNOWN", "JOB_IMAGE_UNKNOWN")
PARAMS: Mapping[str, str] = {
    "adapters": "model",
    "height": "size",
    "mask_image": "mask",
    "num_images": "n",
    "width": "size",
}
"""What OpenAI calls the parameters that the SDK and the server have other names for."""


_INNER = re.compile(r"[.\[]")


def openai_failure(error: TabardError, *, params: Mapping[str, str] = PARAMS) -> dict[str, Any]:
    """Give the body of a failure; `params` are the names of another door in this shape."""
    kind = "server_error" if status_of(error) >= 500 else "invalid_request_error"
    code = "" if error.reason in _NO_MODEL else _CODES.get(type(error), "")
    code = _CODES_OF_REASONS.get(error.reason, code)
    told = OpenAIError(
        message=f"{error}; {error.hint}" if error.hint else str(error),
        type=_TYPES.get(type(error), kind),
        param=_param(error, params),
        code=code or error.reason.lower() or None,
        reason=error.reason,
        hint=error.hint,
    )
    return OpenAIFailure(error=told).model_dump()


def _param(error: TabardError, params: Mapping[str, str]) -> str | None:
    """Give the door's name of what is wrong; of a part of something, that of the whole."""
    name = error.violations[0].field if error.violations else ""
    whole = _INNER.split(name)[0]
    return params.get(name) or params.get(whole) or name or None
