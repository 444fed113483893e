# SPDX-License-Identifier: Apache-2.0
"""What a shell offers behind TAB: refs, names, channels and samplers, as the server knows them.

Asked with little patience: where no server answers at once, nothing is offered. A shell that is not
known is refused, because click ends without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import click

from tabard.errors import TabardError

if TYPE_CHECKING:
    from tabard.client import Client

Complete = Callable[[click.Context, click.Parameter, str], list[str]]

SHELLS = ("bash", "fish", "zsh")
"""The shells that completion is there for."""
_VARIABLE = "_TABARD_COMPLETE"
_ACCESS = ("address", "profile", "token_file", "tls_ca")
_PATIENCE_SECONDS = 1.0
_OFFERED_MAX = 50


def require_shell(environment: Mapping[str, str]) -> None:
    """See that completion is asked for by a shell that is known, if it is.

    Raises:
        UsageError: The variable says something else.
    """
    said = environment.get(_VARIABLE, "")
    known = [f"{shell}_{asked}" for shell in SHELLS for asked in ("source", "complete")]
    if said and said not in known:
        ways = ", ".join(f"{_VARIABLE}={shell}_source" for shell in SHELLS)
        raise click.UsageError(f"{_VARIABLE}={said} names no shell that is known. Say {ways}.")


def among(words: Iterable[str]) -> Complete:
    """Give what offers these words."""
    known = tuple(words)

    def complete(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
        del context, parameter
        return [one for one in known if one.startswith(begun)]

    return complete


def _from_server(ask: Callable[[Client, click.Context, str], Iterable[str]]) -> Complete:
    def complete(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
        del parameter
        from tabard.client import Client  # noqa: PLC0415 - only a shell that asks needs gRPC

        try:
            said = {name: context.params.get(name) or None for name in _ACCESS}
            with Client(
                **said,
                timeout_seconds=_PATIENCE_SECONDS,
                patience_seconds=0,
            ) as client:
                found = [one for one in ask(client, context, begun) if one.startswith(begun)]
        except TabardError:
            return []
        return found[:_OFFERED_MAX]

    return complete


def _names(client: Client, _context: click.Context, begun: str) -> Iterable[str]:
    words = begun.replace("/", " ").strip()
    if words:
        return [hit.adapter for hit in client.search(words, limit=_OFFERED_MAX)]
    return [adapter.name for adapter in client.list()]


def _refs(client: Client, context: click.Context, begun: str) -> Iterable[str]:
    name, at, _selector = begun.partition("@")
    if not at:
        return _names(client, context, begun)
    adapter = client.get(name)
    selectors = [one.name for one in adapter.channels] + [one.version for one in adapter.releases]
    return [f"{name}@{selector}" for selector in selectors]


def _channels(client: Client, context: click.Context, _begun: str) -> Iterable[str]:
    said = context.params.get("ref") or context.params.get("name")
    adapters = [client.get(said.partition("@")[0])] if said else client.list()
    return dict.fromkeys(channel.name for one in adapters for channel in one.channels)


def _samplers(client: Client, _context: click.Context, _begun: str) -> Iterable[str]:
    return client.status().samplers


names = _from_server(_names)
"""Release lines, `NS/NAME`."""
refs = _from_server(_refs)
"""Release lines, and behind an `@` their channels and versions."""
channels = _from_server(_channels)
"""Channels: of the release line that the command line names, or of all."""
samplers = _from_server(_samplers)
"""Samplers of the server."""
