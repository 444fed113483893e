# SPDX-License-Identifier: Apache-2.0
"""`tabard compare`: releases, weights, prompts and seeds go in, a sheet and a folder come out."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import click

from tabard.calls.health.compare import SEEDS
from tabard.calls.options import SEED_MAX
from tabard.cli import completion
from tabard.cli.choices import Named, refuse_without
from tabard.cli.commands.generate.generate import read_size
from tabard.cli.commands.health.comparison_folder import SHEET, ComparisonFolder
from tabard.cli.numbers import Number, Several, Whole
from tabard.cli.output import fields
from tabard.cli.session import Session, together, with_session
from tabard.enums import PRIORITIES, PROMPT_SYNTAXES
from tabard.errors import TabardError
from tabard.health.compared import ComparisonPlan
from tabard.health.comparison import Comparison
from tabard.patience import TIMEOUT_SECONDS_MAX

_PROMPTS_BYTES_MAX = 1 << 20
_with_drawing = together(
    click.option("--steps", "num_inference_steps", type=Whole(min=1), help="Denoise steps."),
    click.option("--size", callback=read_size, metavar="WxH", help="Default the base's own."),
    click.option("--guidance", "guidance_scale", type=Number(), help="Classifier-free guidance."),
    click.option("--negative", "negative_prompt", default="", help="What to keep away from."),
    click.option(
        "--sampler", default="", shell_complete=completion.samplers, help="Short name or A1111's."
    ),
    click.option("--prompt-syntax", type=Named(PROMPT_SYNTAXES), help="As in tabard generate."),
    click.option("--priority", type=Named(PRIORITIES), help="As in tabard generate."),
    click.option(
        "--timeout",
        type=Number(min=0, max=TIMEOUT_SECONDS_MAX, min_open=True),
        metavar="SECONDS",
        help="Give up an image after so long.",
    ),
)


@click.command()
@click.argument("refs", nargs=-1, required=True, metavar="REF[:WEIGHT]...",
                shell_complete=completion.refs)  # fmt: skip
@click.option(
    "--weights",
    type=Several(Number()),
    metavar="W,W,...",
    default="1",
    show_default=True,
    help="Draw every release that says no weight of its own at each of these.",
)
@click.option(
    "--seeds",
    type=Several(Whole(min=0, max=SEED_MAX)),
    metavar="S,S,...",
    show_default=f"those of --grid, else {','.join(map(str, SEEDS))}",
    help="Draw every prompt with each of these.",
)
@click.option(
    "--prompt", "prompts", multiple=True, metavar="TEXT",
    help="Repeatable; {trigger} stands for each release's own trigger word.",
)  # fmt: skip
@click.option(
    "--prompts",
    "prompts_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="One prompt a line; empty lines and those that begin with # do not count.",
)
@click.option(
    "--grid",
    metavar="NAME|FILE",
    default="",
    help="Prompts, seeds and how they are drawn, as far as nothing else is said: the name of a "
    "grid, as the line of the first release means it, or a .json file.",
)
@click.option("--base", "with_base", is_flag=True, help="Draw the base alone as well.")
@click.option(
    "--class-word", default="", metavar="WORD", help="What the base draws for {trigger}, as dog."
)
@_with_drawing
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("tabard-compare"),
    show_default=True,
    metavar="DIR",
    help="Where the images, the sheet and the index go.",
)
@with_session
def compare(
    session: Session,
    *,
    refs: tuple[str, ...],
    prompts: tuple[str, ...],
    prompts_file: Path | None,
    grid: str,
    size: tuple[int, int] | None,
    timeout: float | None,
    with_base: bool,
    out: Path,
    **options: Any,
) -> None:
    """Draw releases side by side: every one at every weight, with every prompt and seed.

    The releases are pinned when it begins. Images of one prompt and seed are asked for together,
    so that they share batches. They go to a folder with an index and a labelled sheet; the same
    command again draws only what is not there.

    \b
    tabard compare acme/ink@1.0.0 acme/ink@1.1.0 --prompt "a cat, {trigger}" --base
    tabard compare acme/ink --weights 0.6,0.8,1.0 --prompts prompts.txt --seeds 1,2,3
    tabard compare acme/ink@1.0.0 acme/ink@1.1.0 --grid style --base
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    if not with_base:
        refuse_without("--base", "class_word")
    if prompts_file is not None:
        prompts += read_prompts(prompts_file)
    if not prompts and not grid:
        raise click.UsageError("say what to draw: --prompt TEXT, --prompts FILE, or --grid NAME")
    if size is not None:
        options |= {"width": size[0], "height": size[1]}
    if timeout is not None:
        options["timeout_seconds"] = timeout
    with session.connect() as client:
        fingerprint = client.status().base_fingerprint
        comparison = client.compare(refs, prompts=prompts, grid=grid, base=with_base, **options)
        folder = ComparisonFolder(out, plan=comparison.plan, base_fingerprint=fingerprint)
        there = len(folder.found)
        draw_missing(session, comparison, folder=folder)
    _tell(session, comparison.plan, folder=folder, there=there)


def draw_missing(session: Session, comparison: Comparison, *, folder: ComparisonFolder) -> None:
    """Draw what is not in a folder yet, into it. Raises as drawing does."""
    comparison.leave_out(folder.found)
    total = len(comparison.cells)
    with (
        contextlib.closing(comparison),
        session.output.progress("drawing", total=total) as bar,
    ):
        bar.set(len(folder.found))
        try:
            for one in comparison:
                folder.keep(one)
                bar.set(len(folder.found))
        except (TabardError, KeyboardInterrupt):
            folder.write_index(also={"sheet": None})
            session.output.say(
                f"{len(folder.found)} of {total} images are in {folder.path}; "
                "the same command draws the others"
            )
            raise


def read_prompts(file: Path) -> tuple[str, ...]:
    """Read a file of prompts, one a line.

    Raises:
        BadParameter: It is too large, no text, or has none.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(_PROMPTS_BYTES_MAX + 1)
        if len(content) > _PROMPTS_BYTES_MAX:
            raise click.BadParameter(f"'{file}' is larger than 1 MiB", param_hint="--prompts")
        lines = [line.strip() for line in content.decode("utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"'{file}' is no text: {error}", param_hint="--prompts") from error
    found = tuple(line for line in lines if line and not line.startswith("#"))
    if not found:
        raise click.BadParameter(f"there is no prompt in '{file}'", param_hint="--prompts")
    return found


def _tell(session: Session, plan: ComparisonPlan, *, folder: ComparisonFolder, there: int) -> None:
    from tabard.cli.commands.health.comparison_sheet import comparison_sheet  # noqa: PLC0415 - Pillow is for sheets
    from tabard.cli.contact_sheet import sheet_png  # noqa: PLC0415 - Pillow is for sheets

    files = {cell: folder.file(cell) for cell in plan.cells}
    sheet = folder.write(SHEET, sheet_png(comparison_sheet(plan, files)))
    document = folder.write_index(also={"sheet": SHEET})
    drawn = len(plan.cells) - there
    facts = {
        "sides": ", ".join(side.label for side in plan.sides),
        "images": f"{len(plan.cells)}: {drawn} drawn, {there} were there",
        "folder": str(folder.path),
        "sheet": str(sheet),
    }
    session.output.answer(
        {"folder": str(folder.path), "drawn": drawn, "kept": there, **document}, fields(facts)
    )
