# SPDX-License-Identifier: Apache-2.0
"""The pages of the metrics port: `/metrics`, `/livez` and `/readyz`; anything else is 404.

In: requests, a collector registry, and who can be asked for the state. Out: answers. A probe that
asks for a page of another name must not be told that all is well.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, make_wsgi_app

Start = Callable[[str, list[tuple[str, str]]], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What an orchestrator asks of a process.

    Attributes:
        is_live: Whether it is worth keeping: a restart would cure what is wrong otherwise.
        is_ready: Whether new jobs are taken.
        state: The state in a word.
    """

    is_live: bool
    is_ready: bool
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Why somebody may not read the metrics.

    Attributes:
        status: Status line.
        why: The same in words.
    """

    status: str
    why: str


Refuse = Callable[[str | None], Refused | None]
"""Judges what a reader says under `Authorization`; None: they may read."""
AskHealth = Callable[[], Health | None]
"""Asks the server itself, within a bound; None: it does not answer."""

_METRICS = ("/", "/metrics")
_PAGES = "/metrics, /livez, /readyz"
_UNHEARD = Health(is_live=False, is_ready=False, state="the server does not answer")


def pages(
    registry: CollectorRegistry, *, ask: AskHealth, refuse: Refuse | None = None
) -> Callable[[dict[str, Any], Start], Iterable[bytes]]:
    """Return the application of WSGI that answers for all of them; probes are never refused."""
    metrics = make_wsgi_app(registry)

    def answer(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        path = environ.get("PATH_INFO") or "/"
        if path in _METRICS:
            refused = refuse(environ.get("HTTP_AUTHORIZATION")) if refuse is not None else None
            if refused is not None:
                return _text(start, refused.status, refused.why)
            found: Iterable[bytes] = metrics(environ, start)
            return found
        if path not in ("/livez", "/readyz"):
            return _text(start, "404 Not Found", f"no such page; there are {_PAGES}")
        health = ask() or _UNHEARD
        is_well = health.is_live if path == "/livez" else health.is_ready
        return _text(start, "200 OK" if is_well else "503 Service Unavailable", health.state)

    return answer


def _text(start: Start, status: str, text: str) -> list[bytes]:
    start(status, [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")])
    return [f"{text}\n".encode()]
