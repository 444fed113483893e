# SPDX-License-Identifier: Apache-2.0
"""What `tabard generate` says of its outcome: how images are written, or that it is a job."""

from __future__ import annotations

from typing import Any

import click

from tabard.cli.choices import Named
from tabard.cli.numbers import Whole
from tabard.cli.session import Session, together
from tabard.enums import IMAGE_FORMATS

with_format = together(
    click.option(
        "--format",
        "image_format",
        type=Named(IMAGE_FORMATS),
        help="How images are written: png, jpeg or webp; each says how it was made.",
    ),
    click.option(
        "--quality",
        "image_quality",
        type=Whole(min=0, max=100),
        help="Of a JPEG or WebP; default 95.",
    ),
)
with_detaching = together(
    click.option(
        "--detach",
        is_flag=True,
        help="Do not wait: print the id of the job, which goes on; see tabard job.",
    ),
    click.option(
        "--webhook",
        "webhook_url",
        default="",
        metavar="URL",
        help="With --detach: told of the job's end by a signed POST.",
    ),
    click.option(
        "--namespace",
        default="",
        metavar="NAME",
        help="With --detach: write the images into the bucket of this namespace.",
    ),
)


def begin(session: Session, prompt: str, *, options: dict[str, Any]) -> None:
    """Begin a job, and say how to go on."""
    with session.connect() as client:
        job = client.start(prompt, **options)
    session.output.answer(
        {"job_id": job.id},
        f"job {job.id}",
        f"wait for it: tabard job wait {job.id}",
    )


def refuse_alone(*, webhook_url: str, namespace: str) -> None:
    """Refuse what means nothing to a command that waits.

    Raises:
        click.UsageError: It was said.
    """
    for name, value in (("--webhook", webhook_url), ("--namespace", namespace)):
        if value:
            raise click.UsageError(f"{name} is for a job: say --detach, too")
