# SPDX-License-Identifier: Apache-2.0
"""`tabard yank`, `quarantine` and `purge`, and what undoes the first two: who may be served."""

from __future__ import annotations

import click

from tabard.cli.session import Session, with_session
from tabard.releases import Release

_REF = click.argument("ref", metavar="REF")
_WHY = click.option("--reason", required=True, help="Why; kept in the history.")


@click.command()
@_REF
@_WHY
@with_session
def yank(session: Session, *, ref: str, reason: str) -> None:
    """Take a release out of resolution by channel and range; exact pins still work."""
    with session.connect() as client:
        release = client.yank(ref, reason=reason)
    session.output.answer(release, f"yanked {_name(release)}: {release.yank_reason}")


@click.command()
@_REF
@_WHY
@with_session
def unyank(session: Session, *, ref: str, reason: str) -> None:
    """Undo a yank."""
    with session.connect() as client:
        release = client.unyank(ref, reason=reason)
    session.output.answer(release, f"{_name(release)} can be resolved by channel again")


@click.command()
@_REF
@_WHY
@with_session
def quarantine(session: Session, *, ref: str, reason: str) -> None:
    """Stop serving a release now, on every server; its bytes are kept.

    Running jobs that wear it, by itself or in a recipe, are cut off. Undo it with `tabard lift`.

    \b
    tabard quarantine acme/watercolor@1.1.0 --reason "draws a signature"
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    with session.connect() as client:
        release = client.quarantine(ref, reason=reason)
    session.output.answer(release, f"quarantined {_name(release)}: {release.quarantine_reason}")


@click.command()
@_REF
@_WHY
@with_session
def lift(session: Session, *, ref: str, reason: str) -> None:
    """Undo a quarantine."""
    with session.connect() as client:
        release = client.lift(ref, reason=reason)
    session.output.answer(release, f"{_name(release)} can be served again")


@click.command()
@_REF
@_WHY
@with_session
def purge(session: Session, *, ref: str, reason: str) -> None:
    """Delete the bytes of a release for good; its record stays. There is no way back.

    The same bytes are never taken again. Safe to repeat: that deletes what was left.

    \b
    tabard purge acme/watercolor@1.1.0 --reason "the artist asked for it"
    """  # noqa: D301 - as above
    with session.connect() as client:
        release = client.purge(ref, reason=reason)
    session.output.answer(release, f"purged {_name(release)}: {release.purge_reason}")


def _name(release: Release) -> str:
    return f"{release.adapter} {release.version}"
