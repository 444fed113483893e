# SPDX-License-Identifier: Apache-2.0
"""`tabard job wait`: what a job comes to, as files."""

from __future__ import annotations

from pathlib import Path

import click

from tabard.cli.commands.generate.gallery import Gallery
from tabard.cli.numbers import Number
from tabard.cli.output import table
from tabard.cli.session import Session, with_session
from tabard.patience import TIMEOUT_SECONDS_MAX
from tabard.result import SUFFIXES, Progress

_ID_CHARS = 8


@click.command()
@click.argument("job_id", metavar="ID")
@click.option(
    "--timeout",
    type=Number(min=0, max=TIMEOUT_SECONDS_MAX, min_open=True),
    metavar="SECONDS",
    help="Give up waiting after so long; the job goes on.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Where the files go; default: here.",
)
@with_session
def wait(session: Session, *, job_id: str, timeout: float | None, out: Path) -> None:
    """Wait for a job, and save its images.

    A connection that breaks, or a server that starts anew, is waited for.

    \b
    tabard job wait 0f3c… --out images
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    gallery = Gallery(out)
    with session.connect() as client:
        images = len(client.job_status(job_id).accepted.seeds)
        with session.output.progress("drawing", total=images) as bar:
            done: dict[int, int] = {}

            def show(progress: Progress) -> None:
                done[progress.index] = progress.step
                bar.set(sum(done.values()), total=images * progress.steps)

            result = client.job(job_id).wait(on_progress=show, timeout_seconds=timeout)
    stem = f"job-{job_id[:_ID_CHARS]}"
    files = [
        gallery.keep(f"{stem}--{image.seed}{SUFFIXES[image.format][0]}", image.content)
        for image in result.images
    ]
    told = [
        {"index": image.index, "seed": image.seed, "file": str(file)}
        for image, file in zip(result.images, files, strict=True)
    ]
    rows = [(str(one["seed"]), str(one["file"])) for one in told]
    session.output.answer(
        {"job_id": job_id, "worn": result.worn, "images": told}, table("seed", "file", rows=rows)
    )
    gallery.check()
