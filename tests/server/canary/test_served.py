# SPDX-License-Identifier: Apache-2.0
"""What was served of late."""

from dataclasses import replace

import pytest

from tabard_registry import AdapterRef, State, sha256_bytes
from tabard_server.canary.served import ServedImages, side_of
from tabard_server.jobs.job import ImageReady, Job, Worn, WornRecipe
from tests.registry.canary_acts import start, step
from tests.registry.state.short_logs import act, publication, run
from tests.server.jobs.small_jobs import job

BEGUN = (
    *(publication(version) for version in ("1.0.0", "1.1.0", "1.2.0")),
    act("promote", "1.0.0"),
    start(),
)
EXPOSED = (*BEGUN, step("share", share=0.05))


def job_of(state: State, version: str, *, ref: str = "acme/ink", number: int = 0) -> Job:
    """A job that wears a version, asked for by a ref."""
    release = state.find(AdapterRef.parse(f"acme/ink@{version}"))
    return replace(job(worn=(Worn(ref=ref, release=release, weight=1.0),)), id=f"job-{number}")


def image(number: int = 0) -> ImageReady:
    """A picture."""
    return ImageReady(index=0, content=f"png {number}".encode(), seed=1, provenance_json="{}")


@pytest.mark.parametrize(
    ("version", "ref", "side"),
    [
        ("1.1.0", "acme/ink", True),
        ("1.0.0", "acme/ink@stable:0.5", False),
        ("1.2.0", "acme/ink", None),
        ("1.1.0", "acme/ink@1.1.0", None),
        ("1.1.0", "acme/ink@^1", None),
        ("1.1.0", "acme/ink@beta", None),
        ("1.1.0", "no ref at all", None),
    ],
)
def test_side_is_of_the_channel(version: str, ref: str, side: bool | None) -> None:
    """Only what was asked for by the channel is a side of its canary."""
    state, _ = run(*EXPOSED)

    found = side_of(job_of(state, version, ref=ref), state=state)

    assert (found.is_candidate if found else None) is side
    assert found is None or found.share == 0.05


def test_recipe_is_a_side_itself() -> None:
    """What is worn for it are its members."""
    state, _ = run(*EXPOSED)
    (worn,) = job_of(state, "1.1.0").worn
    member = state.find(AdapterRef.parse("acme/ink@1.2.0"))
    recipe = WornRecipe(release=worn.release, weight=1.0)
    mixed = replace(worn, release=member, recipe=recipe)

    found = side_of(job(worn=(mixed, mixed)), state=state)

    assert found is not None
    assert found.is_candidate


def test_promoted_candidate_has_all_traffic() -> None:
    """So complaints about it compare with nothing."""
    state, _ = run(*BEGUN[:4], act("promote", "1.1.0"), start(shares=()))

    found = side_of(job_of(state, "1.1.0"), state=state)

    assert found is not None
    assert found.share == 1.0


def test_picture_is_found_by_file_and_job() -> None:
    """And is not by anything else."""
    state, _ = run(*EXPOSED)
    served = ServedImages(state=lambda: state, images_max=2)

    served.note(job_of(state, "1.1.0"), image())

    by_file, by_job = served.find(str(sha256_bytes(b"png 0"))), served.find("job-0")
    assert by_file is by_job is not None
    assert [str(one.version) for one in by_file.releases] == ["1.1.0"]
    assert served.find("job-1") is None


def test_memory_is_bounded() -> None:
    """The oldest go first."""
    state, _ = run(*EXPOSED)
    served = ServedImages(state=lambda: state, images_max=2)

    for number in range(4):
        served.note(job_of(state, "1.1.0", number=number), image(number))

    assert [served.find(f"job-{number}") is not None for number in range(4)] == [
        False,
        False,
        True,
        True,
    ]
