# SPDX-License-Identifier: Apache-2.0
"""`tabard logout`: a profile is forgotten."""

from __future__ import annotations

import os

import click

from tabard.access.profiles import (
    DEFAULT_PROFILE,
    PROFILE_VARIABLE,
    read_profiles,
    unknown_profile,
)
from tabard.cli.commands.access.login import keep_profiles, required_config_file
from tabard.cli.output import Output
from tabard.cli.session import with_output


@click.command()
@click.option(
    "--profile",
    metavar="NAME",
    default=DEFAULT_PROFILE,
    envvar=PROFILE_VARIABLE,
    show_default=True,
    help="Which one.",
)
@with_output
def logout(output: Output, *, profile: str) -> None:
    """Forget a profile. Its token stays good: revoke it with tabard token revoke."""
    path = required_config_file(os.environ)
    profiles = read_profiles(path)
    if profile not in profiles:
        raise unknown_profile(profile, known=profiles)
    forgotten = profiles.pop(profile)
    keep_profiles(path, profiles)
    document = {"profile": profile, "address": forgotten.address, "file": str(path)}
    output.answer(document, f"{forgotten.address} is forgotten; its token stays good until revoked")
