# SPDX-License-Identifier: Apache-2.0
import pytest

from tabard_registry.upkeep.doctor.diagnosis import Check, Diagnosis, Verdict


@pytest.mark.parametrize(
    ("verdicts", "worst", "is_safe"),
    [
        ((), "ok", True),
        (("ok", "ok"), "ok", True),
        (("ok", "warn", "ok"), "warn", True),
        (("fail", "warn", "ok"), "fail", False),
    ],
)
def test_worst_check_is_the_verdict(
    verdicts: tuple[Verdict, ...], worst: Verdict, is_safe: bool
) -> None:
    """One failure is enough to be unsafe, a warning is not."""
    checks = tuple(Check(name="x", verdict=verdict, detail="seen") for verdict in verdicts)

    diagnosis = Diagnosis(url="memory:", checks=checks)

    assert (diagnosis.verdict, diagnosis.is_safe) == (worst, is_safe)
