# SPDX-License-Identifier: Apache-2.0
"""`tabard extract`: a whole fine-tuned checkpoint becomes an adapter; needs the extra `server`.

The engine is imported only here and only when asked for; no server is spoken to.
"""

from __future__ import annotations

import importlib
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from tabard.calls.local_files import writing
from tabard.cli import exit_codes
from tabard.cli.choices import Named, refuse_beside
from tabard.cli.commands.publish.options import with_base_words
from tabard.cli.layout import Answer, Text
from tabard.cli.local.extras import (
    SERVER_EXTRA,
    missing_extra,
    reported_as_invalid,
    require_base,
    require_device,
)
from tabard.cli.output import Output, fields, size, table
from tabard.cli.session import with_output

_LAYERS_SHOWN = 5
_PLACE = "name a file in a folder that is there and takes it"
_NEEDED_FOR = "tabard extract"


@click.command()
@click.argument("checkpoint", metavar="CHECKPOINT")
@click.option(
    "--base", required=True, metavar="demo|PATH|HUB_ID", help="What it was trained from, exactly."
)
@click.option(
    "--base-config", metavar="PATH|HUB_ID", help="For a single-file base: configs and tokenizer."
)
@with_base_words
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The adapter's file.",
)
@click.option("--rank", type=int, help="Rank of every layer; default 32.")
@click.option(
    "--energy", type=float, metavar="SHARE", help="Instead: smallest ranks that keep it, as 0.95."
)
@click.option("--rank-max", type=int, default=128, show_default=True, help="Bound of --energy.")
@click.option("--exact", is_flag=True, help="Keep every difference whole; large, merged mode only.")
@click.option(
    "--low-rank-only", is_flag=True, help="Leave out norms and biases: can be worn row by row."
)
@click.option("--probe/--no-probe", default=True, help="Compare pictures with the checkpoint's.")
@click.option(
    "--prompt", "prompts", multiple=True, help="What the probe draws; repeatable. Name the subject."
)
@click.option("--steps", type=int, default=8, show_default=True, help="Denoise steps of the probe.")
@click.option("--size", "pixels", type=int, help="Pixels per side of the probe; default native.")
@click.option(
    "--error-max",
    type=float,
    default=0.5,
    show_default=True,
    metavar="SHARE",
    help="Refuse if more of the way from the base's pictures to the checkpoint's is missing.",
)
@click.option(
    "--device",
    type=Named(["cpu", "cuda"]),
    default="cpu",
    show_default=True,
    help="Where decompositions are computed and probe pictures drawn.",
)
@with_output
def extract(
    output: Output,
    *,
    checkpoint: str,
    base: str,
    base_config: str | None,
    base_words: dict[str, Any],
    out: Path,
    **choice: Any,
) -> None:
    """Turn a whole checkpoint (folder, .safetensors file, hub id) into an adapter of its base.

    What differs is kept per layer: linear layers and convolutions as low-rank pairs, norms and
    biases whole. Pictures of the result are compared with the checkpoint's own. Exits 0 when the
    file was written and 4 when it was refused.

    \b
    tabard extract dreambooth/ --base stable-diffusion-v1-5/stable-diffusion-v1-5 \\
        --out dog.safetensors --prompt "sks dog"
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    if not choice["probe"]:
        drawn = ("prompts", "steps", "pixels", "error_max")
        refuse_beside("--no-probe", *drawn, because="which draws nothing")
    for one in filter(None, (base, base_config)):
        require_base(one, needed_for=_NEEDED_FOR)
    require_device(choice["device"], needed_for=_NEEDED_FOR)
    # Before anything is read: what is drawn and measured is lost without a place for it.
    with writing(out, hint=_PLACE), tempfile.TemporaryFile(dir=out.parent):
        pass
    with missing_extra(SERVER_EXTRA, needed_for=_NEEDED_FOR):
        extraction: Any = importlib.import_module("tabard_server.extraction.extraction")
        schedules: Any = importlib.import_module("tabard_server.engine.base.schedules.schedule")
        refusals: Any = importlib.import_module("tabard_server.extraction.errors")
        engine_errors: Any = importlib.import_module("tabard_server.engine_port.errors")
    with (
        reported_as_invalid(engine_errors.EngineError, refusals.ExtractionError),
        output.progress("reading the base", total=1) as bar,
    ):

        def tell(what: str, done: int, total: int) -> None:
            bar.describe(what)
            bar.set(done, total=total)

        refusal: dict[str, str] | None = None
        try:
            outcome = extraction.extract(
                checkpoint,
                base=base,
                base_config=base_config,
                asked=schedules.Asked(**base_words),
                out=out,
                settings=_settings(**choice),
                progress=tell,
            )
        except refusals.ImageErrorTooLarge as error:
            outcome = error.outcome
            refusal = {"reason": error.reason, "message": str(error), "remedy": error.hint}
    _answer(output, outcome, refusal=refusal)
    click.get_current_context().exit(exit_codes.OK if outcome.accepted else exit_codes.INVALID)


def _settings(
    *,
    rank: int | None,
    energy: float | None,
    rank_max: int,
    exact: bool,
    low_rank_only: bool,
    probe: bool,
    prompts: tuple[str, ...],
    steps: int,
    pixels: int | None,
    error_max: float,
    device: str,
) -> Any:
    drawn: dict[str, Any] = {"prompts": prompts} if prompts else {}
    choices: Any = importlib.import_module("tabard_server.extraction.settings")
    return choices.ExtractionSettings(
        ranks=choices.RankRule(rank=rank, energy=energy, rank_max=rank_max),
        is_exact=exact,
        is_low_rank_only=low_rank_only,
        image_error_max=error_max,
        comparison=choices.ComparisonSettings(steps=steps, pixels=pixels, **drawn)
        if probe
        else None,
        device=device,
    )


def _answer(output: Output, outcome: Any, *, refusal: dict[str, str] | None) -> None:
    document = {**asdict(outcome), "problems": [refusal] if refusal else []}
    output.answer(document, *_text(outcome, refusal=refusal))


def _text(outcome: Any, *, refusal: dict[str, str] | None) -> list[Answer]:
    verb = "extracted" if outcome.accepted else "refused:"
    lines: list[Answer] = [
        Text(f"{verb} {outcome.checkpoint}", style="bold" if outcome.accepted else "bold red"),
        fields(_summary(outcome)),
        table(
            "block", "share", "kept", "error", "rank", "carried", "left out", rows=_blocks(outcome)
        ),
        *_worst(outcome),
        *_pictures(outcome),
    ]
    lines += [Text(f"warning: {said}") for said in outcome.warnings]
    if refusal:
        lines += [f"{refusal['reason']}: {refusal['message']}", f"hint: {refusal['remedy']}"]
    else:
        lines.append(f"next: tabard publish NS/NAME {outcome.file} --version 1.0.0")
    return lines


def _summary(outcome: Any) -> dict[str, str]:
    error = outcome.image_error
    return {
        "base": f"{outcome.base} ({outcome.base_family}), moved by {outcome.relative_change:.2%}",
        "file": f"{outcome.file}, {size(outcome.file_bytes)}"
        if outcome.accepted
        else "not written",
        "worn": "row by row" if outcome.mode == "rows" else "in merged mode only",
        "kept": f"{outcome.kept_energy:.2%} of the energy, error {outcome.relative_error:.2%}",
        "pictures": "" if error is None else f"{error:.1%} of the way is missing",
        "parameters": f"{len(outcome.layers)} carried, {len(outcome.left_out)} left out, "
        f"{outcome.unchanged_count} as in the base, {outcome.rounded_count} but for rounding",
        "took": f"{outcome.seconds:.1f} s",
    }


def _blocks(outcome: Any) -> list[list[str]]:
    return [
        [
            one.block,
            f"{one.share:.1%}",
            f"{one.kept_energy:.2%}",
            f"{one.relative_error:.2%}",
            str(one.rank_max or ""),
            str(one.layer_count),
            str(one.left_out_count or ""),
        ]
        for one in outcome.blocks
    ]


def _worst(outcome: Any) -> list[Answer]:
    """Show the layers that lose most; --json has all of them."""
    lossy = [one for one in outcome.layers if one.rank and one.relative_error > 0.005]
    lossy.sort(key=lambda one: one.energy * (1 - one.kept_energy), reverse=True)
    if not lossy:
        return []
    rows = [
        [f"{one.component}.{one.parameter}", str(one.rank), f"{one.relative_error:.2%}"]
        for one in lossy[:_LAYERS_SHOWN]
    ]
    return [table("layers that lose most", "rank", "error", rows=rows)]


def _pictures(outcome: Any) -> list[Answer]:
    rows = [
        [
            one.prompt,
            f"{one.pixel_mean:.2f}/255, at most {one.pixel_max}",
            f"{one.latent_error:.2%}",
            f"{one.base_pixel_mean:.2f}/255",
            f"{one.base_latent_error:.2%}",
        ]
        for one in outcome.pictures
    ]
    columns = ("picture", "pixels", "latents", "base: pixels", "base: latents")
    return [table(*columns, rows=rows)] if rows else []
