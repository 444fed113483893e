# SPDX-License-Identifier: Apache-2.0
"""`tabard canary start`: a release is tried beside what a channel serves."""

from __future__ import annotations

import click

from tabard.calls.acts import DEFAULT_CHANNEL
from tabard.cli import completion
from tabard.cli.choices import refuse_beside
from tabard.cli.commands.health.canary.canary_text import canary_text
from tabard.cli.session import Session, with_session


class Share(click.ParamType[float]):
    """A part of the callers: `5%` or `0.05`."""

    name = "share"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read a share; refuse what is none, or all, or nobody."""
        text = str(value).strip()
        try:
            share = float(text.removesuffix("%")) / (100.0 if text.endswith("%") else 1.0)
        except ValueError:
            share = 0.0
        if not 0.0 < share < 1.0:
            self.fail(f"{text!r} is no share of the callers: say 5%, or 0.05", param, ctx)
        return share


@click.command()
@click.argument("ref", metavar="REF", shell_complete=completion.refs)
@click.option(
    "--channel",
    default=DEFAULT_CHANNEL,
    show_default=True,
    shell_complete=completion.channels,
    help="The channel that it is tried on.",
)
@click.option(
    "--share",
    type=Share(),
    metavar="PERCENT",
    help="First share of the callers that is served it; default 5%. Then 25 and 50%.",
)
@click.option("--shadow", is_flag=True, help="Only draw pairs: nobody is served it.")
@click.option(
    "--override",
    default="",
    metavar="REASON",
    help="Do without the Success or the checks that the policy asks for; never without reviews.",
)
@click.option("--reason", default="", help="Why; kept in the history.")
@with_session
def start(
    session: Session,
    *,
    ref: str,
    channel: str,
    share: float | None,
    shadow: bool,
    override: str,
    reason: str,
) -> None:
    """Try a release beside what a channel serves, or served before it.

    Prompts of callers are drawn by both releases, behind everybody else's images, and each prompt
    counts once. While nothing speaks against it a growing share of the callers is served it: those
    who ask by the channel, the same ones every time. If the channel points to it already, it is
    compared with the release before, and a rollback moves the channel back. A success moves the
    channel where the policy says so: `tabard policy set NS --channel stable --promote-on-success`.

    \b
    tabard canary start acme/watercolor@1.1.0
    tabard canary start acme/watercolor@1.1.0 --share 10%
    tabard canary start acme/watercolor@1.1.0 --shadow
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    if shadow:
        refuse_beside("--shadow", "share", because="which exposes nobody")
    with session.connect() as client:
        found = client.start_canary(
            ref,
            channel=channel,
            share=share,
            shadow=shadow,
            override=override,
            reason=reason,
        )
    session.output.answer(found, *canary_text(found))
