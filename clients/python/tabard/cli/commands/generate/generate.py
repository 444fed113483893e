# SPDX-License-Identifier: Apache-2.0
"""`tabard generate`: a prompt and a stack go in, PNG files and a contact sheet come out."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from tabard.calls.options import RANDOM_SEED, SEED_MAX
from tabard.cli import completion
from tabard.cli.choices import Named
from tabard.cli.commands.generate.detaching import begin, refuse_alone, with_detaching, with_format
from tabard.cli.commands.generate.gallery import Gallery, slug
from tabard.cli.commands.generate.regions import put_regions, with_regions
from tabard.cli.commands.generate.skipping import with_skipped_layers
from tabard.cli.numbers import Number, Whole
from tabard.cli.output import ProgressBar, table
from tabard.cli.session import Session, together, with_session
from tabard.enums import (
    PRIORITIES,
    PROMPT_SYNTAXES,
    SCHEDULES,
    TIMESTEP_SPACINGS,
    TOKEN_MATCHES,
)
from tabard.errors import TabardError
from tabard.patience import TIMEOUT_SECONDS_MAX
from tabard.result import (
    SUFFIXES,
    Accepted,
    Collector,
    GeneratedImage,
    GenerateResult,
    Progress,
    WornRelease,
)


def _two_numbers(form: str, *, between: str, like: str, is_turned: bool = False) -> Any:
    """Give what reads two numbers; turned, as diffusers takes sizes: the height comes first."""

    def read(
        context: click.Context, parameter: click.Parameter, text: str | None
    ) -> tuple[int, int] | None:
        if text is None:
            return None
        match = re.fullmatch(rf"(\d+){between}(\d+)", text)
        if match is None:
            raise click.BadParameter(f"'{text}' is not {form}, like {like}", context, parameter)
        first, second = int(match[1]), int(match[2])
        return (second, first) if is_turned else (first, second)

    return read


read_size = _two_numbers("WIDTHxHEIGHT", between="x", like="64x64")
_read_turned_size = _two_numbers("WIDTHxHEIGHT", between="x", like="64x64", is_turned=True)
_read_corner = _two_numbers("TOP,LEFT", between=",", like="0,128")


def _list_of(kind: type[int] | type[float], *, like: str) -> Any:
    """Give what reads numbers with commas between them."""

    def read(
        context: click.Context, parameter: click.Parameter, text: str | None
    ) -> tuple[float, ...]:
        try:
            return tuple(kind(one) for one in text.split(",")) if text else ()
        except ValueError:
            message = f"'{text}' is no list of numbers, like {like}"
            raise click.BadParameter(message, context, parameter) from None

    return read


_with_walk = together(
    click.option(
        "--timestep-spacing",
        default="",
        metavar="SPACING",
        shell_complete=completion.among(TIMESTEP_SPACINGS),
        help="How timesteps are spread: trailing (few-step adapters), leading or linspace.",
    ),
    click.option(
        "--schedule",
        default="",
        metavar="NAME",
        shell_complete=completion.among(SCHEDULES),
        help="karras, exponential, beta, sgm_uniform, simple, ddim_uniform or normal.",
    ),
    click.option(
        "--timesteps",
        metavar="N,N,…",
        callback=_list_of(int, like="999,749,499,249"),
        help="The timesteps themselves, falling.",
    ),
    click.option(
        "--sigmas",
        metavar="X,X,…",
        callback=_list_of(float, like="14.615,2.9,0.6,0"),
        help="The sigmas themselves, falling; the last is where the walk ends.",
    ),
    click.option(
        "--eta",
        type=Number(min=0, max=1),
        help="How much noise each step adds, with ddim and tcd.",
    ),
)
_PICTURE = click.Path(exists=True, dir_okay=False, path_type=Path)
_with_reading_and_picture = together(
    click.option(
        "--clip-skip",
        type=Whole(min=0),
        metavar="N",
        help="Leave out the last N layers of the text encoders. A1111's 'Clip skip: 2' is 1.",
    ),
    click.option(
        "--prompt-syntax",
        type=Named(PROMPT_SYNTAXES),
        help="a1111: (word:1.2) and [word] weigh, BREAK begins a new window. plain: all is text.",
    ),
    click.option(
        "--prompt-windows",
        "prompt_windows_max",
        type=Whole(min=1),
        metavar="N",
        help="How many windows a prompt may fill; default 1, with a1111 all that the server "
        "allows. A window is what the text encoder reads at once: 75 tokens, words or parts of "
        "words (30 with the demo base). A longer prompt is refused, never cut.",
    ),
    click.option(
        "--token-match",
        type=Named(TOKEN_MATCHES),
        help="Where an embedding's word counts. whole: as a word of its own. anywhere: in longer "
        "words too, as in diffusers.",
    ),
    click.option(
        "--auto-trigger",
        is_flag=True,
        help="Put the trigger words of what is worn in front of the prompt; {trigger} in the "
        "prompt says where else.",
    ),
    click.option(
        "--priority",
        type=Named(PRIORITIES),
        help="Which of one tenant's jobs go first; default normal.",
    ),
    click.option(
        "--request-id",
        metavar="ID",
        help="The same ID stands for the same job: said again, it is not drawn again.",
    ),
    click.option(
        "--decline-canary",
        is_flag=True,
        help="Wear what channels point to, and never the candidate of a canary.",
    ),
    click.option(
        "--canary-key",
        metavar="KEY",
        help="The same KEY is served the same side of a canary, where nobody is asked who they "
        "are.",
    ),
    click.option(
        "--image",
        type=_PICTURE,
        metavar="FILE",
        help="Begin from this PNG, JPEG or WebP; resized to --size, else drawn at its own.",
    ),
    click.option(
        "--mask",
        "mask_image",
        type=_PICTURE,
        metavar="FILE",
        help="Redraw only what is white here; of the image's size.",
    ),
    click.option(
        "--strength",
        type=Number(min=0, max=1, min_open=True),
        help="How much of the image is redrawn; default 0.8, with a mask 1.",
    ),
    click.option(
        "--original-size",
        callback=_read_turned_size,
        metavar="WxH",
        help="SDXL: the size that the picture shall seem to come from.",
    ),
    click.option(
        "--crop-top-left",
        "crops_coords_top_left",
        callback=_read_corner,
        metavar="TOP,LEFT",
        help="SDXL: from where in that it shall seem to be cut.",
    ),
    click.option(
        "--target-size",
        callback=_read_turned_size,
        metavar="WxH",
        help="SDXL: the size that it shall seem to have.",
    ),
)


@click.command()
@click.argument("prompt")
@click.option(
    "--adapter",
    "adapters",
    multiple=True,
    metavar="REF[:WEIGHT]",
    shell_complete=completion.refs,
    help="Repeatable. Behind the weight: te=0.5, unet=0.8, start=0.2, end=0.8, region=left, "
    "IN04=0.5, lbw=….",
)
@click.option(
    "--seed",
    type=Whole(min=RANDOM_SEED, max=SEED_MAX),
    help="Image i uses SEED + i; -1: a random one.",
)
@click.option("--steps", "num_inference_steps", type=Whole(min=1), help="Denoise steps.")
@click.option("--size", callback=read_size, metavar="WxH", help="Pixels; default the base's own.")
@click.option("--count", "num_images", type=Whole(min=1), default=1, help="How many images.")
@click.option(
    "--guidance",
    "guidance_scale",
    type=Number(),
    help="How strongly the prompt is followed; 1 or less is off, but on Flux.1 dev.",
)
@with_skipped_layers
@click.option("--negative", "negative_prompt", default="", help="What to keep away from.")
@click.option(
    "--sampler",
    default="",
    shell_complete=completion.samplers,
    help="Short name (euler_a) or A1111's (Euler a, DPM++ 2M Exponential).",
)
@_with_walk
@click.option("--deterministic", is_flag=True, help="Byte-identical files, whatever else runs.")
@_with_reading_and_picture
@with_regions
@click.option(
    "--timeout",
    type=Number(min=0, max=TIMEOUT_SECONDS_MAX, min_open=True),
    metavar="SECONDS",
    help="Give up after so long.",
)
@with_format
@with_detaching
@click.option("--sheet", is_flag=True, help="Also for one image: a labelled contact sheet.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Where the files go; default: here.",
)
@with_session
def generate(
    session: Session,
    *,
    prompt: str,
    num_images: int,
    size: tuple[int, int] | None,
    timeout: float | None,
    sheet: bool,
    out: Path,
    detach: bool,
    webhook_url: str,
    namespace: str,
    **options: Any,
) -> None:
    """Draw images, wearing any number of adapters; from noise, or from a picture.

    \b
    tabard generate "a red circle" --adapter acme/watercolor:0.8 --seed 7 --count 4 --out images
    tabard generate "a blue star" --image photo.jpg --mask hole.png --strength 0.9 --out images
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    put_regions(options)
    if timeout is not None:
        options["timeout_seconds"] = timeout
    if size is not None:
        options |= {"width": size[0], "height": size[1]}
    if detach:
        options |= {"webhook_url": webhook_url, "namespace": namespace}
        begin(session, prompt, options=options | {"num_images": num_images})
        return
    refuse_alone(webhook_url=webhook_url, namespace=namespace)
    gallery, collector = Gallery(out), Collector()
    stem, files = "", dict[int, Path]()
    suffix = SUFFIXES[options.get("image_format") or "png"][0]
    with (
        _kept_told(session, gallery),
        session.connect() as client,
        session.output.progress("drawing", total=num_images) as bar,
        contextlib.closing(client.stream(prompt, num_images=num_images, **options)) as events,
    ):
        shown = _shown_on(bar, images=num_images)
        for event in events:
            collector.feed(event)
            if isinstance(event, Accepted):
                stem = "--".join(filter(None, (slug(prompt), _stack_name(event.worn))))
            elif isinstance(event, GeneratedImage):
                files[event.index] = gallery.keep(f"{stem}--{event.seed}{suffix}", event.content)
            elif isinstance(event, Progress):
                shown(event)
    result = collector.result()
    sheet_file = None
    if sheet or num_images > 1:
        name = f"{stem}--{result.images[0].seed}--sheet.png"
        sheet_file = gallery.keep(name, _sheet(result, prompt=prompt))
    _tell(session, result, files=files, sheet_file=sheet_file)
    gallery.check()


