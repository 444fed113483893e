# SPDX-License-Identifier: Apache-2.0
"""The options that every command shares, and the client they describe."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import click

from tabard.cli.output import Output
from tabard.client import Client

Command = Callable[..., None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Which server a command talks to, and how it answers.

    `address` is None when neither `--address` nor `TABARD_ADDRESS` is given.
    """

    address: str | None
    token: str | None = field(repr=False)
    output: Output

    def connect(self) -> Client:
        """Open a client; close it with `with`."""
        return Client(self.address, token=self.token)


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Make one decorator of several, in the order of the help."""
    return lambda command: functools.reduce(lambda made, add: add(made), options[::-1], command)


def with_output(command: Command) -> Command:
    """Give a command `--json`; it takes an `Output` first."""

    @click.option("--json", "is_json", is_flag=True, help="One JSON document on stdout.")
    @functools.wraps(command)
    def run(*, is_json: bool, **options: Any) -> None:
        command(Output(is_json=is_json), **options)

    return run


def with_session(command: Command) -> Command:
    """Give a command `--address`, `--token` and `--json`; it takes a `Session` first."""

    @click.option(
        "--address",
        envvar="TABARD_ADDRESS",
        metavar="HOST:PORT",
        help="The server; default $TABARD_ADDRESS, then 127.0.0.1:50051.",
    )
    @click.option("--token", envvar="TABARD_TOKEN", help="Bearer token; default $TABARD_TOKEN.")
    @with_output
    @functools.wraps(command)
    def run(output: Output, *, address: str | None, token: str | None, **options: Any) -> None:
        command(Session(address=address or None, token=token, output=output), **options)

    return run
