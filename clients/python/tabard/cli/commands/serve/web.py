# SPDX-License-Identifier: Apache-2.0
"""`tabard web`: run the gateway in this process; needs the extra `web`.

The gateway's package is imported only here. It is given a server's address, and no identity.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from typing import Any

import click

from tabard.aio import AsyncClient
from tabard.cli.commands.serve.serve import set_option
from tabard.cli.local.extras import missing_extra
from tabard.cli.local.gateway import WEB_EXTRA
from tabard.cli.output import Output
from tabard.cli.session import patience_option, with_output
from tabard.connection import DEFAULT_ADDRESS


@click.command()
@click.option(
    "--address",
    metavar="HOST:PORT",
    envvar="TABARD_ADDRESS",
    default=DEFAULT_ADDRESS,
    help=f"The server, or grpcs://HOST:PORT with TLS; $TABARD_ADDRESS, then {DEFAULT_ADDRESS}.",
)
@click.option(
    "--listen",
    metavar="HOST:PORT|systemd",
    default="127.0.0.1:8080",
    help="HTTP, 127.0.0.1:8080 unless said; port 0 lets the system choose; systemd: the socket of "
    "its .socket unit.",
)
@click.option(
    "--host",
    "names",
    metavar="NAME",
    multiple=True,
    help="A name it is asked under, as of a proxy in front; repeatable.",
)
@click.option(
    "--tls-ca",
    metavar="FILE",
    help="PEM file of the CA that signed the server's certificate; default $TABARD_TLS_CA.",
)
@click.option("--insecure", is_flag=True, help="Listen and ask where others can read along.")
@click.option("--ends-with-stdin", is_flag=True, help="Stop when standard input ends.")
@patience_option
@set_option
@with_output
def web(
    output: Output,
    *,
    address: str,
    listen: str,
    names: tuple[str, ...],
    settings: Mapping[str, str],
    insecure: bool,
    ends_with_stdin: bool,
    **access: Any,
) -> None:
    """Serve the APIs that image tools speak, in front of a server, until interrupted.

    Callers are passed on with the tokens that they send; the gateway has none of its own.

    \b
    tabard web --address 127.0.0.1:50051 --listen 127.0.0.1:8080
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    with missing_extra(WEB_EXTRA, needed_for="tabard web"):
        bounds: Any = importlib.import_module("tabard_web.bounds")
        gateway: Any = importlib.import_module("tabard_web.app")
        serving: Any = importlib.import_module("tabard_web.serving")
    limits = bounds.read_bounds(settings)

    def connect(token: str, actor: str) -> AsyncClient:
        # The empty token is none, and keeps that of the environment from being used.
        return AsyncClient(address, token=token, actor=actor, insecure=insecure, **access)

    # What cannot be an address, or a CA, is told before anybody is served.
    connect("", "")
    place, opened = serving.take_place(listen, insecure=insecure)
    known = {*serving.LOOPBACK_NAMES, *names} if place.is_near else set(names)
    app = gateway.build_app(connect, bounds=limits, names=known or None)
    serving.serve(
        app,
        opened=opened,
        bounds=limits,
        on_ready=functools.partial(_announce, output, server=address),
        ends_with_stdin=ends_with_stdin,
    )


def _announce(output: Output, address: str, *, server: str) -> None:
    document = {"address": address, "server": server}
    output.answer_line(document, f"listening on {address}; stop with Ctrl-C")
