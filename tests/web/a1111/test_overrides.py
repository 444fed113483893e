# SPDX-License-Identifier: Apache-2.0
"""A request may say what holds for itself; nobody changes the server for the others."""

from typing import Any

import pytest

from tabard import InvalidArgument
from tabard_web.a1111.overrides import (
    Overrides,
    checkpoint_title,
    needs_status,
    options_of,
    read_overrides,
    require_unchanged,
)
from tests.web.a1111.status import STATUS


def read(**said: Any) -> Overrides:
    return read_overrides(said, restored=True, status=STATUS)


@pytest.mark.parametrize(
    ("said", "overrides"),
    [
        ({}, Overrides()),
        ({"CLIP_stop_at_last_layers": 1}, Overrides()),
        ({"CLIP_stop_at_last_layers": 2}, Overrides(clip_skip=1)),
        ({"samples_format": "jpg"}, Overrides(picture_format="jpeg")),
        ({"sd_model_checkpoint": "base [ababababab]"}, Overrides()),
        ({"sd_model_checkpoint": "base"}, Overrides()),
        ({"sd_vae": "Automatic", "eta_noise_seed_delta": 0}, Overrides()),
    ],
)
def test_overrides_of_one_request_are_read(said: dict[str, Any], overrides: Overrides) -> None:
    """Those that can be had, and those that are so already."""
    assert read(**said) == overrides


@pytest.mark.parametrize(
    "said",
    [
        {"sd_model_checkpoint": "other"},
        {"sd_vae": "other.pt"},
        {"CLIP_stop_at_last_layers": 0},
        {"CLIP_stop_at_last_layers": "2"},
        {"samples_format": "gif"},
        {"eta_noise_seed_delta": 31337},
        {"outdir_samples": "/"},
        {"new": []},
    ],
)
def test_other_overrides_are_refused_by_name(said: dict[str, Any]) -> None:
    """Whether they change the server or the image."""
    with pytest.raises(InvalidArgument) as refused:
        read(**said)

    assert refused.value.violations[0].field == next(iter(said))


def test_overrides_that_stay_are_refused() -> None:
    """They would be those of the next caller."""
    said = {"CLIP_stop_at_last_layers": 2}

    with pytest.raises(InvalidArgument, match="override_settings_restore_afterwards"):
        read_overrides(said, restored=False, status=STATUS)
    assert read_overrides({}, restored=False, status=STATUS) == Overrides()


def test_checkpoint_needs_the_server() -> None:
    """Nothing else is asked for."""
    assert needs_status({"sd_model_checkpoint": "base"})
    assert not needs_status({"CLIP_stop_at_last_layers": 2})
    with pytest.raises(InvalidArgument):
        read_overrides({"sd_model_checkpoint": "base"}, restored=True, status=None)


def test_options_tell_no_path() -> None:
    """Where a base lies on the server's machine is nobody's business."""
    assert checkpoint_title(STATUS) == "base [ababababab]"
    assert "machine" not in str(options_of(STATUS))


def test_options_that_hold_can_be_said() -> None:
    """Written back as they were read."""
    require_unchanged(options_of(STATUS) | {"sd_model_checkpoint": "base"}, status=STATUS)


@pytest.mark.parametrize("said", [{"sd_model_checkpoint": "other"}, {"new": 1}, {"sd_vae": "x"}])
def test_options_that_change_are_refused_by_name(said: dict[str, Any]) -> None:
    """The server is everybody's."""
    with pytest.raises(InvalidArgument) as refused:
        require_unchanged(said, status=STATUS)

    assert (refused.value.reason, refused.value.violations[0].field) == (
        "OPTION_FIXED",
        next(iter(said)),
    )
