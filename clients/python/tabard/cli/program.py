# SPDX-License-Identifier: Apache-2.0
"""The program `tabard`: its commands, and the one place where errors become exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import StringIO

import click

from tabard import __version__
from tabard.cli import exit_codes
from tabard.cli.lazy_group import LazyGroup
from tabard.cli.printable import printable
from tabard.errors import TabardError

_FOLDERS = (
    "tabard.cli.commands.generate",
    "tabard.cli.commands.publish",
    "tabard.cli.commands.release",
    "tabard.cli.commands.release.withdraw",
    "tabard.cli.commands.serve",
    "tabard.cli.commands.upkeep",
    "tabard.cli.demo",
)
_EPILOG = f"""
\b
A REF is NS/NAME, NS/NAME@CHANNEL, NS/NAME@VERSION, NS/NAME@RANGE like @^1.2,
or NS/NAME@sha256:…;
with a weight where images are drawn: acme/watercolor@1.0.0:0.8

\b
Environment
  TABARD_ADDRESS   the server, host:port
  TABARD_TOKEN     bearer token
  TABARD_ACTOR     who acts, for the history; default: your user name
  TABARD_REGISTRY  the registry that `tabard serve` opens, and that fsck, gc, … look at

\b
Exit codes
{exit_codes.table()}
"""


@click.group(
    cls=LazyGroup,
    folders=_FOLDERS,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="tabard")
def commands() -> None:
    """Publish styles for Stable Diffusion like releases, wear any of them per request, roll back.

    See all of it at work: tabard demo
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command line and give its exit code."""
    is_json = "--json" in arguments
    try:
        code = commands.main(list(arguments), prog_name="tabard", standalone_mode=False)
    except click.ClickException as error:
        told = StringIO()
        error.show(told)
        click.echo(printable(told.getvalue(), lines=True), err=True, nl=False)
        return exit_codes.USAGE
    except TabardError as error:
        from tabard.cli.output import show_error  # noqa: PLC0415 - rich is for those who print

        show_error(error, is_json=is_json)
        return exit_codes.exit_code(error)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return exit_codes.INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe went away, like `| head`
        sys.stderr.close()
        return exit_codes.OK
    except OSError as error:
        click.echo(printable(f"error: {error}"), err=True)
        return exit_codes.UNEXPECTED
    return code if isinstance(code, int) else exit_codes.OK


def main() -> None:
    """Run the command line of this process, and exit."""
    sys.exit(run(sys.argv[1:]))
