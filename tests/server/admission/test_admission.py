# SPDX-License-Identifier: Apache-2.0
"""A request becomes a pinned job, or is told everything that is wrong with it. No server."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tabard_registry import AdapterRef, Author, NotFound, Registry
from tabard_registry.trust.signatures import Verifier
from tabard_server.adapters.served_base import ServedBase
from tabard_server.admission.admission import Admission
from tabard_server.admission.controls import ControlReader
from tabard_server.admission.declared import DeclaredSampling
from tabard_server.admission.pictures import PictureReading
from tabard_server.admission.prompts import PromptChecker
from tabard_server.admission.regions.reader import RegionReader
from tabard_server.admission.stack import Stacker
from tabard_server.admission.walks import WalkReader
from tabard_server.engine_port.drawing import WantedDrawing
from tabard_server.engine_port.weights.blocks import Blocks
from tabard_server.errors import InvalidRequest, OutOfTime, invalid
from tabard_server.jobs.job import Job, JobSpec, WantedAdapter
from tabard_server.limits import Limits
from tabard_server.settings import Defaults
from tests.registry.fakes import MemoryStore
from tests.server.adapters.published_lora import publish_lora
from tests.server.drawings import bounds_of, picture_of
from tests.server.fakes import PROFILE, FakeEngine

NOW = 1_000.0


class Door:
    """Admission on a fake engine, a registry in memory, a clock and dice that are known."""

    def __init__(self, registry: Registry) -> None:
        engine, limits, defaults = FakeEngine(), Limits(), Defaults(sampler="euler")
        ids = itertools.count(1)
        self.registry = registry
        bounds = bounds_of()
        walks = WalkReader(
            resolve_sampler=engine.resolve_sampler,
            samplers=engine.facts.samplers,
            train_timesteps=engine.facts.train_timesteps,
            default_sampler=defaults.sampler,
        )
        self.admission = Admission(
            bounds=bounds,
            stacker=Stacker(
                base=ServedBase(family="sd1", fingerprint=PROFILE.fingerprint),
                rank_total_max=engine.rank_total,
                can_merge=False,
                limits=limits,
                verifier=Verifier(),
                controls=ControlReader(blocks=Blocks(PROFILE.modules["unet"]), family="sd1"),
            ),
            prompts=PromptChecker(
                reader=engine.new_prompt_reader(), limits=limits, defaults=defaults
            ),
            walks=walks,
            declared=DeclaredSampling(
                walks=walks,
                check=bounds.check_sampling,
                numbers=bounds.numbers_of,
                prediction=engine.facts.prediction,
            ),
            regions=RegionReader(latent_factor=8, regions_max=limits.regions_per_request_max),
            limits=limits,
            clock=lambda: NOW,
            new_id=lambda: f"job-{next(ids)}",
            draw_seed=lambda most: most - 5,
        )

    def admit(
        self, prompt: str = "a cat", *, reading: PictureReading | None = None, **said: Any
    ) -> Job:
        """Admit a request; what a job is asked for goes into the job, the rest is drawn."""
        of_job = {"adapters", "seed", "images", "is_deterministic", "preview_every", "seconds_left"}
        drawn = {name: value for name, value in said.items() if name not in of_job}
        spec = JobSpec(
            wanted=WantedDrawing(prompt=prompt, **drawn),
            **{name: value for name, value in said.items() if name in of_job},
        )
        more = {} if reading is None else {"reading": reading}
        return self.admission.admit(spec, state=self.registry.state, **more)


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry with one release, which is stable."""
    registry = Registry.open(MemoryStore())
    publish_lora(registry, folder=Path(tmp_path_factory.mktemp("file")))
    registry.promote(
        AdapterRef.parse("acme/ink@1.0.0"), channel="stable", author=Author(actor="tester")
    )
    yield registry
    registry.close()


@pytest.fixture
def door(stocked: Registry) -> Door:
    return Door(stocked)


def test_silence_becomes_the_defaults(door: Door) -> None:
    """Who says nothing gets one image of the base's size, by the settings' sampler."""
    job = door.admit()

    drawing = job.drawing
    assert (drawing.size, drawing.sampler, drawing.steps) == ((64, 48), "euler", 25)
    assert (len(job.seeds), job.worn, job.deadline_at) == (1, (), None)
    assert (job.is_deterministic, job.preview_every, job.prompt_windows) == (False, 0, 1)


