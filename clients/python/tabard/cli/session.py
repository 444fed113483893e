# SPDX-License-Identifier: Apache-2.0
"""The options that every command shares, and the client they describe."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import click

from tabard.cli.numbers import Number
from tabard.cli.option_names import in_options, option_names
from tabard.cli.output import Output
from tabard.client import Client
from tabard.connection import find_connection
from tabard.errors import ResourceExhausted, TabardError

Command = Callable[..., None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Which server a command talks to, and how it answers.

    `address` is None when neither `--address` nor `TABARD_ADDRESS` is given, and
    `patience_seconds` without `--patience`.
    """

    address: str | None
    token: str | None = field(repr=False)
    patience_seconds: float | None = None
    output: Output

    def connect(self) -> Client:
        """Open a client; close it with `with`."""
        client = Client(
            self.address,
            token=self.token,
            patience_seconds=self.patience_seconds,
            on_wait=self._say_waiting,
        )
        if self.output.is_verbose:
            there = find_connection(address=self.address, token=self.token)
            bearer = ", with a token" if there.token else ""
            self.output.detail(f"asking {there.address} as {there.actor}{bearer}")
        return client

    def _say_waiting(self, seconds: float, refusal: TabardError) -> None:
        # Others than a full server say of themselves what they are: starting, draining, stalled.
        is_full = isinstance(refusal, ResourceExhausted)
        why = "because the server is busy: " if is_full else "because "
        self.output.say(f"waiting {seconds:.1f} s, {why}{refusal}")


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Make one decorator of several, in the order of the help."""
    return lambda command: functools.reduce(lambda made, add: add(made), options[::-1], command)


def with_output(command: Command) -> Command:
    """Give a command `--json`, `--quiet` and `--verbose`; it takes an `Output` first."""

    @click.option("--json", "is_json", is_flag=True, help="One JSON document on stdout.")
    @click.option("-q", "--quiet", "is_quiet", is_flag=True, help="Nothing but the answer.")
    @click.option(
        "-v", "--verbose", "is_verbose", is_flag=True, help="Also whom it asks, and for how long."
    )
    @functools.wraps(command)
    def run(*, is_json: bool, is_quiet: bool, is_verbose: bool, **options: Any) -> None:
        if is_quiet and is_verbose:
            raise click.UsageError("--quiet and --verbose are opposites: say one of them")
        output = Output(is_json=is_json, is_quiet=is_quiet, is_verbose=is_verbose)
        began = time.monotonic()
        try:
            command(output, **options)
        except TabardError as error:
            names = option_names(click.get_current_context().command.params)
            raise in_options(error, names=names) from error
        finally:
            output.detail(f"took {time.monotonic() - began:.2f} s")

    return run


def with_session(command: Command) -> Command:
    """Give a command the options of a `Session`, which it takes first."""

    @click.option(
        "--address",
        envvar="TABARD_ADDRESS",
        metavar="HOST:PORT",
        help="The server; default $TABARD_ADDRESS, then 127.0.0.1:50051.",
    )
    @click.option("--token", envvar="TABARD_TOKEN", help="Bearer token; default $TABARD_TOKEN.")
    @click.option(
        "--patience",
        "patience_seconds",
        metavar="SECONDS",
        type=Number(min=0),
        help="How long to wait for a server that is busy, starting or draining; default 60, 0 for "
        "not at all.",
    )
    @with_output
    @functools.wraps(command)
    def run(
        output: Output,
        *,
        address: str | None,
        token: str | None,
        patience_seconds: float | None,
        **options: Any,
    ) -> None:
        session = Session(
            address=address or None,
            token=token,
            patience_seconds=patience_seconds,
            output=output,
        )
        command(session, **options)

    return run
