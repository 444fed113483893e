# SPDX-License-Identifier: Apache-2.0
from tabard_registry import BaseProfile
from tabard_registry.intake.dialects.per_profile import per_profile
from tests.registry.fakes import sd_profile


def test_table_is_made_once_for_a_profile() -> None:
    """The same profile gives the same table; an equal one that is another object a new one."""
    made: list[BaseProfile] = []
    table = per_profile(lambda profile: made.append(profile) or len(made))  # type: ignore[func-returns-value]
    one, two = sd_profile(), sd_profile()

    assert [table(one), table(one), table(two), table(one)] == [1, 1, 2, 1]


def test_only_the_last_few_are_kept() -> None:
    """A process that sees many bases does not keep them all."""
    made: list[BaseProfile] = []
    table = per_profile(lambda profile: made.append(profile) or len(made))  # type: ignore[func-returns-value]
    profiles = [sd_profile() for _ in range(5)]

    for profile in profiles:
        table(profile)

    assert table(profiles[-1]) == 5
    assert table(profiles[0]) == 6
