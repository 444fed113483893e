# SPDX-License-Identifier: Apache-2.0

from dataclasses import replace

import pytest

from tabard_registry import BaseProfile, sha256_bytes
from tabard_registry.errors import InvalidField
from tests.registry.fakes import sd_profile
from tests.registry.intake.dense_files import PROFILE
from tests.registry.intake.report.named_base import NAMED


def test_profile_survives_its_json() -> None:
    """A profile is what its JSON says."""
    profile = sd_profile()

    assert BaseProfile.from_json(profile.to_json()) == profile
    walked = replace(profile, prediction="v_prediction", is_zero_snr=False, native_pixels=512)
    assert BaseProfile.from_json(walked.to_json()) == walked


def test_fingerprint_follows_components() -> None:
    """The fingerprint changes with any component's, and with nothing else."""
    profile = sd_profile()
    other = BaseProfile(
        family="sd1",
        fingerprints={**profile.fingerprints, "unet": str(sha256_bytes(b"other"))},
        modules=profile.modules,
        token_widths=profile.token_widths,
    )

    assert profile.fingerprint == sd_profile(text_width=99).fingerprint
    assert profile.fingerprint != other.fingerprint


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"family": 1}', "[" * 5000])
def test_other_json_is_no_profile(text: str) -> None:
    """What is not a profile is refused."""
    with pytest.raises(InvalidField):
        BaseProfile.from_json(text)


def test_profile_keeps_its_names() -> None:
    """Names and vectors survive JSON and change no fingerprint."""
    assert BaseProfile.from_json(NAMED.to_json()) == NAMED
    assert NAMED.fingerprint == PROFILE.fingerprint
