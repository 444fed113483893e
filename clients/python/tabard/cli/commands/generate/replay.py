# SPDX-License-Identifier: Apache-2.0
"""`tabard replay`: make an image again from what its file says, and tell what differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tabard.cli import exit_codes
from tabard.cli.commands.generate.gallery import Gallery
from tabard.cli.commands.generate.regions import split_masks
from tabard.cli.numbers import Number
from tabard.cli.output import table
from tabard.cli.session import Session, with_session
from tabard.jobs.replay import CLOSE, DIFFERENT, NOT_DRAWN, SAME_FILE, SAME_PIXELS, Replay
from tabard.patience import TIMEOUT_SECONDS_MAX
from tabard.pictures.folders import PICTURE_SUFFIXES
from tabard.result import Progress

_FILE = click.Path(dir_okay=False, path_type=Path)
_SAID = {
    SAME_FILE: "the same file, to the byte",
    SAME_PIXELS: "the same pixels; what the file says of itself differs",
    CLOSE: "the same image: no pixel is more than 1 of 255 away, as batches may bring about",
    DIFFERENT: "another image",
    NOT_DRAWN: "it was not drawn",
}


@click.command()
@click.argument("picture", type=_FILE)
@click.option("--image", type=_FILE, help="The picture that it was begun from, as it was sent.")
@click.option(
    "--mask",
    "masks",
    multiple=True,
    metavar="[REGION=]FILE",
    help="Its mask, as it was sent; of a region, with its name before it.",
)
@click.option(
    "--timeout",
    type=Number(min=0, max=TIMEOUT_SECONDS_MAX, min_open=True),
    metavar="SECONDS",
    help="Give up after so long.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep the new image there, under the old one's name.",
)
@with_session
def replay(
    session: Session,
    *,
    picture: Path,
    timeout: float | None,
    out: Path | None,
    masks: tuple[str, ...],
    **pictures: Any,
) -> None:
    """Make an image again from its provenance, and say what differs.

    It is drawn with the very releases that its file names by digest, whatever channels say now.
    Exits 0 when it is the image again, 12 when it is another one, and with the code of the refusal
    when it cannot be drawn. What is not as it was is named in all cases.

    \b
    tabard replay a-red-circle--7.png --out again
    tabard replay a-blue-star--7.jpg --image photo.jpg --mask hole.png
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    pictures |= split_masks(masks)
    if timeout is not None:
        pictures["timeout_seconds"] = timeout
    gallery = None if out is None else Gallery(out)
    try:
        with (
            session.connect() as client,
            session.output.progress("drawing", total=1) as bar,
        ):

            def show(progress: Progress) -> None:
                bar.set(progress.step, total=progress.steps)

            again = client.replay(picture, on_progress=show, **pictures)
        file = None
        if gallery is not None and again.image is not None:
            suffix = picture.suffix if picture.suffix.lower() in PICTURE_SUFFIXES else ".png"
            file = gallery.keep(f"{picture.stem}{suffix}", again.image.content)
    finally:
        if gallery is not None:
            gallery.leave()
    _tell(session, again, file=file)
    if gallery is not None:
        gallery.check()
    click.get_current_context().exit(_code(again))


def _code(again: Replay) -> int:
    if again.refusal is not None:
        return exit_codes.exit_code(again.refusal)
    return exit_codes.OK if again.is_faithful else exit_codes.DIFFERENT


def _tell(session: Session, again: Replay, *, file: Path | None) -> None:
    document = {
        "outcome": again.outcome,
        "is_faithful": again.is_faithful,
        "differences": again.differences,
        "pixels": again.pixels,
        "file": None if file is None else str(file),
        "refusal": None if again.refusal is None else _refusal(again.refusal),
    }
    text: list[Any] = [_SAID[again.outcome]]
    if again.pixels is not None and again.pixels.max:
        apart = again.pixels
        text.append(f"pixels differ by {apart.max} of 255 at most, {apart.mean:.3f} on average")
    if again.differences:
        rows = [(one.name, one.then or "-", one.now or "-") for one in again.differences]
        text.append(table("what", "then", "now", rows=rows))
    if again.refusal is not None and again.refusal.hint:
        text.append(f"hint: {again.refusal.hint}")
    if file is not None:
        text.append(f"kept: {file}")
    session.output.answer(document, *text)


def _refusal(error: Any) -> dict[str, str]:
    return {"reason": error.reason, "message": str(error), "hint": error.hint}
