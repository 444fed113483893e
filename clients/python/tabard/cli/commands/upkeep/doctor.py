# SPDX-License-Identifier: Apache-2.0
"""`tabard doctor`: whether a place can be a registry, and whether this machine can read pickles."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import click

from tabard.cli import exit_codes
from tabard.cli.layout import Group, Text
from tabard.cli.local.registry import library, sdk_errors, url_argument
from tabard.cli.local.seal import pickle_check
from tabard.cli.output import Output
from tabard.cli.session import with_output

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}
_VERDICTS = {
    "ok": "fine: any number of servers may write here",
    "warn": "fine for any number of servers; read the warnings",
    "fail": "refused: a server would lose records here, or nothing works",
}


@click.command()
@url_argument
@with_output
def doctor(output: Output, *, url: str) -> None:
    """Examine the place of a registry before trusting it: races, missing objects, rules, clock.

    The last check is of this machine: whether pickles can be read in a sealed process here.
    Objects of its own lie below doctor/ for some seconds; nothing stays. Exits 0 when servers may
    write there, though there may be warnings, and 4 when they must not. URL is s3://bucket/path,
    file:///path or a folder; left out, $TABARD_REGISTRY.
    """
    open_store = library("place", needed_for="tabard doctor").open_store
    examine = library("upkeep.doctor", needed_for="tabard doctor").examine
    with sdk_errors():
        store = open_store(url)
    diagnosis = examine(store)
    diagnosis = replace(diagnosis, checks=(*diagnosis.checks, pickle_check()))
    answer = {**asdict(diagnosis), "verdict": diagnosis.verdict, "is_safe": diagnosis.is_safe}
    lines = [_check_text(check) for check in diagnosis.checks]
    told = _VERDICTS[diagnosis.verdict]
    if diagnosis.is_vacant and diagnosis.is_safe:
        told = f"there is no registry yet; {told}"
    output.answer(answer, *lines, Text(told, _STYLES[diagnosis.verdict]))
    if not diagnosis.is_safe:
        click.get_current_context().exit(exit_codes.INVALID)


def _check_text(check: Any) -> Group:
    lead = (f"{check.verdict:<4}  ", _STYLES[check.verdict])
    remedy = [f"      {check.remedy}"] if check.remedy else []
    return Group(Text.assemble(lead, f"{check.name}: {check.detail}"), *remedy)
