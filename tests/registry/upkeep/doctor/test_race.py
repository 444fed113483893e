# SPDX-License-Identifier: Apache-2.0
from tests.registry.upkeep.doctor.broken_stores import TwoWinners
from tests.registry.upkeep.doctor.examinations import examined


def test_sequential_checks_do_not_see_the_race() -> None:
    """The store that elects several winners passes everything that asks one after the other."""
    diagnosis = examined(TwoWinners())

    assert [check.name for check in diagnosis.checks if check.verdict != "ok"] == ["racing create"]
