# SPDX-License-Identifier: Apache-2.0
"""`tabard report`: a caller complains of a picture."""

from __future__ import annotations

from pathlib import Path

import click

from tabard.cli.choices import Named
from tabard.cli.session import Session, with_session
from tabard.enums import IMAGE_LABELS, ImageLabel
from tabard.health.canary import ImageReport

_SHA256 = "sha256:"


@click.command()
@click.argument("image", metavar="IMAGE|DIGEST|JOB")
@click.argument("label", metavar="LABEL", type=Named(IMAGE_LABELS))
@with_session
def report(session: Session, *, image: str, label: ImageLabel) -> None:
    """Complain of a picture that the server drew not long ago.

    IMAGE is the file as it was sent, DIGEST its `sha256:…`, JOB the id of its job. LABEL is
    prompt_drift, style_mismatch, artifact, copyright, portrait or review_failure. While a canary
    serves some of the callers, the first complaint of each tenant counts in it.

    \b
    tabard report image.png style_mismatch
    tabard report sha256:5d41402abc4b2a76b9719d911017c592... artifact
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    with session.connect() as client:
        if image.startswith(_SHA256):
            found = client.report_image(label, digest=image)
        elif Path(image).is_file():
            found = client.report_image(label, image=image)
        else:
            found = client.report_image(label, job=image)
    session.output.answer(found, _text(found))


def _text(found: ImageReport) -> str:
    drawn = f"drawn by {found.adapter}@{found.version}" if found.adapter else "drawn by the base"
    counts = "it counts in a canary" if found.counted else "it counts in no canary"
    return f"taken: {drawn}; {counts}"
