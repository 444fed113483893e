# SPDX-License-Identifier: Apache-2.0
"""What a job ends with that lacks images: one error, of the kind of the first, naming each."""

import pytest

from tabard_server.errors import ImageWithheld, JobFailed
from tabard_server.jobs.job import Failed, ImageReady
from tabard_server.jobs.lacking import error_of
from tests.server.jobs.small_jobs import running

WITHHELD = ImageWithheld("withheld: nsfw", hint="another seed")
UNSIGNED = JobFailed("not signed", reason="SIGNING_FAILED", hint="tell them")


def test_only_image_is_its_own_error() -> None:
    """Nothing has to be counted."""
    assert error_of({0: WITHHELD}, seeds=[7]) is WITHHELD


def test_error_names_each_image() -> None:
    """The kind, the reason and the hint are of the first; each has its own beside it."""
    found = error_of({3: UNSIGNED, 1: WITHHELD}, seeds=[7, 8, 9, 10])

    assert (type(found), found.reason, found.hint) == (
        ImageWithheld,
        "IMAGE_WITHHELD",
        "another seed",
    )
    assert str(found) == "2 of 4 images are not sent: withheld: nsfw"
    assert [(one.field, one.reason) for one in found.violations] == [
        ("images[1]", "IMAGE_WITHHELD"),
        ("images[3]", "SIGNING_FAILED"),
    ]
    assert "seed 8" in found.violations[0].description


@pytest.mark.parametrize("last_is_sent", [True, False])
def test_job_ends_once_all_is_settled(last_is_sent: bool) -> None:
    """However the last image ends, sent or not."""
    one = running(images=2)
    image = ImageReady(index=0, content=b"", seed=7, provenance_json="")

    if last_is_sent:
        one.run.forgo(1, WITHHELD)
        assert not one.run.is_ended
        one.run.deliver(image)
    else:
        one.run.deliver(image)
        assert not one.run.is_ended
        one.run.forgo(1, WITHHELD)

    assert one.run.is_ended
    assert one.run.error is not None and len(one.ends) == 1
    assert isinstance(one.sent[-1], Failed)
