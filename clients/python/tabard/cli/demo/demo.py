# SPDX-License-Identifier: Apache-2.0
"""`tabard demo`: a server of its own, the story, what it leaves behind, and whether it held."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from tabard.calls.options import SEED_MAX
from tabard.cli.choices import refuse_beside
from tabard.cli.demo import folder as names
from tabard.cli.demo.catalog import find_material, read_catalog
from tabard.cli.demo.folder import claim, export
from tabard.cli.demo.health_outputs import prove_health, write_health
from tabard.cli.demo.health_story import HealthStory
from tabard.cli.demo.outputs import write_outputs
from tabard.cli.demo.page import require_page, show_page
from tabard.cli.demo.proof import Proof, prove
from tabard.cli.demo.server_process import log_tail, running_server
from tabard.cli.demo.story import IMAGES_PER_ROW, Story
from tabard.cli.layout import Group, Text
from tabard.cli.numbers import Whole
from tabard.cli.output import Output
from tabard.cli.session import with_output
from tabard.client import Client
from tabard.errors import Internal, TabardError

ACTOR = "demo"
OUT = "tabard-demo"
GRID = "grid.json"

# The last image of a row has a seed, too.
_SEED = Whole(min=0, max=SEED_MAX - IMAGES_PER_ROW + 1)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.option("--out", type=_FOLDER, default=OUT, show_default=True, help="Where everything goes.")
@click.option("--seed", type=_SEED, default=7, show_default=True, help="Seed of column one.")
@click.option(
    "--export",
    "export_to",
    type=_FOLDER,
    metavar="DIR",
    help="Only copy the demo base and adapter files to DIR/base and DIR/adapters.",
)
@click.option(
    "--release-health",
    "is_health",
    is_flag=True,
    help="Show how a bad release is found out: evaluated, refused, and taken back by its canary.",
)
@click.option(
    "--open", "is_open", is_flag=True, help="Then leave its page running, and open it in a browser."
)
@with_output
def demo(
    output: Output,
    *,
    out: Path,
    seed: int,
    export_to: Path | None,
    is_health: bool,
    is_open: bool,
) -> None:
    """Show the whole of Tabard, end to end, with nothing to set up.

    Starts a server, publishes styles, draws a grid, promotes a bad release, rolls it back, and
    proves that the images are the same as before, byte for byte. Leaves contact-sheet.png,
    summary.json, registry/ and server.log in the folder; without --release-health also images/.
    Exits 1 if a claim did not hold.
    """
    if export_to is not None:
        refuse_beside("--export", "out", "seed", "is_open", because="which only copies")
    material = find_material()
    if export_to is not None:
        target = export(material, target=export_to)
        document = {"base": str(target / "base"), "adapters": str(target / "adapters")}
        output.answer(document, f"base: {document['base']}", f"adapters: {document['adapters']}")
        return
    if is_health:
        refuse_beside("--release-health", "seed", because="which has a grid of its own")
    if is_open:
        require_page()
    folder = claim(out)
    with stopped_by_signals():
        try:
            if is_health:
                perform_health(folder, material=material, output=output)
            else:
                adapters = material / "adapters"
                proof, summary = perform(folder, adapters=adapters, seed=seed, output=output)
                _conclude(output, proof, summary=summary, folder=folder)
            if is_open:
                show_page(folder, output=output)
        except TabardError:
            output.say(Group(*(Text(line, style="dim") for line in log_tail(folder).splitlines())))
            raise


def perform(
    folder: Path,
    *,
    adapters: Path,
    seed: int,
    output: Output,
    start_server: Callable[[Path], Any] = running_server,
) -> tuple[Proof, Any]:
    """Run the story against a server of its own; give the proof and the summary it wrote.

    Raises:
        TabardError: The server did not start, or refused something.
    """
    started = time.perf_counter()
    catalog = read_catalog(adapters)
    output.say("starting a server with the demo base …")
    with start_server(folder) as address, Client(address, actor=ACTOR) as client:
        start_seconds = time.perf_counter() - started
        output.say(f"the server listens on {address} after {start_seconds:.1f} s")
        story = Story(
            client=client, catalog=catalog, seed=seed, narrator=output, clock=time.perf_counter
        )
        told = story.tell()
    proof = prove(told)
    seconds = {"server_start": start_seconds, "total": time.perf_counter() - started}
    return proof, write_outputs(told, proof=proof, seconds=seconds, folder=folder)


def perform_health(
    folder: Path,
    *,
    material: Path,
    output: Output,
    start_server: Callable[[Path], Any] = running_server,
) -> None:
    """Run the story of release health, and tell whether it held.

    Raises:
        TabardError: The server did not start or refused something, or a claim did not hold.
    """
    started = time.perf_counter()
    catalog = read_catalog(material / "adapters")
    output.say("starting a server with the demo base …")
    with start_server(folder) as address, Client(address, actor=ACTOR) as client:
        start_seconds = time.perf_counter() - started
        output.say(f"the server listens on {address} after {start_seconds:.1f} s")
        told = HealthStory(
            client=client,
            catalog=catalog,
            grid=material / GRID,
            narrator=output,
            clock=time.perf_counter,
        ).tell()
    proof = prove_health(told)
    seconds = {"server_start": start_seconds, "total": time.perf_counter() - started}
    summary = write_health(told, proof=proof, seconds=seconds, folder=folder)
    _refuse_broken(proof.failures, folder=folder)
    output.answer(
        summary,
        Text("the demo held", style="bold green"),
        f"{summary['seconds']['total']:.0f} s in all",
        f"contact sheet: {folder / names.SHEET}",
    )


def _conclude(output: Output, proof: Proof, *, summary: Any, folder: Path) -> None:
    identical = "yes" if proof.rollback_identical else "NO"
    output.say(f"images after the rollback identical to those before: {identical}")
    _refuse_broken(proof.failures, folder=folder)
    output.answer(
        summary,
        Text("the demo held", style="bold green"),
        f"{summary['images']} images, {summary['images_per_second']:.1f} a second; "
        f"{summary['seconds']['total']:.0f} s in all",
        f"contact sheet: {folder / names.SHEET}",
        "how a bad release is found out without people: tabard demo --release-health",
    )


def _refuse_broken(failures: tuple[str, ...], *, folder: Path) -> None:
    if failures:
        raise Internal(
            "the demo did not hold: " + "; ".join(failures),
            reason="DEMO_FAILED",
            hint=f"look at {names.SHEET}, {names.SUMMARY} and {names.SERVER_LOG} in {folder}",
        )


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the block as Ctrl-C does, so that the server is stopped."""

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    stopping = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in stopping}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
