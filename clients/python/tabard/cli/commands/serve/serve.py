# SPDX-License-Identifier: Apache-2.0
"""`tabard serve`: start a server in this process; needs the extra `server`.

Options become overrides of the server's settings; the server's packages are imported only here.
"""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from tabard.cli.local.extras import (
    SERVER_EXTRA,
    missing_extra,
    quieten_libraries,
    reported_as_invalid,
)
from tabard.cli.local.gateway import gateway_beside
from tabard.cli.numbers import Whole
from tabard.cli.output import Output
from tabard.cli.session import with_output

_PATH = click.Path(path_type=Path)


def _read_settings(
    _context: click.Context, _option: click.Parameter, texts: Sequence[str]
) -> dict[str, str]:
    unread = [text for text in texts if "=" not in text]
    if unread:
        raise click.BadParameter(f"'{unread[0]}' is not NAME=VALUE")
    pairs = (text.partition("=") for text in texts)
    return {name.strip(): value for name, _equals, value in pairs}


set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_read_settings,
    help="Any setting by its name; repeatable.",
)
"""`--set` of every command that reads a server's settings."""


@click.command()
@click.option("--base", metavar="demo|PATH|HUB_ID", help="The pipeline to keep resident.")
@click.option("--base-config", metavar="PATH|HUB_ID", help="For a single file: its configs.")
@click.option(
    "--registry", metavar="URL", help="s3://bucket/prefix, file:///… or a folder; $TABARD_REGISTRY."
)
@click.option("--single-writer", is_flag=True, help="Write to a bucket that keeps no conditions.")
@click.option("--cache", metavar="FOLDER", help="What can be made again: index, fetched adapters.")
@click.option("--listen", metavar="HOST:PORT", help="gRPC; port 0 lets the system choose.")
@click.option("--metrics-listen", metavar="HOST:PORT", help="The Prometheus page; '' for none.")
@click.option("--web", metavar="HOST:PORT", help="Also run a gateway there: tabard web.")
@click.option("--insecure", is_flag=True, help="Allow addresses that others can reach.")
@click.option("--device", metavar="NAME", help="auto, cpu, cuda, cuda:1, …")
@click.option("--dtype", metavar="NAME", help="auto, float16, bfloat16, float32, float64.")
@click.option("--torch-threads", type=Whole(min=1), help="CPU threads of torch.")
@click.option("--config", type=_PATH, metavar="FILE", help="Settings as TOML.")
@click.option("--ready-file", type=_PATH, metavar="FILE", help="Written once the server listens.")
@set_option
@with_output
def serve(
    output: Output,
    *,
    config: Path | None,
    web: str | None,
    insecure: bool,
    single_writer: bool,
    settings: Mapping[str, str],
    **options: Any,
) -> None:
    """Serve images until interrupted; Ctrl-C finishes the running jobs.

    A second Ctrl-C ends it at once. Settings come from the file, then TABARD_* variables, then
    these options; later ones win.

    \b
    tabard serve --base demo --registry file:///srv/tabard --listen 127.0.0.1:50051
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    flags = {"insecure": insecure or None, "single_writer": single_writer or None}
    overrides = options | flags | dict(settings)
    with missing_extra(SERVER_EXTRA, needed_for="tabard serve"):
        prelude: Any = importlib.import_module("tabard_server.startup.prelude")
        server_errors: Any = importlib.import_module("tabard_server.errors")
        engine_errors: Any = importlib.import_module("tabard_server.engine_port.errors")
        refusals = (server_errors.ServerError, engine_errors.EngineError)
        with reported_as_invalid(*refusals):
            loaded = prelude.prepare(file=config, environment=os.environ, overrides=overrides)
        beside = gateway_beside(
            web, insecure=loaded.insecure, speaks_tls=loaded.tls.is_on, output=output
        )
        quieten_libraries(loaded.base)
        registry: Any = importlib.import_module("tabard_registry")
        late: Any = importlib.import_module("tabard_server.startup.late_imports")
        with late.garbage_kept():
            app: Any = importlib.import_module("tabard_server.serving")
        process: Any = importlib.import_module("tabard_server.life.process")
        # What else of the extra may be missing is imported once the ports are taken.
        with reported_as_invalid(*refusals, registry.RegistryError), beside as start_gateway:
            on_ready = functools.partial(_announce, output, start_gateway)
            process.run_to_the_end(app.serve(loaded, on_ready=on_ready))


def _announce(
    output: Output, start_gateway: Callable[[str], None], address: str, metrics_address: str
) -> None:
    start_gateway(address)
    document = {"address": address, "metrics_address": metrics_address}
    output.answer_line(document, f"listening on {address}; stop with Ctrl-C")
