# SPDX-License-Identifier: Apache-2.0
import pytest

from livery_server.engine import SAMPLERS, UnknownSampler, resolve_sampler


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Euler a", "euler_a"),
        ("euler ancestral", "euler_a"),
        ("DPM++ 2M Karras", "dpmpp_2m_karras"),
        ("DPM++ 2M", "dpmpp_2m"),
        ("dpmpp-2m", "dpmpp_2m"),
        ("PLMS", "pndm"),
        ("UniPC", "unipc"),
    ],
)
def test_people_spell_samplers_freely(written: str, name: str) -> None:
    """A1111's spellings and our short names mean the same sampler."""
    assert resolve_sampler(written) == name


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_every_name_and_title_resolves(name: str) -> None:
    """Each sampler is found by its short name and by the title written into images."""
    assert resolve_sampler(name) == resolve_sampler(SAMPLERS[name].title) == name


def test_unknown_sampler_lists_known() -> None:
    """The error says what there is."""
    with pytest.raises(UnknownSampler) as caught:
        resolve_sampler("magic")

    assert "dpmpp_2m" in caught.value.hint
