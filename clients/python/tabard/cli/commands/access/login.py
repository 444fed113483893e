# SPDX-License-Identifier: Apache-2.0
"""`tabard login`: the address of a server and a token for it, kept in a profile."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from tabard.access.address import read_address
from tabard.access.identity import Identity
from tabard.access.profiles import (
    DEFAULT_PROFILE,
    PROFILE_VARIABLE,
    Profile,
    check_profile_name,
    config_file,
    read_profiles,
    write_profiles,
)
from tabard.access.tokens import TOKEN_BYTES_MAX, read_token, read_token_file
from tabard.calls.local_files import writing
from tabard.cli.commands.access.whoami import identity_text
from tabard.cli.output import Output
from tabard.cli.session import patience_option, waiting_told_by, with_output
from tabard.client import Client
from tabard.connection import DEFAULT_ADDRESS
from tabard.errors import FailedPrecondition

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option(
    "--profile",
    "name",
    metavar="NAME",
    default=DEFAULT_PROFILE,
    envvar=PROFILE_VARIABLE,
    show_default=True,
    help="Its name.",
)
@click.option(
    "--address",
    metavar="HOST:PORT",
    help="The server, or grpcs://HOST:PORT with TLS; default that of the profile, then "
    "$TABARD_ADDRESS.",
)
@click.option("--token-file", metavar="FILE", type=_FILE, help="File that holds your token.")
@click.option("--tls-ca", metavar="FILE", type=_FILE, help="PEM file of the server's CA.")
@click.option("--certificate", metavar="FILE", type=_FILE, help="PEM file of your certificate.")
@click.option("--key", metavar="FILE", type=_FILE, help="PEM file of its private key.")
@click.option("--insecure", is_flag=True, help="Send the token even where others can read it.")
@patience_option
@with_output
def login(
    output: Output,
    *,
    name: str,
    address: str | None,
    token_file: Path | None,
    patience_seconds: float | None,
    **options: Any,
) -> None:
    """Keep the address of a server and your token for it in a profile.

    Asks for the token, or reads it from standard input or --token-file; who logs in with a
    certificate needs none. The server is asked who you are before anything is kept. The file,
    ~/.config/tabard/config.toml, can be read by nobody else.

    \b
    tabard login --address grpcs://styles.example:50051
    tabard login --profile staging --address 127.0.0.1:50051 < token
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    if bool(options["certificate"]) != bool(options["key"]):
        raise click.UsageError("--certificate and --key go together")
    check_profile_name(name)
    path = required_config_file(os.environ)
    profiles = read_profiles(path)
    wanted = _wanted(profiles.get(name), address, **options)
    if token_file is not None or not wanted.certificate:
        wanted = replace(wanted, token=_token(token_file))
    output.say(f"asking {wanted.address} who you are …")
    identity = _ask(wanted, output=output, patience_seconds=patience_seconds)
    keep_profiles(path, profiles | {name: wanted})
    document = {"profile": name, "address": wanted.address, "file": str(path), "identity": identity}
    output.say(f"kept as profile '{name}' in {path}")
    output.answer(document, identity_text(identity))


def keep_profiles(path: Path, profiles: Mapping[str, Profile]) -> None:
    """Write the file of profiles.

    Raises:
        FailedPrecondition: It cannot be written.
    """
    with writing(path, hint="check who may write there, or set XDG_CONFIG_HOME to another folder"):
        write_profiles(path, profiles)


def required_config_file(environ: Mapping[str, str]) -> Path:
    """Say where profiles are kept.

    Raises:
        FailedPrecondition: This user has no folder for such files.
    """
    path = config_file(environ)
    if path is None:
        raise FailedPrecondition(
            "there is no folder to keep profiles in",
            reason="CONFIG_HOMELESS",
            hint="set HOME, or XDG_CONFIG_HOME",
        )
    return path


def _wanted(
    before: Profile | None,
    address: str | None,
    *,
    tls_ca: Path | None,
    certificate: Path | None,
    key: Path | None,
    insecure: bool,
) -> Profile:
    """Give the profile that shall be, still without a token.

    What the profile said of the same server stays, unless it is said anew.
    """
    if address or before is None:
        there = address or os.environ.get("TABARD_ADDRESS") or DEFAULT_ADDRESS
        ca = os.environ.get("TABARD_TLS_CA", "") if read_address(there).is_tls else ""
        before = Profile(address=there, tls_ca=str(Path(ca).absolute()) if ca else "")
    files = {"tls_ca": tls_ca, "certificate": certificate, "key": key}
    said = {name: str(file.absolute()) for name, file in files.items() if file}
    return replace(before, token="", insecure=insecure or before.insecure, **said)


def _token(file: Path | None) -> str:
    """Read a token: from a file, from whoever sits at the terminal, or from standard input."""
    if file is not None:
        return read_token_file(file)
    if sys.stdin.isatty():
        typed = click.prompt("token", default="", hide_input=True, show_default=False, err=True)
        return read_token(str(typed).strip(), said_by="the prompt")
    # One byte more than is a token, so that what is longer is refused and not cut.
    read = sys.stdin.buffer.read(TOKEN_BYTES_MAX + 3).decode("ascii", "replace")
    return read_token(read.removesuffix("\n").removesuffix("\r"), said_by="standard input")


def _ask(wanted: Profile, *, output: Output, patience_seconds: float | None) -> Identity:
    with Client(
        wanted.address,
        token=wanted.token,
        tls_ca=wanted.tls_ca or None,
        certificate=wanted.certificate_files,
        insecure=wanted.insecure,
        patience_seconds=patience_seconds,
        on_wait=waiting_told_by(output),
    ) as client:
        return client.whoami()
