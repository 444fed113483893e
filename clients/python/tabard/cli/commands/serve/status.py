# SPDX-License-Identifier: Apache-2.0
"""`tabard status`: what a running server is, and how busy."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import click

from tabard.cli import exit_codes
from tabard.cli.choices import refuse_beside
from tabard.cli.commands.serve.replicas_text import replicas_text
from tabard.cli.layout import Answer, Group, Text
from tabard.cli.output import fields, short, size, table
from tabard.cli.session import Session, with_session
from tabard.operations import ServerStatus, TenantLoad, Verification, VerifiedComponent

_LAG_SECONDS_TOLD = 5.0


@click.command()
@click.option(
    "--verify", is_flag=True, help="Hash the weights in its memory again; for a large base minutes."
)
@click.option(
    "--replicas", is_flag=True, help="Also list the servers of its registry, as each told last."
)
@click.option(
    "--samplers", "is_samplers", is_flag=True, help="Show how each sampler can be walked, instead."
)
@with_session
def status(session: Session, *, verify: bool, replicas: bool, is_samplers: bool) -> None:
    """Show what the server is, how busy, and which releases lie in memory.

    With --verify it exits 0 when the weights are those that were loaded, and 8 when they are not.
    """
    if is_samplers:
        refuse_beside("--samplers", "verify", because="which looks at no weights")
    with session.connect() as client:
        found = client.status()
        others = client.replicas() if replicas else None
        verified = client.verify() if verify else None
    if is_samplers:
        session.output.answer(_samplers_document(found), _samplers(found))
        return
    rows = [
        (one.adapter, one.version, short(one.digest), one.tier, size(one.bytes), str(one.leases))
        for one in found.residents
    ]
    residents = table("resident", "version", "digest", "tier", "size", "leases", rows=rows)
    parts: list[Answer] = [fields(_facts(found)), residents if rows else Text("no residents")]
    document = asdict(found)
    if others is not None:
        document |= asdict(others)
        parts += replicas_text(others, now=found)
    if verified is not None:
        document["verification"] = _document(verified)
        parts += map(_verified, verified.components)
    session.output.answer(document, *parts)
    if verified is not None and not verified.is_sound:
        click.get_current_context().exit(exit_codes.DAMAGED)


def _samplers_document(found: ServerStatus) -> dict[str, Any]:
    told = asdict(found)
    return {name: told[name] for name in ("sampler_options", "schedules")}


def _samplers(found: ServerStatus) -> Any:
    rows = [
        (
            one.name,
            one.title,
            ", ".join(one.timestep_spacings) or "its own",
            ", ".join(one.schedules) or "none",
            ", ".join(one.takes),
        )
        for one in found.sampler_options
    ]
    return table("sampler", "in UIs", "spacing", "schedule", "takes", rows=rows)


def _document(found: Verification) -> dict[str, Any]:
    components = [asdict(one) | {"is_sound": one.is_sound} for one in found.components]
    return asdict(found) | {"components": components, "is_sound": found.is_sound}


def _verified(one: VerifiedComponent) -> Text | Group:
    if one.is_sound:
        return Text(f"{one.component}: as it was loaded, {short(one.found_fingerprint)}")
    what = (
        f"{one.component}: {short(one.found_fingerprint)} lies in memory, and "
        f"{short(one.loaded_fingerprint)} was loaded"
    )
    return Group(
        Text.assemble(("error: ", "bold red"), what),
        Text("  Restart the server, and test its memory."),
    )


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
        f"{size(plan.merged_bytes)}, packed {size(plan.packed_bytes)}, gathered "
        f"{size(plan.gathered_bytes)}, texts {size(plan.text_bytes)}, "
        f"activations {size(plan.activation_bytes)}"
    )
    if plan.shelved_bytes:
        parts += f"; text encoders in host memory {size(plan.shelved_bytes)}"
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


def _rows(found: ServerStatus | TenantLoad) -> str:
    return f"{found.rows_running} running, {found.rows_waiting} waiting"


def _tenant(one: TenantLoad) -> str:
    return one.tenant or "(none)"


def _credentials(found: ServerStatus) -> str:
    if (c2pa := found.c2pa) is None:
        return "off: pictures are marked and not signed"
    return f"{c2pa.subject} ({c2pa.algorithm}), until {c2pa.expires_at}"


def _safety(found: ServerStatus) -> str:
    if (safety := found.safety) is None:
        return "off"
    counts = ", ".join(f"{one.label} from {one.threshold:g}" for one in safety.labels)
    told = f"{safety.policy} by {safety.model}: {counts}"
    return f"{told}; failing, and nothing is sent: {safety.failure}" if safety.failure else told


def _compiled(found: ServerStatus) -> dict[str, str]:
    """Say how far the compiler is, where there is one."""
    if (compiled := found.compiled) is None:
        return {}
    counts = [f"{compiled.ready} kinds of pass"]
    counts += [f"{compiled.waiting} warming, eager until then"] if compiled.waiting else []
    counts += [f"{compiled.slower} slower, so eager"] if compiled.slower else []
    counts += [f"{compiled.unfit} not for it, so eager"] if compiled.unfit else []
    counts += [f"failed, the rest is eager: {compiled.failure}"] if compiled.failure else []
    return {"compiled": ", ".join(counts)}


def _facts(found: ServerStatus) -> dict[str, str]:
    return {
        "tabard": found.version,
        "state": _state(found),
        "base": f"{found.base_source} ({', '.join(_base_words(found))})",
        **{f"remark {number}": remark for number, remark in enumerate(found.base_remarks, start=1)},
        "native size": f"{found.native_width}x{found.native_height}",
        "device": found.device,
        **_memory(found),
        **_compiled(found),
        "registry": _registry(found),
        "rows": _rows(found),
        **{f"tenant {_tenant(one)}": _rows(one) for one in found.tenants},
        "identity": ", ".join(found.identity) or "off: nobody is asked who they are",
        "traces": "on" if found.traces else "off",
        "content credentials": _credentials(found),
        "safety check": _safety(found),
        "samplers": ", ".join(found.samplers),
        "schedules": ", ".join(one.name for one in found.schedules),
        "up": str(timedelta(seconds=int(found.uptime_seconds))),
    }
