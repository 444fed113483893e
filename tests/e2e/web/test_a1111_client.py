# SPDX-License-Identifier: Apache-2.0
"""A client of A1111's that people use (`webuiapi`), in front of a real server."""

import io
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import webuiapi
from PIL import Image

from tabard import Client
from tests.web.running import PATIENCE_SECONDS, until


@pytest.fixture
def tool(gateway: str) -> Iterator[webuiapi.WebUIApi]:
    """The client as people set it up; on its way it asks for extensions that are not here."""
    api = webuiapi.WebUIApi(baseurl=f"{gateway}/sdapi/v1", sampler="Euler a", steps=6)
    yield api
    api.session.close()


def test_image_is_the_one_that_the_sdk_gets(
    tool: webuiapi.WebUIApi, gateway: str, styled_client: Client
) -> None:
    """Everything that the client always sends passes, and changes nothing."""
    answer = tool.txt2img(
        prompt="a (cat:1.2) <lora:acme/ink@beta:0.8>",
        negative_prompt="dog",
        seed=7,
        cfg_scale=5,
        width=64,
        height=32,
        n_iter=2,
    )
    wanted = styled_client.generate(
        "a (cat:1.2)",
        adapters="acme/ink@beta:0.8",
        negative_prompt="dog",
        seed=7,
        guidance_scale=5,
        width=64,
        height=32,
        num_images=2,
        num_inference_steps=6,
        sampler="euler_a",
        prompt_syntax="a1111",
    )

    drawn = [one.convert("RGB").tobytes() for one in answer.images]
    assert drawn == [one.pil.convert("RGB").tobytes() for one in wanted.images]
    assert answer.info["all_seeds"] == [7, 8]
    assert answer.info["sampler_name"] == "Euler a"
    assert "<lora:acme/ink:0.8>" in answer.info["infotexts"][0]
    assert answer.parameters["prompt"] == "a (cat:1.2) <lora:acme/ink@beta:0.8>"


def test_plain_name_is_the_one_style_that_has_it(tool: webuiapi.WebUIApi) -> None:
    """As A1111's own prompts have it."""
    plain = tool.txt2img(prompt="a cat <lora:ink:0.8>", seed=7, width=64, height=64)
    whole = tool.txt2img(prompt="a cat <lora:acme/ink:0.8>", seed=7, width=64, height=64)

    assert plain.image.tobytes() == whole.image.tobytes()
    assert plain.info["worn"][0]["adapter"] == "acme/ink"


@pytest.mark.parametrize(
    ("prompt", "words"),
    [("<lora:pen:1>", "<lora:acme/pen:1>, <lora:other/pen:1>"), ("<lora:none:1>", "no style")],
)
def test_plain_name_of_none_or_several_is_refused(
    tool: webuiapi.WebUIApi, prompt: str, words: str
) -> None:
    """Nothing is guessed."""
    with pytest.raises(RuntimeError, match=words):
        tool.txt2img(prompt=prompt)


def test_img2img_keeps_what_the_mask_covers(tool: webuiapi.WebUIApi, styled_client: Client) -> None:
    """As the SDK does it; what A1111 would do to a mask by default is refused by name."""
    picture = Image.linear_gradient("L").resize((64, 64)).convert("RGB")
    mask = Image.new("L", (64, 64), 0)
    mask.paste(255, (0, 0, 64, 32))
    said = {"images": [picture], "mask_image": mask, "prompt": "a cat", "seed": 7}
    said |= {"denoising_strength": 0.7, "cfg_scale": 5, "width": 64, "height": 64}

    with pytest.raises(RuntimeError, match="mask_blur"):
        tool.img2img(**said)
    answer = tool.img2img(**said, mask_blur=0, inpainting_fill=1, inpaint_full_res=False)
    wanted = styled_client.generate(
        "a cat",
        image=picture,
        mask_image=mask,
        strength=0.7,
        guidance_scale=5,
        seed=7,
        width=64,
        height=64,
        num_inference_steps=6,
        sampler="euler_a",
        prompt_syntax="a1111",
    )

    assert answer.image.convert("RGB").tobytes() == wanted.images[0].pil.convert("RGB").tobytes()


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"tiling": True}, "tiling"),
        ({"enable_hr": True}, "enable_hr"),
        ({"restore_faces": True}, "restore_faces"),
        ({"subseed_strength": 0.5}, "subseed_strength"),
        ({"styles": ["mine"]}, "styles"),
        ({"eta": 0.5}, "eta"),
        ({"scheduler": "Turbo"}, "schedule"),
        ({"sampler_name": "LCM", "scheduler": "Karras"}, "schedule"),
        ({"script_name": "X/Y/Z plot"}, "script_name"),
        ({"alwayson_scripts": {"ControlNet": {"args": [{"model": "a"}]}}}, "alwayson_scripts"),
        ({"override_settings": {"sd_model_checkpoint": "other"}}, "sd_model_checkpoint"),
        ({"override_settings": {"sd_vae": "other.pt"}}, "sd_vae"),
        ({"steps": 100_000}, "steps"),
        ({"width": 65}, "width"),
    ],
)
def test_what_changes_the_image_is_refused_by_name(
    tool: webuiapi.WebUIApi, said: dict[str, object], name: str
) -> None:
    """It is never passed over."""
    with pytest.raises(RuntimeError, match=name) as refused:
        tool.txt2img(prompt="a cat", **{"width": 64, "height": 64} | said)

    assert refused.value.args[0] == 400
    assert {"error", "detail", "body", "errors"} == {*json.loads(refused.value.args[1])}


