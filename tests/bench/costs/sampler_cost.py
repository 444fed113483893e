# SPDX-License-Identifier: Apache-2.0
"""What samplers cost a step beside the UNet: by tables, and by diffusers' own `step` a row.

Rows of the size of SD1.5 at 512 pixels, of mixed samplers or of one, are walked to their ends both
ways in turns, with a prediction that costs nothing. Told are processor times of the thread, and
what a GPU would launch, counted on `meta` tensors.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from tabard_server.engine.sampling.courses import Course, StepCourse, begin_course
from tabard_server.engine.sampling.first_latents import FirstLatents
from tabard_server.engine.sampling.noise_ahead import NoiseAhead
from tabard_server.engine.sampling.pass_courses import PassCourses
from tabard_server.engine.sampling.sampler_prototypes import SamplerPrototypes
from tabard_server.engine.sampling.schedule_table import make_table
from tabard_server.engine_port.drawing import Drawing
from tests.server.engine.sampling.launches import counting

STEPS = 20
SHAPE = (1, 4, 64, 64)
AHEAD = NoiseAhead()
CONFIG = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "skip_prk_steps": True,
    "steps_offset": 1,
}
MIXES: dict[str, tuple[str, ...]] = {
    "eight samplers": (
        *("euler", "euler_a", "ddim", "dpmpp_2m_karras", "unipc", "lms", "heun", "dpmpp_2m_sde"),
    ),
    "eight times euler": ("euler",) * 8,
    "eight times unipc": ("unipc",) * 8,
    "one euler": ("euler",),
}
MADE = ("ddim", "euler", "dpmpp_2m_karras", "unipc", "lms")

Numbers = dict[str, Any]


@torch.inference_mode()
def run(*, rounds: int) -> Numbers:
    """Return processor seconds of a step by mix and way, launches, and seconds of a table."""
    samplers = SamplerPrototypes(CONFIG)
    ways: dict[str, Callable[[str, str], Course]] = {
        "step": lambda name, device: _begin(samplers, name, device=device, by_steps=True),
        "tables": lambda name, device: _begin(samplers, name, device=device, by_steps=False),
    }
    measured: Numbers = {"mixes": {}, "tables": {}}
    for mix, names in MIXES.items():
        found = measured["mixes"][mix] = {way: [] for way in ways}
        for number in range(-1, rounds):
            for way, begin in ways.items():
                seconds = _walk([begin(name, "cpu") for name in names])
                if number >= 0:  # the first round makes schedulers and tables
                    found[way].append(seconds)
        for way, begin in ways.items():
            found[f"launches, {way}"] = _launches([begin(name, "meta") for name in names])
    for name in MADE:
        measured["tables"][name] = [_made(samplers, name) for _ in range(rounds)]
    return measured


def report(measured: Numbers) -> None:
    """Print medians, and medians of the ratios of neighbours."""
    print("\n| rows | `step`, ms | tables, ms | ratio | launches: `step`, tables |")
    print("|---|---|---|---|---|")
    for mix, found in measured["mixes"].items():
        step, tables = (1e3 * statistics.median(found[way]) for way in ("step", "tables"))
        pairs = zip(found["tables"], found["step"], strict=True)
        ratio = statistics.median(one / other for one, other in pairs)
        most = " | ".join(f"{found[f'launches, {way}']}" for way in ("step", "tables"))
        print(f"| {mix} | {step:.2f} | {tables:.2f} | {ratio:.3f} | {most.replace('|', 'to')} |")
    for name, seconds in measured["tables"].items():
        print(f"a table of {name}, {STEPS} steps: {1e3 * statistics.median(seconds):.1f} ms")


def _begin(samplers: SamplerPrototypes, name: str, *, device: str, by_steps: bool) -> Course:
    drawing = Drawing(
        prompt="a", steps=STEPS, guidance_scale=7.5, width=512, height=512, sampler=name
    )
    scheduler = samplers.take(name, num_inference_steps=STEPS, seed=0)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)
    generator = torch.Generator().manual_seed(0)
    told: dict[str, Any] = {
        "drawing": drawing,
        "first": FirstLatents(
            latents=torch.randn(SHAPE, generator=generator).to(device) * scheduler.init_noise_sigma,
            timesteps=scheduler.timesteps,
        ),
        "shares": None,
        "step_options": samplers.step_options(name, generator=generator),
    }
    if by_steps:
        return StepCourse(scheduler, **told)
    return begin_course(scheduler, tables=samplers.tables, **told)


def _walk(courses: Sequence[Course]) -> float:
    """Return the processor seconds of a step, of those in which all rows take part."""
    steps = min(course.steps_total for course in courses)
    said = torch.randn(sum(course.samples for course in courses), *SHAPE[1:])
    begun_at = time.thread_time()
    for _ in range(steps):
        _step(courses, said)
    return (time.thread_time() - begun_at) / steps


def _step(courses: Sequence[Course], said: torch.Tensor) -> None:
    together = PassCourses(courses, ahead=AHEAD)
    together.model_input()
    together.timesteps()
    together.advance_tables(said)
    for course, prediction in together.alone(said):
        course.advance(prediction)


def _launches(courses: Sequence[Course]) -> int:
    """Return how many launches the largest of the steps takes."""
    said = torch.empty(2 * len(courses), *SHAPE[1:], device="meta")
    _step(courses, said)
    most = 0
    for _ in range(1, min(course.steps_total for course in courses)):
        with counting() as launched:
            _step(courses, said)
        most = max(most, len(launched))
    return most


def _made(samplers: SamplerPrototypes, name: str) -> float:
    scheduler = samplers.take(name, num_inference_steps=STEPS, seed=0)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)
    begun_at = time.thread_time()
    make_table(
        scheduler,
        timesteps=scheduler.timesteps,
        step_options=samplers.step_options(name, generator=None),
        dtype=torch.float32,
        has_kept_part=False,
    )
    return time.thread_time() - begun_at
