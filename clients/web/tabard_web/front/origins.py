# SPDX-License-Identifier: Apache-2.0
"""Whence a request comes: no page of another site uses the gateway through somebody's browser.

A browser says of what page a request is (`Origin`), and under which name it looked the gateway up
(`Host`). Tools that are no browsers say no origin. A link may lead to the page from anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from tabard import PermissionDenied
from tabard_web.failures import Failures

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})

_HOST = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?|")
"""What a `Host` may be; old programs send none."""


class Origins:
    """Refuses requests of other sites' pages, and those for a name that is not the gateway's."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        names: Collection[str] | None,
        failures: Failures,
        visits: Collection[str] = (),
    ) -> None:
        """Take who is behind it.

        Args:
            app: What answers.
            names: The names that the gateway is asked under; None: any, as it is known by many.
            failures: How a refusal is told.
            visits: Paths that somebody may open from a link on another site.
        """
        self._app = app
        self._visits = frozenset(visits)
        self._names = None if names is None else {name.lower() for name in names}
        self._failures = failures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        app = self._app
        if scope["type"] == "http" and (
            refusal := self._refusal(Headers(scope=scope), is_visit=self._is_visit(scope))
        ):
            app = self._failures.answer(scope["path"], refusal)
        await app(scope, receive, send)

    def _is_visit(self, scope: Scope) -> bool:
        """Say whether somebody opens the page itself, as a page of its own."""
        headers = Headers(scope=scope)
        said = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")
        is_read = scope["method"] in ("GET", "HEAD") and scope["path"] in self._visits
        return is_read and said == ("navigate", "document")

    def _refusal(self, headers: Headers, *, is_visit: bool) -> PermissionDenied | None:
        host = headers.get("host", "").lower()
        is_known = self._names is None or _name(host) in self._names
        if not (is_known and _HOST.fullmatch(host)):
            # A site may let its own name point to this machine, and would be the same origin.
            return PermissionDenied(
                f"this gateway is not known as {_name(host)[:80]!r}",
                reason="HOST_UNKNOWN",
                hint="ask it by the address it listens at, or start it with --host NAME",
            )
        origin = headers.get("origin")
        is_foreign = origin is not None and _place(origin) != host
        is_foreign |= headers.get("sec-fetch-site") == "cross-site" and not is_visit
        if is_foreign:
            return PermissionDenied(
                "this request was made by a page of another site",
                reason="ORIGIN_REFUSED",
                hint="ask from a program, or from a page that the gateway itself serves",
            )
        return None


def _place(origin: str) -> str | None:
    """Give the name and port in an `Origin`; None: nothing that can be read."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _name(host: str) -> str:
    """Give the name in a `Host`, without its port."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host
