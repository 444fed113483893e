# SPDX-License-Identifier: Apache-2.0
"""`tabard top`: what a server does, live."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

import click

from tabard.cli.layout import Answer, Text
from tabard.cli.numbers import Number, Whole
from tabard.cli.output import fields, size, table
from tabard.cli.session import Session, with_session
from tabard.client import Client
from tabard.errors import Unavailable
from tabard.operations import ServerStatus

_LAG_SECONDS_TOLD = 5.0
_GOOD = "serving"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A server at one moment, and how fast it was since the one before.

    Attributes:
        status: What it says of itself.
        steps_per_second: Denoise steps; None: it was looked at once, or started anew since.
        row_steps_per_second: The same for each row.
    """

    status: ServerStatus
    steps_per_second: float | None = None
    row_steps_per_second: float | None = None


@click.command()
@click.option("--once", "is_once", is_flag=True, help="Look for one interval, show it, and end.")
@click.option("--count", type=Whole(min=1), help="Stop after so many looks.")
@click.option(
    "--interval",
    "interval_seconds",
    metavar="SECONDS",
    type=Number(min=0.1, max=3600),
    default=1.0,
    show_default=True,
    help="How often to look.",
)
@with_session
def top(session: Session, *, is_once: bool, count: int | None, interval_seconds: float) -> None:
    """Show what the server does, live.

    Each second until interrupted: rows that run and wait, steps a second, tenants, what lies in
    memory, and how the server and its registry fare. Where the output is no terminal that can
    redraw, each look is a line; with --json a document. A server that goes away is asked again
    until it is back.
    """
    if is_once and count is not None:
        raise click.UsageError("--once is one look: leave out --count")
    output = session.output
    is_screen = output.can_redraw and not output.is_json
    # A look that fails is shown as such, not waited for behind a screen that stands still.
    patience = session.patience_seconds or 0.0
    with replace(session, patience_seconds=patience).connect() as client:
        looks = _looks(client, interval_seconds=interval_seconds)
        if is_once:
            next(looks)
            look = next(looks)
            if isinstance(look, Unavailable):
                raise look
            output.answer(_document(look), *_screen(look))
            return
        for look in itertools.islice(looks, count):
            if is_screen:
                output.redraw(*_screen(look))
            else:
                output.answer_line(_document(look), _line(look))


def look_at(now: ServerStatus, *, before: ServerStatus | None) -> Look:
    """Compare two moments, by the server's own clock."""
    seconds = 0.0 if before is None else now.uptime_seconds - before.uptime_seconds
    if before is None or seconds <= 0 or now.steps < before.steps:
        return Look(status=now)
    return Look(
        status=now,
        steps_per_second=(now.steps - before.steps) / seconds,
        row_steps_per_second=(now.row_steps - before.row_steps) / seconds,
    )


def _looks(client: Client, *, interval_seconds: float) -> Iterator[Look | Unavailable]:
    """Yield what is seen, for ever; the first look must succeed."""
    before = client.status()
    yield look_at(before, before=None)
    while True:
        time.sleep(interval_seconds)
        try:
            now = client.status()
        except Unavailable as error:
            yield error
        else:
            yield look_at(now, before=before)
            before = now


def _document(look: Look | Unavailable) -> dict[str, Any]:
    if isinstance(look, Unavailable):
        return {"state": "unavailable", "reason": look.reason, "message": str(look)}
    rates = {
        "steps_per_second": look.steps_per_second,
        "row_steps_per_second": look.row_steps_per_second,
    }
    return asdict(look.status) | rates


def _line(look: Look | Unavailable) -> Text:
    if isinstance(look, Unavailable):
        return Text(f"does not answer: {look}")
    found = look.status
    tenants = ", ".join(
        f"{one.tenant or '(none)'} {one.rows_running}+{one.rows_waiting}" for one in found.tenants
    )
    parts = (
        found.state,
        f"{found.rows_running} running",
        f"{found.rows_waiting} waiting",
        _rate(look),
        f"{len(found.residents)} in memory",
        f"seq {found.registry_seq}{_late(found)}",
        *([f"by tenant: {tenants}"] if tenants else []),
    )
    return Text("  ".join(parts))


def _screen(look: Look | Unavailable) -> list[Answer]:
    if isinstance(look, Unavailable):
        return [Text("does not answer", "bold red"), Text(str(look)), Text(look.hint)]
    found = look.status
    style = "bold green" if found.state == _GOOD else "bold red"
    causes = [Text(f"  {one.reason}: {one.message}") for one in found.causes]
    up = timedelta(seconds=int(found.uptime_seconds))
    head = f"  tabard {found.version}, {found.base_source} on {found.device}, up {up}"
    facts = {
        "rows": f"{found.rows_running} running, {found.rows_waiting} waiting",
        "speed": _rate(look),
        "registry": f"seq {found.registry_seq}{_late(found)}",
    }
    tenants = [
        (one.tenant or "(none)", str(one.rows_running), str(one.rows_waiting))
        for one in found.tenants
    ]
    residents = [
        (one.adapter, one.version, one.tier, size(one.bytes), str(one.leases))
        for one in sorted(found.residents, key=lambda one: (-one.leases, one.adapter))
    ]
    return [
        Text.assemble((found.state, style), head),
        *causes,
        fields(facts),
        *([table("tenant", "running", "waiting", rows=tenants)] if tenants else []),
        *(
            [table("resident", "version", "tier", "size", "leases", rows=residents)]
            if residents
            else [Text("no residents")]
        ),
    ]


def _rate(look: Look) -> str:
    if look.steps_per_second is None or look.row_steps_per_second is None:
        return "? steps/s"
    return f"{look.steps_per_second:.1f} steps/s, {look.row_steps_per_second:.1f} of rows"


def _late(found: ServerStatus) -> str:
    lag = found.registry_lag_seconds
    return f", not heard of for {lag:.0f} s" if lag >= _LAG_SECONDS_TOLD else ""
