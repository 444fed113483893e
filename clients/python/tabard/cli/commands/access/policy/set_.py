# SPDX-License-Identifier: Apache-2.0
"""`tabard policy set`: change what a namespace asks for."""

from __future__ import annotations

import click

from tabard.access.identity import Gate
from tabard.cli import completion
from tabard.cli.commands.access.place import open_keeper, registry_option
from tabard.cli.commands.access.policy.show import policy_facts
from tabard.cli.numbers import Whole
from tabard.cli.output import fields
from tabard.cli.session import Session, with_session


class Bound(click.ParamType[tuple[str, float]]):
    """A bound by name: `style_min=0.7`."""

    name = "bound"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        """Read a name and a number; the registry knows which names there are."""
        name, _, text = str(value).partition("=")
        try:
            return name.strip(), float(text)
        except ValueError:
            self.fail(
                f"{str(value)!r} is no bound: say NAME=NUMBER, like style_min=0.7", param, ctx
            )


@click.command(name="set")
@click.argument("namespace", metavar="NS")
@click.option(
    "--private/--no-private",
    default=None,
    help="Whether it does not exist for those who may not generate with it.",
)
@click.option(
    "--require-identity/--no-require-identity",
    default=None,
    help="Whether acts of authors whom nobody checked have no effect in it.",
)
@click.option(
    "--require-signature/--no-require-signature",
    default=None,
    help="Whether only releases that a trusted key signed are served.",
)
@click.option(
    "--enforce-sampling/--no-enforce-sampling",
    default=None,
    help="Whether a request outside the bounds that a release declares is refused.",
)
@click.option(
    "--channel",
    "pattern",
    metavar="PATTERN",
    shell_complete=completion.channels,
    help="The channels that the next options are about: one, or a pattern like 'prod-*'. "
    "What promotions to them need is said whole.",
)
@click.option(
    "--require-success", is_flag=True, help="The newest report on the release says Success."
)
@click.option(
    "--bound",
    "bounds",
    type=Bound(),
    multiple=True,
    metavar="NAME=NUMBER",
    help="What that Success is judged by, like style_min=0.7; repeatable. The server's "
    "[evaluation] stands for the others.",
)
@click.option(
    "--reviews",
    type=Whole(min=1),
    metavar="N",
    help="So many people, none of them its author, approve of its newest report.",
)
@click.option(
    "--require-checks", is_flag=True, help="No failure check of a subject is left unchecked."
)
@click.option(
    "--promote-on-success",
    is_flag=True,
    help="A canary that succeeds moves them by itself; inconclusive never does.",
)
@click.option("--off", "is_off", is_flag=True, help="Promotions to them need nothing any more.")
@click.option("--reason", default="", help="Why; kept in the history.")
@registry_option
@with_session
def set_(
    session: Session,
    *,
    namespace: str,
    private: bool | None,
    require_identity: bool | None,
    require_signature: bool | None,
    enforce_sampling: bool | None,
    reason: str,
    url: str | None,
    pattern: str | None,
    is_off: bool,
    require_success: bool,
    reviews: int | None,
    require_checks: bool,
    bounds: tuple[tuple[str, float], ...],
    promote_on_success: bool,
) -> None:
    """Change what a namespace asks for; what is not said stays.

    A rollback never needs what --channel asks for.

    \b
    tabard policy set acme --private --require-identity
    tabard policy set acme --channel stable --require-success --reviews 2
    tabard policy set acme --channel stable --require-success --bound style_min=0.7
    tabard policy set acme --channel beta --promote-on-success
    tabard policy set acme --channel stable --off
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    gate = Gate(
        require_success=require_success,
        reviews=reviews or 0,
        require_checks=require_checks,
        bounds=dict(bounds),
        promote_on_success=promote_on_success,
    )
    channels = _channels(pattern, gate=gate, is_off=is_off)
    words = (private, require_identity, require_signature, enforce_sampling)
    if not channels and all(word is None for word in words):
        raise click.UsageError(
            "say one of --private, --require-identity, --require-signature, --enforce-sampling, or "
            "its opposite, or --channel"
        )
    with open_keeper(session, url, needed_for="tabard policy set --registry") as keeper:
        done = keeper.set_policy(
            namespace,
            private=private,
            require_identity=require_identity,
            require_signature=require_signature,
            enforce_sampling=enforce_sampling,
            channels=channels,
            reason=reason,
        )
    already = "nothing changed, and no reason was taken: it asks for that already"
    said = [] if done.changed else [already]
    session.output.answer(done, *said, fields(policy_facts(done.policy)))


def _channels(pattern: str | None, *, gate: Gate, is_off: bool) -> dict[str, Gate | None]:
    asks = gate != Gate()
    if pattern is None:
        if asks or is_off:
            raise click.UsageError("say with --channel which channels that is about")
        return {}
    if asks == is_off:
        raise click.UsageError(
            "say what --channel asks for (--require-success, --reviews, --require-checks), "
            "--promote-on-success, or --off"
        )
    if gate.bounds and not gate.require_success:
        raise click.UsageError("--bound is about the Success of --require-success: say that too")
    return {pattern: None if is_off else gate}
