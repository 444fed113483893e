# SPDX-License-Identifier: Apache-2.0
"""`tabard policy show`: what a namespace asks for."""

from __future__ import annotations

import click

from tabard.access.identity import Gate, Policy
from tabard.cli.commands.access.place import open_keeper, registry_option
from tabard.cli.output import fields
from tabard.cli.session import Session, with_session


@click.command()
@click.argument("namespace", metavar="NS")
@registry_option
@with_session
def show(session: Session, *, namespace: str, url: str | None) -> None:
    """Show what a namespace asks for."""
    with open_keeper(session, url, needed_for="tabard policy show --registry") as keeper:
        found = keeper.policy(namespace)
    session.output.answer(found, fields(policy_facts(found)))


def policy_facts(found: Policy) -> dict[str, str]:
    """Say what a namespace asks for, in words."""
    seen_by = "those who may generate with it" if found.private else "everybody"
    authors = "only authors who have shown who they are" if found.require_identity else "everybody"
    draws = "only within declared bounds" if found.enforce_sampling else "as each release allows"
    served = "only signed releases" if found.require_signature else "every release"
    return {
        "namespace": found.namespace,
        "seen by": seen_by,
        "changed by": authors,
        "serves": served,
        "draws": draws,
        **{f"promotes to {name}": gate_text(one) for name, one in found.channels.items()},
    }


def gate_text(gate: Gate) -> str:
    """Say what promotions need, in words."""
    reviews = f"{gate.reviews} review{'s' if gate.reviews > 1 else ''} by others than its author"
    bounds = ", ".join(f"{name} {bound:g}" for name, bound in gate.bounds.items())
    success = f"a Success by {bounds}" if bounds else "a Success"
    asked = (
        (gate.require_success, success),
        (gate.reviews, reviews),
        (gate.require_checks, "every failure check, of a subject"),
    )
    needs = ", ".join(words for is_asked, words in asked if is_asked)
    says = [f"only with {needs}"] if needs else []
    if gate.promote_on_success:
        says.append("by itself when a canary succeeds")
    return "; ".join(says)
