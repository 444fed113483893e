# SPDX-License-Identifier: Apache-2.0
"""Pictures in regions against diffusers' UNet, peft and a scheduler alone, in float64.

The reference is a loop written down by hand: one UNet pass for each part and each prompt, with the
scale of every layer of peft's set before it; the parts are mixed pixel by pixel.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

from tabard_server.admission.regions.areas import draw_boxes, share_out
from tabard_server.engine_port.regions import Box, Region
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.weights.strength import Controls, Strength
from tests.oracle import Worn, scheduler_options, step_in_double_precision
from tests.server.drawings import row_spec
from tests.server.engine.controls.control_cases import CASES, Case, layers_of, set_layer
from tests.server.engine.tiny_base import Studio, draw, draw_merged, open_studio

pytestmark = pytest.mark.oracle

TOLERANCE = 1e-9
VISIBLE = 0.005
SIZE = 64
STEPS = 5
PROMPT, NEGATIVE = "a red circle", "blue"
NAMES = ("lora", "conv", "dora", "text")


@dataclass(frozen=True, kw_only=True)
class Area:
    """A region as somebody says it, and what that means for one pixel, written down once more.

    Attributes:
        boxes: As they are said; none: it is a mask.
        holds: How much of the pixel with this centre is the region's, by its x and y.
        prompt: What is drawn there; None: what is drawn everywhere.
    """

    boxes: Sequence[tuple[float, float, float, float]] = ()
    holds: Callable[[float, float], float]
    prompt: str | None = None


LEFT = Area(boxes=[(0, 0, 0.5, 1)], holds=lambda x, _y: float(x < SIZE / 2))
RIGHT = Area(boxes=[(0.5, 0, 1, 1)], holds=lambda x, _y: float(x >= SIZE / 2))
TOP = Area(boxes=[(0, 0, 1, 0.55)], holds=lambda _x, y: float(y < 0.55 * SIZE))
CORNERS = Area(
    boxes=[(0, 0, 0.3, 0.3), (0.7, 0.7, 1, 1)],
    holds=lambda x, y: float(max(x, y) < 0.3 * SIZE or min(x, y) >= 0.7 * SIZE),
)
FADING = Area(holds=lambda x, _y: int(x * 255 / SIZE) / 255)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A picture: its regions, and what is worn where (`""`: everywhere), each as its case says."""

    areas: Mapping[str, Area]
    stack: Mapping[str, tuple[str, str]]
    sampler: str = "ddim"
    guidance_scale: float = 5.0


LAYOUTS: Mapping[str, Layout] = {
    "half": Layout(areas={"a": LEFT}, stack={"lora": ("plain", "a")}),
    "halves": Layout(
        areas={"a": replace(LEFT, prompt="a blue star"), "b": replace(RIGHT, prompt="two squares")},
        stack={"lora": ("plain", "a"), "dora": ("plain", "b")},
        sampler="euler",
    ),
    "overlap": Layout(
        areas={"a": TOP, "b": LEFT},
        stack={"dora": ("blocks", "a"), "conv": ("plain", "b"), "text": ("plain", "")},
        sampler="dpmpp_2m",
    ),
    "steps": Layout(
        areas={"a": FADING, "b": replace(CORNERS, prompt="a green square")},
        stack={"dora": ("all", "a"), "lora": ("late", "b"), "conv": ("curve", "")},
        sampler="euler_a",
    ),
    "unguided": Layout(
        areas={"a": FADING},
        stack={"text": ("parts", "a"), "dora": ("early", "a"), "lora": ("unet_only", "a")},
        guidance_scale=1.0,
    ),
    "words": Layout(areas={"a": replace(TOP, prompt="a blue star")}, stack={"lora": ("plain", "")}),
}


