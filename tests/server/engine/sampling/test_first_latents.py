# SPDX-License-Identifier: Apache-2.0
"""Redrawing pictures, whole or where a mask says, against diffusers' pipelines in float64."""

import inspect
from types import SimpleNamespace
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

from tabard_server.engine.base.schedules.flow_schedule import make_flow_scheduler
from tabard_server.engine.sampling.courses import Course, begin_course
from tabard_server.engine.sampling.first_latents import draw_first_latents
from tabard_server.engine.sampling.pass_courses import PassCourses
from tabard_server.engine.sampling.sampler_prototypes import SamplerPrototypes
from tabard_server.engine.sampling.vae import LatentSpace
from tabard_server.engine_port.drawing import Pixels
from tabard_server.engine_port.errors import RowNotPossible
from tests.oracle import step_in_double_precision
from tests.server.drawings import drawing, picture_of
from tests.server.engine.sampling.flows.known_flows import FLUX_DEV, SD35, their_scheduler
from tests.server.engine.sampling.known_courses import AHEAD, normal
from tests.server.engine.tiny_base import Studio, draw, open_studio
from tests.tiny_models import tiny_pipeline

TOLERANCE = 1e-9
STACK = {"lora": 0.6, "text": 0.5}
SAMPLERS = ("ddim", "euler_a", "heun", "dpmpp_2m_sde_karras", "pndm", "lcm", "unipc")
PIXELS = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
MASK = np.kron(np.eye(8, dtype=np.uint8), np.full((8, 8), 255, dtype=np.uint8))


@pytest.fixture(scope="module", params=["sd1", "sdxl"])
def studio(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return open_studio(tmp_path_factory.mktemp(request.param), family=request.param)


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("mask", "strength"),
    [(None, 0.6), (None, 1.0), (MASK, 0.6), (MASK, 1.0)],
    ids=["redrawn", "redrawn wholly", "filled", "filled anew"],
)
def test_picture_equals_diffusers(studio: Studio, mask: Pixels | None, strength: float) -> None:
    """Rows of several samplers begin from a picture in one batch, each as diffusers alone."""
    said = {"picture": picture_of(PIXELS, mask=mask), "strength": strength, "steps": 5}
    specs = [studio.spec(STACK, sampler=sampler, **said) for sampler in SAMPLERS]

    together = draw(studio.engine, specs)

    for spec, mixed, theirs in zip(specs, together, studio.expect(STACK, specs), strict=True):
        sampler = spec.drawing.sampler
        torch.testing.assert_close(mixed, theirs, rtol=TOLERANCE, atol=TOLERANCE, msg=sampler)


@pytest.mark.oracle
def test_kept_part_stays_and_the_rest_changes(studio: Studio) -> None:
    """Outside the mask the latents are the picture's; inside they are the prompt's."""
    whole = np.zeros((64, 64), dtype=np.uint8)
    half = whole.copy()
    half[:, 32:] = 255

    kept, filled = draw(
        studio.engine,
        [
            studio.spec({}, picture=picture_of(PIXELS, mask=mask), strength=1.0)
            for mask in (whole, half)
        ],
    )

    torch.testing.assert_close(filled[..., :8], kept[..., :8], rtol=0, atol=0)
    assert (filled[..., 8:] - kept[..., 8:]).abs().max() > 0.1


@pytest.mark.oracle
def test_too_little_strength_is_refused(studio: Studio) -> None:
    """A strength that leaves no step is refused with one that would do; no slot is kept."""
    spec = studio.spec(STACK, picture=picture_of(PIXELS), strength=0.1)

    (error,) = studio.engine.open_rows([spec])

    assert isinstance(error, RowNotPossible)
    assert error.reason == "STRENGTH_TOO_SMALL"
    assert "0.25" in error.hint
    assert not any(use.leases for use in studio.engine.residents())


WORDS = 5


