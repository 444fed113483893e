# SPDX-License-Identifier: Apache-2.0
"""Whatever was asked for, its image says enough to be made again; and what changed is named."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tabard import Client
from tabard_server.engine_port.samplers import SAMPLERS
from tests.bases import make_tiny_base, write_diffusers_lora
from tests.e2e.conftest import run_server

PROMPT = "a red circle"
SAID = {"num_inference_steps": 5, "seed": 7, "guidance_scale": 4.0, "deterministic": True}


def _picture(mode: str = "RGB", *, seed: int = 1) -> bytes:
    depth = (3,) if mode == "RGB" else ()
    pixels = np.random.default_rng(seed).integers(0, 256, size=(48, 40, *depth), dtype=np.uint8)
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, format="PNG")
    return sink.getvalue()


PHOTO, HOLE = _picture(), _picture("L", seed=2)
CASES: Mapping[str, dict[str, Any]] = {
    "plain": {},
    "redrawn": {"image": PHOTO, "strength": 0.6},
    "redrawn at another size": {"image": PHOTO, "width": 64, "height": 32},
    "filled": {"image": PHOTO, "mask_image": HOLE, "strength": 0.7},
    "several adapters": {"adapters": ["re/one:0.7", "re/two:-0.1"]},
    "tiny weight": {"adapters": ["re/one:0.00001"]},
    "word": {"prompt": "a <plum> cat", "adapters": "re/plum"},
    "named word": {"prompt": "a embedding:re/plum cat"},
    "kept away from": {"negative_prompt": "a embedding:re/plum@1.0.0 cat"},
    "recipe": {"adapters": ["re/both:0.3", "re/three"]},
    "tags": {"prompt": " a cat <lora:re/one:0.3> <lora:re/two> "},
    "second image": {"num_images": 2, "adapters": "re/one"},
    "no guidance": {"guidance_scale": 1.0, "negative_prompt": "blur"},
    "weights in words": {"prompt": "a (red:1.4) BREAK circle", "prompt_syntax": "a1111"},
    "long": {"prompt": "red " * 50, "prompt_windows_max": 2, "clip_skip": 1},
    "jpeg": {"image_format": "jpeg", "adapters": "re/one"},
    "rough jpeg": {"image_format": "jpeg", "image_quality": 30, "num_images": 2},
    "webp": {"image_format": "webp", "image_quality": 80, "adapters": ["re/both:0.3"]},
    "anywhere": {"prompt": "a<plum>s cat", "token_match": "anywhere", "adapters": "re/plum"},
} | {f"sampler {name}": {"sampler": name} for name in sorted(SAMPLERS)}


@pytest.fixture(scope="module")
def styles(tiny_client: Client, tiny_files: Mapping[str, Path]) -> Client:
    """The tiny server with three styles, a word and a recipe, all promoted."""
    for name, file in (("one", "style0"), ("two", "style1"), ("three", "kohya"), ("plum", "plum")):
        tiny_client.publish(f"re/{name}", tiny_files[file], version="1.0.0")
        tiny_client.promote(f"re/{name}@1.0.0")
    tiny_client.publish_recipe("re/both", ["re/one:0.5", "re/two:0.9"], version="1.0.0")
    tiny_client.promote("re/both@1.0.0")
    return tiny_client


@pytest.mark.parametrize("name", CASES)
def test_image_is_made_again(styles: Client, name: str) -> None:
    """The last image of each kind of request comes again, to the byte."""
    said = {**SAID, "prompt": PROMPT, **CASES[name]}
    png = styles.generate(**said).images[-1].content
    files = {one: said[one] for one in ("image", "mask_image") if one in said}

    again = styles.replay(png, **files)

    assert (again.outcome, again.differences) == ("same_file", ())


def test_crowded_image_is_close(styles: Client, tmp_path: Path) -> None:
    """Without the promise of bytes, the image comes again as closely as a batch allows."""
    said = {**SAID, "deterministic": False}
    images = styles.generate(PROMPT, num_images=3, adapters="re/one", **said).images

    again = styles.replay(images[1].save(tmp_path / "image.png"))

    assert again.is_faithful
    assert again.pixels is not None and again.pixels.max <= 1


def test_channel_that_moved_changes_nothing(styles: Client, tiny_files: Mapping[str, Path]) -> None:
    """What was drawn through a channel is drawn with what the channel meant then."""
    styles.publish("re/moving", tiny_files["style2"], version="1.0.0")
    styles.promote("re/moving@1.0.0")
    png = styles.generate(PROMPT, adapters="re/moving", **SAID).images[0].content
    styles.publish("re/moving", tiny_files["style3"], version="2.0.0")
    styles.promote("re/moving@2.0.0")

    again = styles.replay(png)

    assert again.outcome == "same_file"


def test_log_that_moved_is_named(styles: Client, tiny_files: Mapping[str, Path]) -> None:
    """An image without the promise of bytes says where the log was: that alone differs."""
    said = {**SAID, "deterministic": False}
    png = styles.generate(PROMPT, adapters="re/one@1.0.0", **said).images[0].content
    styles.publish("re/later", tiny_files["style2"], version="1.0.0")

    again = styles.replay(png)

    assert again.outcome == "same_pixels"
    assert [one.name for one in again.differences] == ["registry.seq"]


@pytest.mark.parametrize("act", ["quarantine", "purge"])
def test_withdrawn_release_is_named(
    styles: Client, tiny_base: Path, tmp_path: Path, act: str
) -> None:
    """What may no longer be worn is not drawn, and its release is named."""
    name, file = f"re/{act}", tmp_path / "style.safetensors"
    write_diffusers_lora(tiny_base, file, seed=70 + len(act))
    styles.publish(name, file, version="9.0.0")
    png = styles.generate(PROMPT, adapters=f"{name}@9.0.0", **SAID).images[0].content
    getattr(styles, act)(f"{name}@9.0.0", reason="looks wrong")

    again = styles.replay(png)

    assert (again.outcome, again.is_faithful, again.image) == ("not_drawn", False, None)
    assert again.refusal is not None and again.refusal.reason.startswith("RELEASE_")
    assert [one.name for one in again.differences] == ["request"]
    assert name in again.differences[0].now


def test_other_base_is_named(tiny_client: Client, tmp_path: Path) -> None:
    """On another base it is another image, and the base's fingerprint is what differs."""
    png = tiny_client.generate(PROMPT, **SAID).images[0].content
    other = make_tiny_base(tmp_path / "other", seed=5)

    with (
        run_server(tmp_path / "server", base=other, is_forked=True) as server,
        Client(server.address) as client,
    ):
        again = client.replay(png)

    assert again.outcome == "different" and not again.is_faithful
    assert {"base.fingerprint", "registry.id"} <= {one.name for one in again.differences}
    assert again.pixels is not None and again.pixels.max > 1 and again.pixels.mean > 0
