# SPDX-License-Identifier: Apache-2.0
"""What a caller may choose for an extraction, and what is refused."""

import pytest

from tabard_server.extraction.errors import SettingInvalid
from tabard_server.extraction.settings import ComparisonSettings, ExtractionSettings, RankRule


@pytest.mark.parametrize(
    "choice",
    [
        {"rank": 0},
        {"rank": 513},
        {"energy": 0.0},
        {"energy": 1.5},
        {"rank": 4, "energy": 0.5},
        {"energy": 0.5, "rank_max": 0},
    ],
)
def test_impossible_ranks_are_refused(choice: dict[str, float]) -> None:
    """Each bound has a typed refusal with advice."""
    with pytest.raises(SettingInvalid) as refused:
        RankRule(**choice)  # type: ignore[arg-type]

    assert refused.value.hint


def test_impossible_settings_are_refused() -> None:
    """Exact and low-rank exclude each other; a comparison draws something."""
    with pytest.raises(SettingInvalid):
        ExtractionSettings(is_exact=True, is_low_rank_only=True)
    with pytest.raises(SettingInvalid):
        ExtractionSettings(image_error_max=float("nan"))
    with pytest.raises(SettingInvalid):
        ComparisonSettings(prompts=())
    with pytest.raises(SettingInvalid):
        ComparisonSettings(steps=0)