class Stage:
    """Parts of a tiny flow pipeline, as diffusers walks them and as rows do."""

    def __init__(self, family: str) -> None:
        torch.manual_seed(3)
        made: Any = tiny_pipeline(family)
        self.parts = dict(made.components)
        self.is_flux, self.config = family == "flux", FLUX_DEV if family == "flux" else SD35
        self.network, self.vae = made.transformer.double().eval(), made.vae.double().eval()
        config = self.network.config
        self.words = normal(1, WORDS, config.joint_attention_dim, seed=1)
        self.pooled = normal(1, config.pooled_projection_dim, seed=2)
        base: Any = SimpleNamespace(vae=self.vae, latent_factor=4, family=family, native_pixels=64)
        self.space = LatentSpace(base, device=torch.device("cpu"), dtype=torch.float64)
        settled = make_flow_scheduler(self.config, source="x").config
        self.samplers = SamplerPrototypes(settled, has_linear_sigmas=self.is_flux)

    def expect(self, name: str, *, steps: int, seed: int, **picture: Any) -> torch.Tensor:
        """Return the latents of diffusers' own pipeline for a flow of this family."""
        way = "Inpaint" if "mask_image" in picture else "Img2Img" if picture else ""
        kind = getattr(diffusers, f"{'Flux' if self.is_flux else 'StableDiffusion3'}{way}Pipeline")
        generator = torch.Generator().manual_seed(seed)
        scheduler = self._lend(their_scheduler(self.config, name), generator=generator)
        pipe = kind(**{**self.parts, "scheduler": scheduler})
        pipe.set_progress_bar_config(disable=True)
        told: dict[str, Any] = {
            "prompt_embeds": self.words,
            "pooled_prompt_embeds": self.pooled,
            "guidance_scale": 4.0,
        }
        if not self.is_flux:
            told |= {"negative_prompt_embeds": -self.words}
            told |= {"negative_pooled_prompt_embeds": -self.pooled}
        with torch.no_grad():
            found: torch.Tensor = pipe(
                **told,
                **picture,
                num_inference_steps=steps,
                width=64,
                height=64,
                generator=generator,
                output_type="latent",
            ).images
        return self._unpacked(found)

    def _lend(self, scheduler: Any, *, generator: torch.Generator) -> Any:
        """Lend diffusers what its flow pipelines lack, where samplers draw noise.

        They hand no generator to a step, so that it draws from one of all the process; Flux's step
        packed latents, which would give each number to another pixel; and they call `scale_noise`,
        which two samplers have under its older name. Over a picture Flux's name sigmas to samplers
        that make them themselves, as where it draws from noise they do not.
        """
        if self.is_flux and scheduler.config.get("use_flow_sigmas"):
            set_timesteps = scheduler.set_timesteps

            def count(steps: int | None = None, *, sigmas: Any = (), **options: Any) -> None:
                set_timesteps(steps or len(sigmas), **options)

            scheduler.set_timesteps = count
        if not hasattr(scheduler, "scale_noise"):
            scheduler.scale_noise = lambda original, timestep, noise: scheduler.add_noise(
                original, noise, timestep
            )
        step_in_double_precision(scheduler)
        step = scheduler.step
        draws = "generator" in inspect.signature(step).parameters
        own = {"generator": generator} if draws else {}

        def lent(said: Any, timestep: Any, latents: Any, **options: Any) -> Any:
            (found,) = step(
                self._unpacked(said), timestep, self._unpacked(latents), **options, **own
            )
            return (self._packed(found),)

        scheduler.step = lent
        return scheduler

    def _packed(self, latents: torch.Tensor) -> torch.Tensor:
        kind: Any = diffusers.FluxPipeline
        packed: torch.Tensor = kind._pack_latents(latents, *latents.shape)
        return packed if self.is_flux else latents

    def _unpacked(self, latents: torch.Tensor) -> torch.Tensor:
        kind: Any = diffusers.FluxPipeline
        if not self.is_flux:
            return latents
        unpacked: torch.Tensor = kind._unpack_latents(latents, 64, 64, 4)
        return unpacked

    def begin(self, name: str, *, steps: int, seed: int, **picture: Any) -> Course:
        """Begin a row."""
        scale = 1.0 if self.is_flux else 4.0
        drawn = drawing(
            sampler=name, steps=steps, guidance_scale=scale, width=64, height=64, **picture
        )
        generator, tokens = torch.Generator().manual_seed(seed), 64
        scheduler = self.samplers.take(
            name, num_inference_steps=steps, seed=seed, image_tokens=tokens
        )
        first = draw_first_latents(
            drawn,
            scheduler=scheduler,
            generator=generator,
            space=self.space,
            rule=self.samplers.redraw_rule,
        )
        return begin_course(
            scheduler,
            drawing=drawn,
            first=first,
            shares=None,
            step_options=self.samplers.step_options(name, generator=generator),
            tables=self.samplers.tables,
            image_tokens=tokens,
        )

    @torch.no_grad()
    def walk(self, rows: list[Course]) -> None:
        """Walk rows to their ends, all in one batch while they are under way."""
        while pending := [row for row in rows if row.steps_done < row.steps_total]:
            courses = PassCourses(pending, ahead=AHEAD)
            shown, told = courses.model_input(), courses.timesteps()
            courses.advance_tables(
                self._flux(shown, told) if self.is_flux else self._sd3(shown, told)
            )

    def _sd3(self, shown: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        pairs = len(shown) // 2
        said: torch.Tensor = self.network(
            hidden_states=shown,
            timestep=told,
            encoder_hidden_states=torch.cat([-self.words, self.words]).repeat(pairs, 1, 1),
            pooled_projections=torch.cat([-self.pooled, self.pooled]).repeat(pairs, 1),
            return_dict=False,
        )[0]
        return said

    def _flux(self, shown: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        kind: Any = diffusers.FluxPipeline
        rows, _, height, width = shown.shape
        ids = kind._prepare_latent_image_ids(rows, height // 2, width // 2, "cpu", shown.dtype)
        said = self.network(
            hidden_states=self._packed(shown),
            timestep=told.double() / 1000,
            guidance=torch.full([rows], 4.0),
            encoder_hidden_states=self.words.repeat(rows, 1, 1),
            pooled_projections=self.pooled.repeat(rows, 1),
            txt_ids=torch.zeros(WORDS, 3),
            img_ids=ids,
            return_dict=False,
        )[0]
        return self._unpacked(said)


@pytest.fixture(scope="module", params=["sd3", "flux"])
def stage(request: pytest.FixtureRequest) -> Stage:
    return Stage(request.param)


MIDDLE = np.kron(np.eye(4, dtype=np.uint8), np.full((16, 16), 255, dtype=np.uint8))
FLOW_RUNS = (
    ("drawn", None, None),
    ("redrawn", None, 0.55),
    ("redrawn wholly", None, 1.0),
    ("filled", MIDDLE, 0.55),
    ("filled anew", MIDDLE, 1.0),
)


@pytest.mark.parametrize(
    ("mask", "strength"), [run[1:] for run in FLOW_RUNS], ids=[r[0] for r in FLOW_RUNS]
)
def test_flow_equals_its_own_pipeline(
    stage: Stage, mask: Pixels | None, strength: float | None
) -> None:
    """Draws, steps left, masks and shifts, number for number; all samplers in one batch."""
    names = stage.samplers.names
    ours_said: dict[str, Any] = {}
    theirs_said: dict[str, Any] = {}
    if strength is not None:
        ours_said = {"picture": picture_of(PIXELS, mask=mask), "strength": strength}
        theirs_said = {"image": Image.fromarray(PIXELS), "strength": strength}
    if mask is not None:
        theirs_said["mask_image"] = Image.fromarray(mask)
    runs: list[dict[str, Any]] = [
        {"name": name, "steps": 4 + at % 3, "seed": at} for at, name in enumerate(names)
    ]

    rows = [stage.begin(**run, **ours_said) for run in runs]
    stage.walk(rows)

    for run, row in zip(runs, rows, strict=True):
        theirs = stage.expect(**run, **theirs_said)
        torch.testing.assert_close(
            row.latents, theirs, rtol=TOLERANCE, atol=TOLERANCE, msg=str(run["name"])
        )


def test_flow_takes_the_step_of_which_a_share_is_left(stage: Stage) -> None:
    """As its pipelines count: of five steps at 0.5 three are taken, where a UNet's take two."""
    row = stage.begin("euler", steps=5, seed=1, picture=picture_of(PIXELS), strength=0.5)

    assert row.steps_total == 3
