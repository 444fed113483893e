# SPDX-License-Identifier: Apache-2.0
"""`tabard policy explain`: what stands between a release and a channel, and who can give it."""

from __future__ import annotations

import click

from tabard.calls.acts import DEFAULT_CHANNEL
from tabard.cli import completion
from tabard.cli.commands.access.policy.show import gate_text
from tabard.cli.layout import Answer
from tabard.cli.output import table
from tabard.cli.session import Session, with_session
from tabard.health.review import MissingForGate, PolicyExplanation


@click.command()
@click.argument("ref", metavar="REF", shell_complete=completion.refs)
@click.option(
    "--channel",
    default=DEFAULT_CHANNEL,
    show_default=True,
    shell_complete=completion.channels,
    help="The channel that it shall go to.",
)
@with_session
def explain(session: Session, *, ref: str, channel: str) -> None:
    """Say what a release lacks before a channel may point to it, and who can give it.

    A rollback needs none of it.

    \b
    tabard policy explain acme/watercolor@1.1.0 --channel stable
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    with session.connect() as client:
        found = client.explain_policy(ref, channel=channel)
    session.output.answer(found, *_text(found))


def _text(found: PolicyExplanation) -> list[Answer]:
    release = f"{found.adapter} {found.version}"
    if not found.gates:
        return [f"{found.channel} asks for nothing: {release} may be promoted"]
    asked = [f"{name} promotes {gate_text(one)}" for name, one in found.gates.items()]
    if not found.missing:
        return [*asked, f"{release} has all of it, and may be promoted to {found.channel}"]
    rows = [(one.what, _who(one), one.how) for one in found.missing]
    an_override = "`tabard promote --override REASON` would do without all of this"
    also = [an_override] if found.override_suffices else []
    return [
        *asked,
        f"{release} lacks:",
        table("missing", "who", "how", rows=rows),
        *also,
        "a rollback needs none of it",
    ]


def _who(missing: MissingForGate) -> str:
    role = f"role {missing.role}"
    if not missing.names:
        return role if missing.has_others else f"{role}: nobody has it who could"
    others = ", perhaps others" if missing.has_others else ""
    return f"{role}: {', '.join(missing.names)}{others}"