def _shown_on(bar: ProgressBar, *, images: int) -> Callable[[Progress], None]:
    done: dict[int, int] = {}

    def show(progress: Progress) -> None:
        done[progress.index] = progress.step
        bar.set(sum(done.values()), total=images * progress.steps)

    return show


@contextlib.contextmanager
def _kept_told(session: Session, gallery: Gallery) -> Iterator[None]:
    """Say where the pictures are that came before a job failed or was interrupted."""
    try:
        yield
    except (TabardError, KeyboardInterrupt):
        for file in gallery.files:
            session.output.say(f"drawn before that: {file}")
        gallery.leave()
        raise


def _tell(
    session: Session,
    result: GenerateResult,
    *,
    files: Mapping[int, Path],
    sheet_file: Path | None,
) -> None:
    document = {
        "job_id": result.job_id,
        "worn": result.worn,
        "registry_seq": result.registry_seq,
        "queue_ms": result.queue_ms,
        "total_ms": result.total_ms,
        "trace_id": result.trace_id,
        "warnings": result.warnings,
        "images": [_document(image, files[image.index]) for image in result.images],
        "sheet": None if sheet_file is None else str(sheet_file),
    }
    rows = [(str(image.seed), str(files[image.index])) for image in result.images]
    worn = [
        f"wears {one.adapter} {one.version} at {one.weight:g}"
        + (f" with {one.controls}" if one.controls else "")
        + (", the candidate of a canary" if one.is_canary else "")
        for one in result.worn
    ]
    text: list[Any] = [*worn, table("seed", "file", rows=rows)]
    if sheet_file is not None:
        text.append(f"contact sheet: {sheet_file}")
    for one in result.warnings:
        session.output.say(f"warning: {one.release or one.field}: {one.message}")
    session.output.answer(document, *text)


def _document(image: GeneratedImage, file: Path) -> dict[str, Any]:
    return {
        "index": image.index,
        "seed": image.seed,
        "file": str(file),
        "provenance": image.provenance,
    }


def _sheet(result: GenerateResult, *, prompt: str) -> bytes:
    from tabard.cli.contact_sheet import SheetRow, contact_sheet, sheet_png  # noqa: PLC0415 - Pillow is for sheets

    worn = "\n".join(f"{one.adapter} {one.version} at {one.weight:g}" for one in result.worn)
    row = SheetRow(label=worn or "base", images=tuple(image.pil for image in result.images))
    columns = [f"seed {image.seed}" for image in result.images]
    return sheet_png(contact_sheet([row], columns=columns, title=prompt[:80]))


def _stack_name(worn: tuple[WornRelease, ...]) -> str:
    parts = []
    for one in worn:
        weight = "" if one.weight == 1 else f"x{one.weight:g}"
        weight += f"x{slug(one.controls)}" if one.controls else ""
        parts.append(f"{one.adapter.rpartition('/')[2]}-{one.version}{weight}")
    return "+".join(parts)
