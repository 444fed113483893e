# SPDX-License-Identifier: Apache-2.0
"""The program `tabard`: its commands, and the one place where errors become exit codes."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

import click

from tabard import __version__
from tabard.cli import completion, exit_codes
from tabard.cli.lazy_group import LazyGroup
from tabard.cli.printable import printable
from tabard.errors import Cancelled, FieldViolation, InvalidArgument, TabardError

_FOLDERS = (
    "tabard.cli.demo",
    "tabard.cli.commands.serve",
    "tabard.cli.commands.publish",
    "tabard.cli.commands.release",
    "tabard.cli.commands.release.withdraw",
    "tabard.cli.commands.generate",
    "tabard.cli.commands.health",
    "tabard.cli.commands.access",
    "tabard.cli.commands.upkeep",
)
_EPILOG = f"""
\b
A REF is NS/NAME, NS/NAME@CHANNEL, NS/NAME@VERSION, NS/NAME@RANGE like @^1.2,
or NS/NAME@sha256:…;
with a weight where images are drawn: acme/watercolor@1.0.0:0.8

\b
Environment
  TABARD_ADDRESS     the server, host:port, or grpcs://host:port with TLS
  TABARD_PROFILE     the profile of `tabard login` that is used where no server is named
  TABARD_TOKEN       your token
  TABARD_TOKEN_FILE  a file that holds it
  TABARD_TLS_CA      PEM file of the CA that signed the server's certificate
  TABARD_ACTOR       what you call yourself in the history; default: your user name
  TABARD_REGISTRY    the registry that `tabard serve` opens, and that fsck, gc, … look at

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
    is_json = "--json" in _before_the_rest(arguments)
    try:
        completion.require_shell(os.environ)
        code = commands.main(list(arguments), prog_name="tabard", standalone_mode=False)
    except click.ClickException as refusal:
        error = _naming_the_variable(refusal)
        told = StringIO()
        error.show(told)
        click.echo(printable(told.getvalue(), lines=True), err=True, nl=False)
        if is_json:
            document = getattr(error, "document", {})
            _answer(_usage_error(error), code=exit_codes.USAGE, also=document)
        return exit_codes.USAGE
    except TabardError as error:
        from tabard.cli.output import show_error  # noqa: PLC0415 - help loads no JSON

        show_error(error, is_json=is_json)
        return exit_codes.exit_code(error)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        if is_json:
            _answer(Cancelled("interrupted"), code=exit_codes.INTERRUPTED)
        return exit_codes.INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe went away, like `| head`
        sys.stderr.close()
        return exit_codes.OK
    except OSError as error:
        # Python writes "[Errno 13] Permission denied: 'a'".
        known = error.filename is not None and error.strerror is not None
        said = f"{error.filename}: {error.strerror}" if known else str(error)
        click.echo(printable(f"error: {said}"), err=True)
        if is_json:
            _answer(TabardError(said), code=exit_codes.UNEXPECTED)
        return exit_codes.UNEXPECTED
    return code if isinstance(code, int) else exit_codes.OK


def main() -> None:
    """Run the command line of this process, and exit."""
    # gRPC writes what failed in words of its own, beside our errors; it looks when it is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    # Whoever is asked to stop tidies up as after Ctrl-C: half a download does not stay.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    code = run(sys.argv[1:])
    # All that is left goes with the process. Looking for garbage in it takes a tenth of a command.
    gc.freeze()
    sys.exit(code)


def _before_the_rest(arguments: Sequence[str]) -> Sequence[str]:
    """Leave out what stands behind `--`: those are no options."""
    return arguments[: list(arguments).index("--")] if "--" in arguments else arguments


def _naming_the_variable(error: click.ClickException) -> click.ClickException:
    """Say of what is missing which variable would say it too."""
    missing = error.param if isinstance(error, click.MissingParameter) else None
    if missing is None or not missing.envvar:
        return error
    # Usage shows an argument as "[URL]", which reads as if it could not be missing.
    is_argument = isinstance(missing, click.Argument)
    return click.MissingParameter(
        message=f"Give it, or set {missing.envvar}.",
        ctx=getattr(error, "ctx", None),
        param=missing,
        param_hint=f"'{missing.human_readable_name.strip('[]')}'" if is_argument else None,
    )


def _usage_error(error: click.ClickException) -> TabardError:
    violations: tuple[FieldViolation, ...] = ()
    if isinstance(error, click.BadParameter) and error.param is not None:
        name = max(error.param.opts, key=len) if error.param.opts else str(error.param.name)
        violations = (FieldViolation(field=name, description=error.message or "is missing"),)
    context = getattr(error, "ctx", None)
    hint = f"see {context.command_path} --help" if context is not None else ""
    return InvalidArgument(error.format_message(), reason="USAGE", hint=hint, violations=violations)


def _answer(error: TabardError, *, code: int, also: Mapping[str, Any] | None = None) -> None:
    from tabard.cli.output import answer_error  # noqa: PLC0415 - help loads no JSON

    answer_error(error, code=code, also=also or {})
