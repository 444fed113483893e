# SPDX-License-Identifier: Apache-2.0
"""Served images against diffusers and peft run alone: same base, same files, same seed, float32.

Every request goes through gRPC to a real server on the demo base. Pictures of different stacks
differ by far more than the tolerance, which the tests assert, so they cannot pass by accident.
"""

import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest

from tabard import Client, GenerateResult
from tests.e2e.conftest import DEMO_ADAPTERS, RunningServer
from tests.oracle import SCHEDULERS, Oracle, Pixels, Worn, largest_difference

TOLERANCE = 1
VISIBLE = 24
STEPS = 8
SEED = 7

FILES: Mapping[str, tuple[str, str]] = {
    "watercolor": ("watercolor-1.0.0.safetensors", ""),
    "watercolor_bad": ("watercolor-1.1.0.safetensors", ""),
    "neon": ("neon-1.0.0.safetensors", ""),
    "plum": ("plum.safetensors", "<plum>"),
    "mascot": ("mascot-1.0.0.safetensors", ""),
    "fast": ("fast-1.0.0.safetensors", ""),
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One stack and a prompt that shows it."""

    prompt: str
    stack: tuple[tuple[str, float], ...] = ()
    negative_prompt: str = ""
    guidance_scale: float = 5.0


CASES: Mapping[str, Case] = {
    "base": Case(prompt="a red circle"),
    "lora_diffusers": Case(prompt="a red circle", stack=(("watercolor", 1.0),)),
    "lora_bad_successor": Case(prompt="a red circle", stack=(("watercolor_bad", 1.0),)),
    "lora_kohya_with_text_encoder": Case(prompt="a red circle", stack=(("neon", 1.0),)),
    "lora_at_partial_weight": Case(prompt="a red circle", stack=(("neon", 0.6),)),
    "lora_combination": Case(prompt="a red circle", stack=(("watercolor", 0.6), ("neon", 0.5))),
    "textual_inversion": Case(prompt="a <plum> circle", stack=(("plum", 1.0),)),
    "negative_inversion": Case(
        prompt="a red circle", stack=(("plum", 1.0),), negative_prompt="a <plum> circle"
    ),
    "inversion_in_both": Case(
        prompt="a <plum> star", stack=(("plum", 1.0),), negative_prompt="a <plum> circle"
    ),
    "textual_inversion_and_lora": Case(
        prompt="a <plum> star", stack=(("plum", 1.0), ("watercolor", 0.8))
    ),
    "dreambooth": Case(prompt="a sks mascot", stack=(("mascot", 1.0),)),
    "negative_prompt": Case(
        prompt="a blue star", stack=(("neon", 0.8),), negative_prompt="a white background"
    ),
    "lora_of_convolutions": Case(prompt="a red circle", stack=(("fast", 1.0),), guidance_scale=1.0),
    "no_guidance": Case(prompt="a blue star", stack=(("watercolor", 1.0),), guidance_scale=1.0),
}


@pytest.fixture(scope="session")
def published(demo_client: Client) -> Client:
    for name, (file, token) in FILES.items():
        demo_client.publish(
            f"oracle/{name.replace('_', '-')}",
            DEMO_ADAPTERS / file,
            version="1.0.0",
            trigger_words=[token] if token else [],
        )
    return demo_client


@pytest.fixture(scope="session")
def serve_alone(published: Client) -> Callable[[Case], Pixels]:
    """Draw a case with nobody beside it; what was drawn so is not drawn again."""
    return cache(partial(_serve, published))


def _serve(client: Client, case: Case, *, sampler: str = "ddim", seed: int = SEED) -> Pixels:
    refs = [f"oracle/{name.replace('_', '-')}@1.0.0:{weight}" for name, weight in case.stack]
    result: GenerateResult = client.generate(
        case.prompt,
        adapters=refs,
        negative_prompt=case.negative_prompt,
        guidance_scale=case.guidance_scale,
        num_inference_steps=STEPS,
        sampler=sampler,
        seed=seed,
    )
    return np.asarray(result.images[0].pil.convert("RGB"))


def _expect(oracle: Oracle, case: Case, *, sampler: str = "ddim", seed: int = SEED) -> Pixels:
    worn = [
        Worn(file=DEMO_ADAPTERS / FILES[name][0], weight=weight, token=FILES[name][1] or None)
        for name, weight in case.stack
    ]
    return oracle.draw(
        case.prompt,
        worn=worn,
        seed=seed,
        steps=STEPS,
        sampler=sampler,
        negative_prompt=case.negative_prompt,
        guidance_scale=case.guidance_scale,
    )


@pytest.mark.parametrize("selector", ["@1.0.0", "@^1", "@sha256:"])
def test_negative_embedding_by_ref_is_the_word(
    published: Client, serve_alone: Callable[[Case], Pixels], selector: str
) -> None:
    """Named by any ref in the negative prompt it is worn, and pinned like every other."""
    case = CASES["negative_inversion"]
    (digest,) = (one.digest for one in published.get("oracle/plum").releases)
    ref = "oracle/plum" + (f"@{digest}" if selector.endswith(":") else selector)

    drawn = published.generate(
        case.prompt,
        negative_prompt=f"a embedding:{ref} circle",
        guidance_scale=case.guidance_scale,
        num_inference_steps=STEPS,
        sampler="ddim",
        seed=SEED,
    )

    assert np.array_equal(np.asarray(drawn.images[0].pil.convert("RGB")), serve_alone(case))
    assert [one.digest for one in drawn.worn] == [digest]


def test_few_steps_equal_diffusers(published: Client, demo_oracle: Oracle) -> None:
    """A distilled adapter whose header says LCM is walked so by a request that says nothing."""
    prompt, said = "a blue star on a black background", {"steps": 4, "sampler": "lcm"}

    (drawn,) = published.generate(prompt, adapters="oracle/fast@1.0.0", seed=SEED).images

    told = drawn.provenance
    assert {name: told[name] for name in said} == said and told["guidance_scale"] == 1.0
    worn = [Worn(file=DEMO_ADAPTERS / FILES["fast"][0])]
    expected = demo_oracle.draw(prompt, worn=worn, seed=SEED, guidance_scale=1.0, **said)
    served = np.asarray(drawn.pil.convert("RGB"))
    assert largest_difference(served, expected) <= TOLERANCE


OF_EVERY_KIND = frozenset({"ddim", "pndm", "euler_a", "heun", "dpmpp_2m_sde_karras", "unipc"})
"""One sampler of each kind is asked for in every run, the others among the long comparisons."""


@pytest.mark.parametrize("name", sorted(CASES))
def test_served_image_equals_diffusers(
    serve_alone: Callable[[Case], Pixels], demo_oracle: Oracle, name: str
) -> None:
    """Every kind, alone and combined, is what diffusers draws with the same files."""
    case = CASES[name]

    served = serve_alone(case)

    assert largest_difference(served, _expect(demo_oracle, case)) <= TOLERANCE
    if case.stack:
        bare = Case(
            prompt=case.prompt,
            negative_prompt=case.negative_prompt,
            guidance_scale=case.guidance_scale,
        )
        assert largest_difference(served, serve_alone(bare)) > VISIBLE


@pytest.mark.parametrize(
    "sampler",
    [
        pytest.param(name, marks=[] if name in OF_EVERY_KIND else pytest.mark.oracle)
        for name in sorted(SCHEDULERS)
    ],
)
def test_served_sampler_equals_diffusers(
    published: Client, demo_oracle: Oracle, sampler: str
) -> None:
    """Every sampler, wearing a combination, walks the path that diffusers walks."""
    case = CASES["lora_combination"]

    served = _serve(published, case, sampler=sampler)

    assert largest_difference(served, _expect(demo_oracle, case, sampler=sampler)) <= TOLERANCE


def test_mixed_batch_equals_served_alone(
    published: Client, serve_alone: Callable[[Case], Pixels], demo_server: RunningServer
) -> None:
    """Requests of different adapters, weights and prompts that share passes change nothing."""
    cases = list(CASES.values())
    alone = [serve_alone(case) for case in cases]
    rows_before, steps_before = _rows_and_steps(demo_server)

    with ThreadPoolExecutor(len(cases)) as callers:
        together = list(callers.map(lambda case: _serve(published, case), cases))

    differences = [
        largest_difference(left, right) for left, right in zip(alone, together, strict=True)
    ]
    rows, steps = _rows_and_steps(demo_server)
    assert max(differences) <= TOLERANCE
    assert (rows - rows_before) / (steps - steps_before) > 2


def test_minority_alphas_equal_merged_weights(
    tiny_client: Client, tiny_oracle: Oracle, tiny_files: Mapping[str, Path]
) -> None:
    """A kohya file whose alphas differ between modules is worn by each module's own alpha."""
    file = tiny_files["kohya"]
    tiny_client.publish("oracle/minority", file, version="1.0.0")
    options = {"seed": SEED, "steps": 6, "guidance_scale": 5.0, "sampler": "ddim"}

    served = tiny_client.generate(
        "a red circle",
        adapters=["oracle/minority@1.0.0"],
        seed=SEED,
        num_inference_steps=6,
        guidance_scale=5.0,
        sampler="ddim",
    )

    pixels = np.asarray(served.images[0].pil.convert("RGB"))
    merged = tiny_oracle.draw_merged("a red circle", worn=[Worn(file=file)], **options)
    loaded = tiny_oracle.draw("a red circle", worn=[Worn(file=file)], **options)
    assert largest_difference(pixels, merged) <= TOLERANCE
    assert largest_difference(loaded, merged) > TOLERANCE


def _rows_and_steps(server: RunningServer) -> tuple[float, float]:
    """Rows stepped and forward passes taken so far, from the metrics page."""
    page = urllib.request.urlopen(f"http://{server.metrics_address}/metrics").read().decode()
    values = dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
    return float(values["tabard_batch_rows_sum"]), float(values["tabard_batch_rows_count"])
