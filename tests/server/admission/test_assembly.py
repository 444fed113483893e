# SPDX-License-Identifier: Apache-2.0
"""What is put together for a server's engine admits as its settings say."""

import pytest

from tabard_registry.trust.signatures import Verifier
from tabard_server.admission.assembly import admission_for, bounds_for
from tabard_server.engine_port.drawing import WantedDrawing
from tabard_server.errors import InvalidRequest
from tabard_server.jobs.job import JobSpec
from tabard_server.settings import Settings
from tests.registry.random_logs import EMPTY
from tests.server.fakes import FakeEngine


def test_jobs_are_admitted_as_settings_say() -> None:
    """Defaults and limits are those of the settings, ids and seeds differ."""
    settings = Settings(limits={"steps_max": 9}, defaults={"steps": 7})
    engine = FakeEngine()
    bounds = bounds_for(engine, settings)
    admission = admission_for(
        engine, settings, bounds=bounds, verifier=Verifier(), server_id="a" * 32
    )

    spec = JobSpec(wanted=WantedDrawing(prompt="a cat"))
    jobs = [admission.admit(spec, state=EMPTY) for _ in range(2)]

    assert [job.drawing.steps for job in jobs] == [7, 7]
    assert len({job.id for job in jobs}) == len({job.seeds for job in jobs}) == 2
    with pytest.raises(InvalidRequest):
        admission.admit(JobSpec(wanted=WantedDrawing(prompt="x", steps=10)), state=EMPTY)
