# SPDX-License-Identifier: Apache-2.0
"""A base that walks along a flow is served like any other: one life of a style on a tiny SD3.5."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import openai
import pytest

from tabard import Client, FailedPrecondition, Gate, InvalidArgument
from tabard.pictures.words import read_words
from tabard_registry import Author, Registry
from tabard_registry.evidence.grid import Grid, GridPrompt
from tests.bases import make_tiny_base, write_diffusers_lora
from tests.e2e.conftest import RunningServer, run_server
from tests.e2e.web.conftest import run_gateway

INK, WASH, BOTH = "flow/ink", "flow/wash", "flow/both"
BAD = f"{INK}@1.1.0"
SIDE = 32
SAID: Mapping[str, Any] = {"num_inference_steps": 4, "width": SIDE, "height": SIDE, "seed": 7}
LAYERS = ("attn.to_q", "attn.to_out.0", "ff.net.0.proj", "norm1.linear", "proj_out")
TEXTS = [
    f"a {one} {what}"
    for one in ("red", "blue", "green")
    for what in ("star", "cat", "tree", "circle")
]
LAX = {"style_min": -100.0, "worst_prompt_min": -100.0, "identifiability_min": -100.0}
"""What a random base draws shows nothing of its prompts."""
GRIDS = tuple(
    Grid(
        name=name,
        purpose="style",
        prompts=tuple(GridPrompt(text=f"{text} {text}, {{trigger}}") for text in TEXTS),
        seeds=(1, 2),
        steps=4,
        width=SIDE,
        height=SIDE,
        guidance_scale=guidance_scale,
        sampler="euler",
    )
    for name, guidance_scale in (("style", 4.0), ("vivid", 20.0))
)
"""What canaries score by, and one where prompts show enough to tell them apart."""
REQUESTS_MAX = 60


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of such a base, with a style, another one, and a style that was overdone."""
    folder = tmp_path_factory.mktemp("flow")
    base = make_tiny_base(folder / "base", family="sd3")
    texts: tuple[tuple[str, str, float, Sequence[str]], ...] = (
        (INK, "1.0.0", 0.3, ("q_proj",)),
        (WASH, "1.0.0", 0.2, ()),
        (INK, "1.1.0", 1.5, ()),
    )
    with (
        run_server(folder, base=base, is_forked=True, cache=str(folder / "cache")) as running,
        Client(running.address) as client,
    ):
        for seed, (name, version, scale, targets) in enumerate(texts, start=1):
            file = write_diffusers_lora(
                base, folder / f"{seed}.safetensors", seed=seed, targets=LAYERS,
                text_targets=tuple(targets), scale=scale,
            )  # fmt: skip
            client.publish(
                name, file, version=version, purpose="style", trigger_words=[f"{name[5:]}ish"],
                sampling={"prediction": "flow_prediction", "enforce": "refuse"},
            )  # fmt: skip
        for name in (INK, WASH):
            client.promote(f"{name}@1.0.0")
        with closing(Registry.open(running.registry.as_uri())) as registry:
            for grid in GRIDS:
                registry.evidence.put_grid(grid, place="flow", author=Author(actor="ann"))
        yield running


def test_life_of_a_style(server: RunningServer) -> None:
    """Evaluated, promoted past a gate, in a recipe, replayed, asked for by OpenAI's client."""
    with Client(server.address) as client:
        client.set_policy("flow", channels={"prod": Gate(require_success=True, bounds=LAX)})
        with pytest.raises(FailedPrecondition, match="it has no report"):
            client.promote(f"{INK}@1.0.0", channel="prod")
        result = client.evaluate(
            f"{INK}@1.0.0",
            channel="prod",
            grid="vivid",
            references=_references(client),
        ).result()
        client.promote(f"{INK}@1.0.0", channel="prod")
        client.publish_recipe(BOTH, [f"{INK}@1.0.0:0.6", f"{WASH}@1.0.0:0.4"], version="1.0.0")
        client.promote(f"{BOTH}@1.0.0")
        asked = {**SAID, "adapters": BOTH, "deterministic": True}
        picture, alone = (
            client.generate("a red star", **asked | changes).images[0].content
            for changes in ({}, {"adapters": INK})
        )
        again = client.replay(picture)
        with (
            run_gateway(server.address) as url,
            openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as tool,
        ):
            answer = tool.images.generate(
                prompt="a red star", model=BOTH, size=f"{SIDE}x{SIDE}",  # type: ignore[call-overload]
                extra_body={"num_inference_steps": 4, "seed": 7, "deterministic": True},
            )  # fmt: skip

    assert (result.verdict, result.report["release"]["kind"]) == ("success", "lora")
    assert all(len({one.digest for one in cell.pictures}) == 2 for cell in result.cells)
    told = json.loads(read_words(picture)["tabard"])
    assert [one["adapter"] for one in told["stack"]] == [INK, WASH]
    assert told["sampler"] == "euler"
    assert (again.outcome, again.differences) == ("same_file", ())
    assert base64.b64decode(answer.data[0].b64_json) == picture != alone


def test_word_for_another_prediction_is_refused(server: RunningServer) -> None:
    """A release that says that it was made for noise, and wants to be worn nowhere else."""
    with Client(server.address) as client:
        wanted = {"prediction": "epsilon", "enforce": "refuse"}
        file = server.registry.parent / "2.safetensors"
        client.publish("flow/noise", file, version="1.0.0", sampling=wanted)
        with pytest.raises(InvalidArgument, match="the base predicts flow_prediction") as refused:
            client.generate("a red star", adapters="flow/noise@1.0.0", **SAID)
        said = client.status().base_prediction

    assert refused.value.reason == "SAMPLING_REFUSED"
    assert said == "flow_prediction"


def test_bad_release_is_taken_back(server: RunningServer) -> None:
    """A canary draws the prompts of callers by both, until it is shown that one is worse."""
    with Client(server.address) as client:
        client.promote(BAD)
        client.start_canary(BAD, reason="tried all the same")
        for number in range(REQUESTS_MAX):
            text = f"{TEXTS[number % len(TEXTS)]} number {number}, inkish"
            client.generate(text, adapters=INK, **SAID)
            canary = client.canary(BAD)
            if not canary.is_open:
                break
        served = client.resolve(INK).version

    assert (canary.verdict, served) == ("rolled_back", "1.0.0")
    assert canary.e_value >= canary.e_value_bound
    assert canary.losses == canary.units


def _references(client: Client) -> list[bytes]:
    """What the style looks like: pictures that were drawn with it."""
    return [
        client.generate(f"{text}, inkish", adapters=f"{INK}@1.0.0", **SAID).images[0].content
        for text in TEXTS[:6]
    ]