@pytest.fixture(scope="module", params=["sd1", "sdxl"])
def studio(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return open_studio(tmp_path_factory.mktemp(request.param), family=request.param)


def spec_of(studio: Studio, layout: Layout, *, seed: int) -> RowSpec:
    """The row of a layout, its regions by the way of the server."""
    masks = [
        draw_boxes([Box(*box) for box in area.boxes], size=(SIZE, SIZE))
        if area.boxes
        else np.rint(255 * pixels_of(area)).astype(np.uint8)
        for area in layout.areas.values()
    ]
    factor = studio.engine.facts.latent_factor
    shares, rest = share_out(masks, factor=factor)
    regions = [] if rest is None else [Region(name="", shares=rest, prompt=PROMPT)]
    regions += [
        Region(name=name, shares=share, prompt=area.prompt or PROMPT)
        for (name, area), share in zip(layout.areas.items(), shares, strict=True)
    ]
    stack = tuple(
        (studio.adapters[name], within(CASES[case], region))
        for name, (case, region) in layout.stack.items()
    )
    return row_spec(
        stack=stack,
        seed=seed,
        prompt=PROMPT,
        negative_prompt=NEGATIVE,
        steps=STEPS,
        sampler=layout.sampler,
        guidance_scale=layout.guidance_scale,
        regions=tuple(regions),
    )


def within(case: Case, region: str) -> Any:
    """A weight, kept to a region."""
    if not region:
        return case.weight
    found = case.weight
    if not isinstance(found, Strength):
        found = Strength(weight=found, controls=Controls())
    return replace(found, controls=replace(found.controls, region=region))


def pixels_of(area: Area) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What an area says of each pixel, by its centre."""
    centres = [one + 0.5 for one in range(SIZE)]
    return np.array([[area.holds(x, y) for x in centres] for y in centres])


def weights_of(layout: Layout, *, factor: int) -> dict[str, torch.Tensor]:
    """Whose each latent pixel is: overlaps are shared, what is left over is the rest's."""
    said = {name: pixels_of(area) for name, area in layout.areas.items()}
    count = SIZE // factor
    found = {name: np.zeros((count, count)) for name in ("", *said)}
    for y, x in itertools.product(range(SIZE), repeat=2):
        total = sum(float(one[y, x]) for one in said.values())
        for name, one in said.items():
            found[name][y // factor, x // factor] += float(one[y, x]) / max(1.0, total)
        found[""][y // factor, x // factor] += max(0.0, 1.0 - total)
    return {name: torch.from_numpy(one) / factor**2 for name, one in found.items()}


def told(pipe: Any, prompt: str) -> list[tuple[torch.Tensor, dict[str, torch.Tensor]]]:
    """What the UNet is told of the negative prompt and of the prompt, by the pipeline's own."""
    if hasattr(pipe, "text_encoder_2"):
        yes, no, pooled, no_pooled = pipe.encode_prompt(
            prompt, do_classifier_free_guidance=True, negative_prompt=NEGATIVE
        )
        ids = torch.tensor([[SIZE, SIZE, 0, 0, SIZE, SIZE]], dtype=yes.dtype)
        return [
            (no, {"text_embeds": no_pooled, "time_ids": ids}),
            (yes, {"text_embeds": pooled, "time_ids": ids}),
        ]
    yes, no = pipe.encode_prompt(prompt, pipe.device, 1, True, negative_prompt=NEGATIVE)
    return [(no, {}), (yes, {})]


@torch.no_grad()
def expect(studio: Studio, layout: Layout, *, seed: int) -> torch.Tensor:
    """The latents that a loop over diffusers' UNet comes to."""
    pipe = studio.oracle.pipe
    weights = weights_of(layout, factor=studio.engine.facts.latent_factor)
    texts = [getattr(pipe, n) for n in ("text_encoder", "text_encoder_2") if hasattr(pipe, n)]
    name, extra = scheduler_options(layout.sampler)
    scheduler = getattr(diffusers, name).from_config(studio.oracle._scheduler_config, **extra)
    step_in_double_precision(scheduler)
    scheduler.set_timesteps(STEPS)
    generator = torch.Generator("cpu").manual_seed(seed)
    side = SIZE // studio.engine.facts.latent_factor
    shape = (1, pipe.unet.config.in_channels, side, side)
    latents = torch.randn(shape, generator=generator, dtype=torch.float64)
    latents = latents * scheduler.init_noise_sigma
    noisy = {"generator": generator} if layout.sampler == "euler_a" else {}
    with studio.oracle._wearing([Worn(file=studio.files[name]) for name in layout.stack]):

        def wear(region: str, *, models: Sequence[Any], step: int | None) -> None:
            for module, layer in (one for model in models for one in layers_of(model)):
                scales = {
                    f"a{number}": CASES[case].text
                    if step is None
                    else CASES[case].at(module, step=step)
                    for number, (case, where) in enumerate(layout.stack.values())
                    if where in ("", region)
                }
                set_layer(layer, scales)

        prompts = {}
        for region in weights:
            wear(region, models=texts, step=None)
            area = layout.areas.get(region)
            prompts[region] = told(pipe, (area and area.prompt) or PROMPT)
        for step, timestep in enumerate(scheduler.timesteps):
            scaled = scheduler.scale_model_input(latents, timestep)
            mixed = torch.zeros_like(latents)
            for region, share in weights.items():
                wear(region, models=[pipe.unet], step=step)
                no, yes = (
                    pipe.unet(
                        scaled, timestep, encoder_hidden_states=text, added_cond_kwargs=added
                    ).sample
                    for text, added in prompts[region]
                )
                scale = layout.guidance_scale
                mixed += share * (no + scale * (yes - no) if scale > 1 else yes)
            latents = scheduler.step(mixed, timestep, latents, **noisy).prev_sample
    return latents


def test_regions_equal_diffusers(studio: Studio) -> None:
    """Pictures in regions share passes with each other and with plain ones, and each is its own."""
    specs = [spec_of(studio, one, seed=n) for n, one in enumerate(LAYOUTS.values())]
    plain = studio.spec({"dora": 0.7}, steps=STEPS, prompt=PROMPT, seed=99)

    *found, beside = draw(studio.engine, [*specs, plain])

    for seed, (name, layout) in enumerate(LAYOUTS.items()):
        expected = expect(studio, layout, seed=seed)
        bound = TOLERANCE * max(1.0, float(expected.abs().max()))
        assert float((found[seed] - expected).abs().max()) <= bound, name
    (alone,) = studio.expect({"dora": 0.7}, [plain])
    assert float((beside - alone).abs().max()) <= TOLERANCE * max(1.0, float(alone.abs().max()))


def test_merged_copy_draws_the_same(studio: Studio) -> None:
    """Regions of words alone wear one thing everywhere, which a merged copy can."""
    spec = spec_of(studio, LAYOUTS["words"], seed=3)

    (expected,) = draw(studio.engine, [spec])

    assert spec.is_steady
    torch.testing.assert_close(draw_merged(studio.engine, spec), expected, rtol=1e-8, atol=1e-8)


def test_every_layout_is_another_picture(studio: Studio) -> None:
    """The comparison means something: regions and the shares of each show."""
    common = {"sampler": "ddim", "guidance_scale": 5.0}
    layouts = {name: replace(layout, **common) for name, layout in LAYOUTS.items()}  # type: ignore[arg-type]
    everywhere = {name: (case, "") for name, (case, _) in LAYOUTS["half"].stack.items()}
    layouts["everywhere"] = replace(layouts["half"], stack=everywhere)
    layouts["nowhere"] = replace(layouts["half"], stack={})

    found = draw(studio.engine, [spec_of(studio, one, seed=1) for one in layouts.values()])

    for left, right in itertools.combinations(zip(layouts, found, strict=True), 2):
        assert (left[1] - right[1]).abs().max() > VISIBLE, (left[0], right[0])
