# SPDX-License-Identifier: Apache-2.0
"""From pixels to events: images always, previews when there is room, failures typed."""

import threading

import numpy as np
import pytest

from tabard_server.engine_port.errors import RowNotFinite
from tabard_server.errors import JobCancelled
from tabard_server.jobs.job import Done, Failed, ImageReady, Preview, Worn, WornRecipe
from tabard_server.telemetry.metrics import Metrics
from tests.server.harness import PATIENCE_SECONDS, pixels_of
from tests.server.jobs.small_jobs import running
from tests.server.output.finishing import DRAWN, Readback, finishing
from tests.server.releases import member, release


def test_image_is_sent_and_ends_job() -> None:
    """The PNG has the pixels and the seed of its index; the last one brings Done."""
    one = running(images=2)

    with finishing() as finisher:
        for index in range(2):
            finisher.finish(one.run, index=index, readback=Readback())

    images = sorted((e for e in one.sent if isinstance(e, ImageReady)), key=lambda e: e.index)
    assert [image.seed for image in images] == [7, 8]
    assert np.array_equal(pixels_of(images[0].content), DRAWN)
    assert isinstance(one.sent[-1], Done)


def test_preview_comes_before_its_image() -> None:
    """All of one image go the same way, so that nothing overtakes."""
    one = running()

    with finishing() as finisher:
        finisher.show(one.run, index=0, step=2, readback=Readback())
        finisher.finish(one.run, index=0, readback=Readback())

    assert [type(event) for event in one.sent] == [Preview, ImageReady, Done]
    assert one.sent[0].step == 2


def test_preview_is_dropped_when_full() -> None:
    """A full queue costs previews and never holds up the engine for one."""
    one, may_come = running(images=2), threading.Event()
    slow = Readback(may_come=may_come)

    with finishing(backlog_max=2) as finisher:
        finisher.show(one.run, index=0, step=1, readback=slow)
        assert slow.is_asked.wait(PATIENCE_SECONDS)
        for step in (2, 3, 4):
            finisher.show(one.run, index=0, step=step, readback=Readback())
        may_come.set()

    assert [event.step for event in one.sent] == [1, 2]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RowNotFinite("NaN", hint="less"), "ROW_NOT_FINITE"),
        (RuntimeError("secret of the house"), "ENCODING_FAILED"),
    ],
)
def test_failed_image_fails_its_job(error: Exception, reason: str) -> None:
    """With the engine's own reason, or one that tells nothing; the thread lives on."""
    bad, good = running(ticket=1), running(ticket=3)

    with finishing() as finisher:
        finisher.finish(bad.run, index=0, readback=Readback(error=error))
        finisher.finish(good.run, index=0, readback=Readback())

    (end,) = bad.sent
    assert isinstance(end, Failed)
    assert getattr(end.error, "reason", "") == reason
    assert "secret" not in str(end.error)
    assert isinstance(good.sent[-1], Done)


def test_ended_job_costs_nothing() -> None:
    """Pixels of a job that is over are not even waited for."""
    one, readback = running(), Readback()
    one.run.fail(JobCancelled("gone"))

    with finishing() as finisher:
        finisher.finish(one.run, index=0, readback=readback)

    assert not readback.is_asked.is_set()


def test_drawn_rows_are_counted() -> None:
    """By each release that was worn, by its recipe once, and under no name when bare."""
    metrics, ink = Metrics(), release("acme/ink")
    mix = WornRecipe(release=release("acme/mix", members=(member(ink),)), weight=1.0)
    worn = (Worn(ref="acme/mix", release=ink, weight=1.0, recipe=mix),)

    with finishing(metrics) as finisher:
        finisher.finish(running(worn=worn).run, index=0, readback=Readback())
        finisher.finish(running().run, index=0, readback=Readback())

    for adapter, version in (("acme/ink", "1.0.0"), ("acme/mix", "1.0.0"), ("", "")):
        labels = {"adapter": adapter, "version": version}
        assert metrics.registry.get_sample_value("tabard_rows_total", labels) == 1.0
    assert metrics.registry.get_sample_value("tabard_images_total") == 2.0
