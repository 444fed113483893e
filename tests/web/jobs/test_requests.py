# SPDX-License-Identifier: Apache-2.0
"""Requests for jobs: every option of the SDK may be said, and nothing else."""

import base64

import pytest
from pydantic import ValidationError

from tabard import GenerateOptions, Region
from tabard_web.jobs.requests import JobRequest


def test_every_option_of_the_sdk_is_there() -> None:
    """By the SDK's names, beside what a job alone has."""
    own = {"prompt", "webhook_url", "namespace"}

    assert set(JobRequest.model_fields) - own == set(GenerateOptions.__annotations__)


def test_what_is_not_said_is_not_sent() -> None:
    """Null says nothing; a seed of 0 and no guidance say something."""
    asked = JobRequest.model_validate(
        {"prompt": "a", "seed": 0, "guidance_scale": 0.0, "width": None, "whatever": None}
    )

    assert asked.options == {"seed": 0, "guidance_scale": 0.0}


def test_pictures_are_base64() -> None:
    """What is none is refused by its name."""
    asked = JobRequest(prompt="a", image=base64.b64encode(b"png").decode())

    assert asked.options["image"] == b"png"
    with pytest.raises(ValidationError):
        JobRequest(prompt="a", mask_image="none!")


def test_regions_are_those_of_the_sdk() -> None:
    """Of boxes or of a mask, with a prompt or without; what they do not have is refused."""
    mask = base64.b64encode(b"png").decode()

    asked = JobRequest.model_validate(
        {
            "prompt": "a",
            "regions": [
                {"name": "left", "boxes": "0,0,0.5,1"},
                {"name": "hat", "mask": mask, "prompt": ""},
            ],
        }
    )

    assert asked.options["regions"] == (
        Region(name="left", boxes="0,0,0.5,1"),
        Region(name="hat", mask=b"png", prompt=""),
    )
    assert "regions" not in JobRequest(prompt="a").options
    with pytest.raises(ValidationError):
        JobRequest.model_validate({"prompt": "a", "regions": [{"name": "left", "box": "0,0,1,1"}]})