def test_overrides_for_one_request_are_taken(
    tool: webuiapi.WebUIApi, styled_client: Client
) -> None:
    """The base that is there, layers of the text encoder, and how the image is written."""
    title = tool.get_sd_models()[0]["title"]

    answer = tool.txt2img(
        prompt="a cat",
        seed=7,
        width=64,
        height=64,
        override_settings={
            "sd_model_checkpoint": title,
            "CLIP_stop_at_last_layers": 2,
            "samples_format": "webp",
        },
    )

    assert answer.info["clip_skip"] == 2
    assert answer.image.format == "WEBP"
    assert tool.png_info(answer.image).info == ""  # webuiapi sends pixels anew, without words


def test_options_that_hold_are_taken(tool: webuiapi.WebUIApi) -> None:
    """Whoever writes back what was read changes nothing."""
    options = tool.get_options()

    assert tool.set_options(options) is None
    refused = tool.set_options({"sd_model_checkpoint": "other"})
    assert (refused["error"], "sd_model_checkpoint" in refused["detail"]) == ("OPTION_FIXED", True)


def test_lists_name_what_can_be_asked_for(tool: webuiapi.WebUIApi) -> None:
    """Samplers, schedules, the base, styles and embeddings."""
    samplers = [one["name"] for one in tool.get_samplers()]
    loras = {one["name"]: one for one in tool.get_loras()}

    assert {"Euler a", "DPM++ 2M", "DPM++ 2M Karras", "DDIM"} <= {*samplers}
    assert {"automatic", "normal", "karras", "exponential", "sgm_uniform"} <= {
        one["name"] for one in tool.get_schedulers()
    }
    assert {"acme/ink", "acme/ink@beta", "acme/pen", "other/pen"} <= {*loras}
    assert (loras["acme/ink"]["alias"], loras["acme/pen"]["alias"]) == ("ink", "acme/pen")
    assert "acme/plum" not in loras
    assert tool.get_embeddings()["loaded"]["embedding:acme/plum"]["vectors"] == 2


def test_listed_samplers_can_be_asked_for(tool: webuiapi.WebUIApi) -> None:
    """By the names that they are listed under, with the schedule that is in the name."""
    for name in (one["name"] for one in tool.get_samplers()):
        schedule = "karras" if name.endswith("Karras") else "automatic"
        said = {"sampler_name": name, "scheduler": schedule, "eta": None, "steps": 4}
        answer = tool.txt2img(prompt="a", width=64, height=64, **said)

        assert answer.info["sampler_name"] == name


def test_png_says_how_it_was_made(gateway: str, tool: webuiapi.WebUIApi) -> None:
    """The bytes as they were answered, and every fact of them."""
    with httpx.Client(base_url=f"{gateway}/sdapi/v1", timeout=PATIENCE_SECONDS) as web:
        asked = {"prompt": "a cat <lora:ink:0.5>", "negative_prompt": "dog", "seed": 7, "steps": 2}
        image = web.post("/txt2img", json=asked).json()["images"][0]
        told = web.post("/png-info", json={"image": f"data:image/png;base64,{image}"}).json()

    facts = told["parameters"]
    assert (facts["Prompt"], facts["Negative prompt"]) == ("a cat <lora:acme/ink:0.5>", "dog")
    assert (facts["Seed"], facts["Steps"], facts["Sampler"]) == ("7", "2", "DDIM")
    assert json.loads(told["items"]["tabard"])["stack"][0]["adapter"] == "acme/ink"


def _where(progress: dict[str, Any], is_so: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Give a progress where something is so, else nothing."""
    return progress if is_so(progress) else {}


def test_interrupt_ends_what_is_drawn(gateway: str, tool: webuiapi.WebUIApi) -> None:
    """Progress is seen meanwhile; images that were done are answered."""
    answers: list[httpx.Response] = []
    asked = {"prompt": "a cat", "steps": 150, "batch_size": 16, "width": 64, "height": 64}

    def draw() -> None:
        url = f"{gateway}/sdapi/v1/txt2img"
        answers.append(httpx.post(url, json=asked, timeout=PATIENCE_SECONDS, trust_env=False))

    drawing = threading.Thread(target=draw)
    drawing.start()
    seen = until(lambda: _where(tool.get_progress(), lambda it: it["state"]["sampling_step"]))
    tool.interrupt()
    drawing.join(PATIENCE_SECONDS)
    idle = tool.get_progress()

    assert seen["state"]["job"] == "txt2img"
    assert 0 < seen["progress"] < 1
    assert answers[0].status_code == 200
    assert len(answers[0].json()["images"]) < 16
    assert (idle["progress"], idle["state"]["job_count"]) == (0.0, 0)


def test_progress_shows_a_look(gateway: str, tool: webuiapi.WebUIApi) -> None:
    """Unless it is not wanted."""
    asked = {"prompt": "a cat", "steps": 150, "batch_size": 8, "width": 64, "height": 64}
    url = f"{gateway}/sdapi/v1/txt2img"
    drawing = threading.Thread(
        target=httpx.post, args=(url,), kwargs={"json": asked, "timeout": PATIENCE_SECONDS}
    )
    drawing.start()
    seen = until(lambda: _where(tool.get_progress(), lambda it: it["current_image"]))
    lean = httpx.get(f"{gateway}/sdapi/v1/progress?skip_current_image=true").json()
    tool.interrupt()
    drawing.join(PATIENCE_SECONDS)

    with Image.open(io.BytesIO(webuiapi.webuiapi.base64.b64decode(seen["current_image"]))) as look:
        assert look.format == "PNG"
    assert lean["current_image"] is None
    assert lean["state"]["job"] == "txt2img"
