# SPDX-License-Identifier: Apache-2.0
"""`tabard status`: what a running server is, and how busy."""

from __future__ import annotations

from datetime import timedelta

import click
from rich.text import Text

from tabard.cli.output import fields, short, size, table
from tabard.cli.session import Session, with_session
from tabard.operations import ServerStatus

_LAG_SECONDS_TOLD = 5.0


@click.command()
@with_session
def status(session: Session) -> None:
    """Show what the server is, how busy, and which releases lie in memory."""
    with session.connect() as client:
        found = client.status()
    rows = [
        (one.adapter, one.version, short(one.digest), one.tier, size(one.bytes), str(one.leases))
        for one in found.residents
    ]
    residents = table("resident", "version", "digest", "tier", "size", "leases", rows=rows)
    session.output.answer(found, fields(_facts(found)), residents if rows else Text("no residents"))


def _state(found: ServerStatus) -> str:
    why = "; ".join(
        f"{one.message}, for {timedelta(seconds=int(one.seconds))}" for one in found.causes
    )
    return f"{found.state}: {why}" if why else found.state


def _registry(found: ServerStatus) -> str:
    lag = found.registry_lag_seconds
    late = f", not heard of for {timedelta(seconds=int(lag))}" if lag >= _LAG_SECONDS_TOLD else ""
    return f"{found.registry_id} at seq {found.registry_seq}{late}"


def _memory(found: ServerStatus) -> dict[str, str]:
    plan = found.memory_plan
    if plan is None:
        return {}
    parts = (
        f"base {size(plan.base_bytes)}, slots {size(plan.slot_bytes)}, merged copy "
        f"{size(plan.merged_bytes)}, gathered {size(plan.gathered_bytes)}, activations "
        f"{size(plan.activation_bytes)}"
    )
    free = f" of {size(plan.free_bytes)}" if plan.free_bytes else ""
    copy = "a merged copy" if plan.merged_bytes else "no merged copy"
    chosen = f" (chosen: {', '.join(plan.chosen)})" if plan.chosen else ""
    return {
        "memory": f"at most {size(plan.total_bytes)}{free}: {parts}",
        "steps": f"of up to {plan.rows_per_step} rows, {copy}{chosen}",
    }


def _base_words(found: ServerStatus) -> list[str]:
    words = [found.base_family, found.base_prediction, short(found.base_fingerprint)]
    return [word for word in [*words, "zero SNR" if found.base_zero_snr else ""] if word]


def _facts(found: ServerStatus) -> dict[str, str]:
    return {
        "tabard": found.version,
        "state": _state(found),
        "base": f"{found.base_source} ({', '.join(_base_words(found))})",
        **{f"remark {number}": remark for number, remark in enumerate(found.base_remarks, start=1)},
        "native size": f"{found.native_width}x{found.native_height}",
        "device": found.device,
        **_memory(found),
        "registry": _registry(found),
        "rows": f"{found.rows_running} running, {found.rows_waiting} waiting",
        "samplers": ", ".join(found.samplers),
        "up": str(timedelta(seconds=int(found.uptime_seconds))),
    }
