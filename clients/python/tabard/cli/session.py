# SPDX-License-Identifier: Apache-2.0
"""The options that every command shares, and the client they describe."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import click

from tabard.access.profiles import default_profile
from tabard.cli.numbers import Number
from tabard.cli.option_names import in_options, option_names
from tabard.cli.output import Output
from tabard.client import Client
from tabard.connection import Access, find_connection
from tabard.errors import ResourceExhausted, TabardError
from tabard.patience import OnWait

Command = Callable[..., None]

ACCESS_OPTIONS = ("address", "profile", "token_file", "tls_ca")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Which server a command talks to, and how it answers.

    `access` is what options say of the server and of the caller; `patience_seconds` is None
    without `--patience`.
    """

    access: Access
    patience_seconds: float | None = None
    output: Output

    @property
    def names_a_server(self) -> bool:
        """Whether a server is named: by an option, by `TABARD_ADDRESS`, or by a profile."""
        said = self.access.get("address") or self.access.get("profile")
        is_named = bool(said or os.environ.get("TABARD_ADDRESS"))
        return is_named or default_profile(os.environ) is not None

    @property
    def shows_identity(self) -> bool:
        """Whether the caller shows who it is, as it does where somebody asks."""
        return find_connection(**self.access).shows_identity

    def connect(self) -> Client:
        """Open a client; close it with `with`."""
        client = Client(
            **self.access,
            patience_seconds=self.patience_seconds,
            on_wait=waiting_told_by(self.output),
        )
        if self.output.is_verbose:
            there = find_connection(**self.access)
            bearer = ", with a token" if there.token else ""
            self.output.detail(f"asking {there.address} as {there.actor}{bearer}")
        return client


def waiting_told_by(output: Output) -> OnWait:
    """Make what tells a person of every wait for a server."""

    def tell(seconds: float, refusal: TabardError) -> None:
        # Others than a full server say of themselves what they are: starting, draining, stalled.
        is_full = isinstance(refusal, ResourceExhausted)
        why = "because the server is busy: " if is_full else "because "
        output.say(f"waiting {seconds:.1f} s, {why}{refusal}")

    return tell


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


patience_option = click.option(
    "--patience",
    "patience_seconds",
    metavar="SECONDS",
    type=Number(min=0),
    help="How long to wait for a server that is busy, starting or draining; default 60, 0 for "
    "not at all.",
)


def with_session(command: Command) -> Command:
    """Give a command the options of a `Session`, which it takes first."""

    @click.option(
        "--address",
        metavar="HOST:PORT",
        help="The server, or grpcs://HOST:PORT with TLS; default $TABARD_ADDRESS, then that of "
        "tabard login, then 127.0.0.1:50051.",
    )
    @click.option(
        "--profile",
        metavar="NAME",
        help="The server and token of tabard login; default $TABARD_PROFILE.",
    )
    @click.option(
        "--token-file",
        metavar="FILE",
        help="File that holds your token; default $TABARD_TOKEN, then $TABARD_TOKEN_FILE.",
    )
    @click.option(
        "--tls-ca",
        metavar="FILE",
        help="PEM file of the CA that signed the server's certificate; default $TABARD_TLS_CA.",
    )
    @patience_option
    @with_output
    @functools.wraps(command)
    def run(
        output: Output,
        *,
        patience_seconds: float | None,
        **options: Any,
    ) -> None:
        access = access_of({name: options.pop(name) for name in ACCESS_OPTIONS})
        session = Session(access=access, patience_seconds=patience_seconds, output=output)
        command(session, **options)

    return run


def access_of(options: Mapping[str, Any]) -> Access:
    """Give what options say of a server and of the caller; empty ones say nothing."""
    return cast("Access", {name: options.get(name) or None for name in ACCESS_OPTIONS})