def test_channel_is_pinned_to_a_digest(door: Door, stocked: Registry) -> None:
    """What a ref means is settled at the door, with the position of the log it was read at."""
    job = door.admit(adapters=(WantedAdapter(ref="acme/ink:0.5"),))

    (worn,) = job.worn
    assert worn.release == stocked.state.resolve(AdapterRef.parse("acme/ink@1.0.0"))
    assert (worn.ref, worn.weight, job.registry_seq) == ("acme/ink:0.5", 0.5, stocked.seq)


def test_tags_are_worn_not_drawn(door: Door) -> None:
    """The drawing has the words, the stack has the tag."""
    job = door.admit("a cat <lora:acme/ink:0.8>", sampler="DDIM")

    assert (job.drawing.prompt, job.drawing.sampler) == ("a cat", "ddim")
    assert [(one.ref, one.weight) for one in job.worn] == [("acme/ink:0.8", 0.8)]


def test_seeds_count_up(door: Door) -> None:
    """From the one that was said, or from one that is drawn below its bound."""
    said, drawn = door.admit(seed=7, images=3), door.admit(images=2)

    assert said.seeds == (7, 8, 9)
    assert drawn.seeds[1] == drawn.seeds[0] + 1 < 2**63


def test_jobs_are_numbered_in_order(door: Door) -> None:
    """Each has a ticket above the last, an id of its own and its time; a refusal takes none."""
    first = door.admit()
    with pytest.raises(InvalidRequest):
        door.admit(steps=0)
    second = door.admit()

    assert (first.ticket, second.ticket) == (1, 2)
    assert (first.id, second.id) == ("job-1", "job-2")
    assert first.admitted_at == NOW


def test_deadline_is_a_moment(door: Door) -> None:
    """Seconds that are left become a time of the server's own clock."""
    assert door.admit(seconds_left=2.5).deadline_at == NOW + 2.5


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 0.019])
def test_near_deadline_is_refused(door: Door, seconds: float) -> None:
    """Too little time is told before anything else is looked at."""
    with pytest.raises(OutOfTime) as caught:
        door.admit("", seconds_left=seconds, steps=0)

    assert caught.value.reason == "DEADLINE_TOO_SHORT"


def test_everything_wrong_is_told_at_once(door: Door) -> None:
    """Numbers, style, words and picture in one refusal, each with its field and advice."""
    reading = PictureReading(
        picture=None, size=None, violations=invalid("image", "no", reason="X", hint="h").violations
    )

    with pytest.raises(InvalidRequest) as caught:
        door.admit("a\0b", reading=reading, steps=0, images=99, prompt_syntax="7", image=b"no")

    told = caught.value.violations
    assert [one.field for one in told if not one.hint] == []
    assert {one.field for one in told} == {
        *("prompt", "num_inference_steps", "num_images", "prompt_syntax", "image")
    }


def test_unknown_sampler_is_a_field(door: Door) -> None:
    """The engine's own refusal is told as what the caller wrote."""
    with pytest.raises(InvalidRequest) as caught:
        door.admit(sampler="telepathy")

    (violation,) = caught.value.violations
    assert (violation.field, violation.reason) == ("sampler", "UNKNOWN_SAMPLER")
    assert violation.hint == caught.value.hint


def test_absent_adapter_is_the_registrys_word(door: Door) -> None:
    """Who asks for what is not there gets the registry's error, with a near name."""
    with pytest.raises(NotFound) as caught:
        door.admit(adapters=(WantedAdapter(ref="acme/inc"),))

    assert "acme/ink" in caught.value.hint


def test_long_words_are_refused_last(door: Door) -> None:
    """Tokens are counted on the words that are drawn, tags left out."""
    tag = "<lora:acme/ink:0.5>"

    assert door.admit(f"{'word ' * 30}{tag}").prompt_windows == 1
    with pytest.raises(InvalidRequest) as caught:
        door.admit(f"{'word ' * 31}{tag}")

    assert caught.value.reason == "PROMPT_TOO_LONG"


def test_picture_is_carried_into_drawing(door: Door) -> None:
    """What the reader made of the file is what is redrawn, at the usual strength."""
    picture = picture_of(np.zeros((48, 64, 3), dtype=np.uint8))
    reading = PictureReading(picture=picture, size=(64, 48), violations=())

    drawing = door.admit(reading=reading, image=b"file").drawing

    assert (drawing.picture, drawing.strength) == (picture, 0.8)
