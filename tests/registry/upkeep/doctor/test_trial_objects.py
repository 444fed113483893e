# SPDX-License-Identifier: Apache-2.0
from tests.registry.upkeep.doctor.broken_stores import Forbidding
from tests.registry.upkeep.doctor.examinations import examined, found


def test_leftover_probes_are_told() -> None:
    """A role that may not delete gets a warning that names what lies there."""
    store = Forbidding("delete")

    diagnosis = examined(store)

    assert diagnosis.verdict == "warn"
    assert "doctor/" in found(diagnosis, "delete").detail
    assert store.held
    assert all(key.startswith("doctor/") for key in store.held)
