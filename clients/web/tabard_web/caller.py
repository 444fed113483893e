# SPDX-License-Identifier: Apache-2.0
"""Who calls: the token that a request brings, which is passed on as it is. Nothing is checked here.

In: the header `Authorization`. Out: a token for the SDK, empty where there is none.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from fastapi import Depends, Request

from tabard import Unauthenticated


def read_token(authorization: str) -> str:
    """Give the token of an `Authorization` header; empty: nobody says who they are.

    Tools that know only a user and a password send the token as the password.

    Raises:
        Unauthenticated: It is neither `Bearer` nor `Basic`, or cannot be read.
    """
    if not authorization.strip():
        return ""
    scheme, _blank, said = authorization.strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return said.strip()
        case "basic":
            return _password(said.strip())
        case _:
            raise _refused(f"the scheme {scheme[:40]!r} of Authorization is not known")


def _password(said: str) -> str:
    try:
        _user, colon, password = base64.b64decode(said, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise _refused("the Basic credentials cannot be read") from error
    if not colon:
        raise _refused("the Basic credentials have no password")
    return password


def _refused(message: str) -> Unauthenticated:
    return Unauthenticated(
        message,
        reason="AUTHORIZATION_UNREADABLE",
        hint="send 'Authorization: Bearer TOKEN', or the token as the password of Basic",
    )


async def _token_of(request: Request) -> str:
    # Not for its waiting: what is no coroutine is called in a thread, for every request.
    return read_token(request.headers.get("authorization", ""))


Token = Annotated[str, Depends(_token_of)]
"""The token of the request that is answered."""
