# SPDX-License-Identifier: Apache-2.0
"""The events of a job become its result; an image is saved as the server made it."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import tabard
from tabard import Accepted, Client, Done, GeneratedImage, Preview, Progress
from tabard.result import Collector


def test_save_refuses_other_formats(client: Client, tmp_path: Path) -> None:
    """A .jpg with PNG bytes would be silently wrong."""
    image = client.generate("x").images[0]

    with pytest.raises(tabard.InvalidArgument, match="not the name of a png"):
        image.save(tmp_path / "circle.jpg")

    jpeg = client.generate("x", image_format="jpeg").images[0]
    assert jpeg.save(tmp_path / "circle.jpg").read_bytes().startswith(b"\xff\xd8")
    with pytest.raises(tabard.InvalidArgument):
        jpeg.save(tmp_path / "circle.png")


def test_progress_reaches_last_step(client: Client) -> None:
    """Each image ends at its last step, though the server never says so."""
    seen: list[tabard.Progress] = []

    client.generate("x", num_inference_steps=3, num_images=2, on_progress=seen.append)

    assert [(one.index, one.step, one.steps) for one in seen] == [
        (index, step, 3) for index in (0, 1) for step in (1, 2, 3)
    ]


ACCEPTED = Accepted(job_id="job-1", worn=(), seeds=(7, 8), registry_seq=4, queue_depth=0)
DONE = Done(queue_ms=1.5, total_ms=20.0)


def image(index: int) -> GeneratedImage:
    """An image of the job."""
    return GeneratedImage(index=index, seed=7 + index, content=b"png", provenance_json="")


def test_images_are_in_order_of_their_index() -> None:
    """However they come; previews are no part of a result."""
    collector = Collector()

    for event in (ACCEPTED, image(1), Preview(index=0, step=1, content=b"p"), image(0), DONE):
        collector.feed(event)

    result = collector.result()
    assert [one.seed for one in result.images] == [7, 8]
    assert (result.job_id, result.registry_seq) == ("job-1", 4)
    assert (result.queue_ms, result.total_ms) == (1.5, 20.0)


def test_images_of_a_lost_job_are_in_the_result() -> None:
    """A second `Accepted` of the same drawing goes on with what was drawn."""
    told: list[int] = []
    collector = Collector(lambda step: told.append(step.index))

    for event in (ACCEPTED, image(0), replace(ACCEPTED, job_id="job-2"), image(1), DONE):
        collector.feed(event)

    result = collector.result()
    assert (result.job_id, told) == ("job-2", [0, 1])
    assert [one.index for one in result.images] == [0, 1]


def test_images_of_another_drawing_are_not_in_the_result() -> None:
    """All that follows an `Accepted` with other seeds is of that one, and is told anew."""
    told: list[int] = []
    collector = Collector(lambda step: told.append(step.index))
    other = replace(ACCEPTED, job_id="job-2", seeds=(99, 100))

    for event in (ACCEPTED, image(0), image(1), other, image(1), DONE):
        collector.feed(event)

    result = collector.result()
    assert (result.job_id, told) == ("job-2", [0, 1, 1])
    assert [one.index for one in result.images] == [1]


@pytest.mark.parametrize("events", [(), (ACCEPTED,), (ACCEPTED, image(0)), (image(0), DONE)])
def test_broken_stream_has_no_result(events: tuple[tabard.GenerateEvent, ...]) -> None:
    """Half a job is never given as a whole one."""
    collector = Collector()
    for event in events:
        collector.feed(event)

    with pytest.raises(tabard.Internal) as caught:
        collector.result()

    assert caught.value.reason == "STREAM_INCOMPLETE"


def test_finished_image_ends_its_progress() -> None:
    """Though the server dropped the last steps."""
    seen: list[Progress] = []
    collector = Collector(seen.append)

    for event in (Progress(index=0, step=1, steps=9), image(0)):
        collector.feed(event)

    assert [(one.step, one.steps) for one in seen] == [(1, 9), (9, 9)]


def test_image_without_provenance_says_nothing() -> None:
    """An empty document, not an error."""
    assert image(0).provenance == {}


def test_pillow_image_is_loaded() -> None:
    """It can be used when the bytes are gone."""
    data = io.BytesIO()
    Image.new("RGB", (3, 2), (1, 2, 3)).save(data, format="PNG")

    picture = GeneratedImage(index=0, seed=1, content=data.getvalue(), provenance_json="").pil

    assert (picture.size, picture.getpixel((0, 0))) == ((3, 2), (1, 2, 3))


def test_last_step_is_told_once() -> None:
    """Also when the server has told it before the image comes."""
    seen: list[tuple[int, int]] = []
    collector = Collector(lambda progress: seen.append((progress.index, progress.step)))
    done = [Progress(index=0, step=step, steps=2) for step in (1, 2)]

    for event in (ACCEPTED, *done, image(0), image(1), DONE):
        collector.feed(event)

    assert seen == [(0, 1), (0, 2), (1, 2)]


def test_save_makes_the_folder(client: Client, tmp_path: Path) -> None:
    """As every other act that writes files does."""
    [image] = client.generate("a red circle").images

    assert image.save(tmp_path / "a" / "b" / "circle.png").read_bytes() == image.content
