# SPDX-License-Identifier: Apache-2.0
"""What a base with a transformer cannot do is refused at the door, with reason and way out."""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tabard import Client, TabardError
from tests.bases import (
    load_pipeline,
    make_tiny_base,
    write_diffusers_lora,
    write_inversion_pair,
)
from tests.e2e.conftest import run_server
from tests.server.engine.base.changed_folders import change_config
from tests.server.engine.transformers.fused_files import write_fused_lora
from tests.tiny_models import T5_WIDTH

FAMILIES = ("sd3", "flux")
LONG = "red circle " * 300
"""More tokens than a T5 of Flux reads, or two CLIPs of SD3.5 in one window."""
REQUESTS: Mapping[str, tuple[str, str, str, dict[str, Any]]] = {
    "prompt beyond the CLIPs": ("sd3", "PROMPT_TOO_LONG", "prompt", {"prompt": LONG}),
    "size between patches": ("sd3", "SIZE_INVALID", "width", {"width": 36, "height": 32}),
    "no such layer": (
        "sd3",
        "SKIP_LAYERS_OUT_OF_RANGE",
        "skip_guidance_layers",
        {"skip_guidance_layers": [99]},
    ),
    "layers left out unguided": (
        "sd3",
        "SKIP_LAYERS_NOT_SERVED",
        "skip_guidance_layers",
        {"skip_guidance_layers": [1], "guidance_scale": 1.0},
    ),
    "sampler of noise schedules": ("sd3", "SAMPLER_NOT_SERVED", "sampler", {"sampler": "ddim"}),
    "eta": ("sd3", "", "eta", {"eta": 0.5}),
    "timesteps": ("sd3", "", "timesteps", {"timesteps": [999, 500]}),
    "spacing": ("sd3", "", "timestep_spacing", {"timestep_spacing": "trailing"}),
    "sizes of SDXL": ("sd3", "SIZES_NOT_SERVED", "original_size", {"original_size": (64, 64)}),
    "prompt beyond the T5": ("flux", "PROMPT_TOO_LONG", "prompt", {"prompt": LONG}),
    "windows beyond the T5": (
        "flux",
        "PROMPT_TOO_LONG",
        "prompt",
        {"prompt": LONG, "prompt_windows_max": 2},
    ),
    "negative prompt": (
        "flux",
        "GUIDANCE_NOT_SERVED",
        "negative_prompt",
        {"negative_prompt": "blue"},
    ),
    "layers of another family": (
        "flux",
        "SKIP_LAYERS_NOT_SERVED",
        "skip_guidance_layers",
        {"skip_guidance_layers": [1]},
    ),
    "layers of a CLIP that is not read": (
        "flux",
        "CLIP_SKIP_OUT_OF_RANGE",
        "clip_skip",
        {"clip_skip": 1},
    ),
    "half a patch": ("flux", "SIZE_INVALID", "height", {"width": 32, "height": 44}),
    "heun where the size shifts": ("flux", "SAMPLER_NOT_SERVED", "sampler", {"sampler": "heun"}),
}
"""By name: where, reason (empty: whatever names the field), field, and what is asked for."""


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A base of each family."""
    folder = tmp_path_factory.mktemp("flow-bases")
    return {family: make_tiny_base(folder / family, family=family) for family in FAMILIES}


@pytest.fixture(scope="module")
def clients(
    bases: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Client]]:
    """A server of SD3.5 without its T5 and one of Flux, on one registry."""
    folder = tmp_path_factory.mktemp("flow-servers")
    light = Path(shutil.copytree(bases["sd3"], folder / "light"))
    for name in ("text_encoder_3", "tokenizer_3"):
        shutil.rmtree(light / name)
        change_config(light / "model_index.json", **{name: [None, None]})
    with (
        run_server(folder, base=light, is_forked=True) as sd3,
        run_server(folder, base=bases["flux"], is_forked=True) as flux,
        Client(sd3.address) as first,
        Client(flux.address) as second,
    ):
        yield {"sd3": first, "flux": second}


def refusal_of(call: Callable[[], object]) -> TabardError:
    """Return how a call is refused, with advice."""
    with pytest.raises(TabardError) as caught:
        call()
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("name", REQUESTS)
def test_wrong_request_names_its_field(clients: Mapping[str, Client], name: str) -> None:
    """And is refused before anything is drawn."""
    family, reason, field, asked = REQUESTS[name]

    error = refusal_of(
        lambda: clients[family].generate(**{"prompt": "a cat", "num_inference_steps": 2} | asked)
    )

    assert field in [one.field for one in error.violations]
    assert not reason or error.reason == reason


def test_adapters_of_the_other_family_are_named(
    clients: Mapping[str, Client], bases: Mapping[str, Path], tmp_path: Path
) -> None:
    """Kohya's file and diffusers', each at the other's server, and a release that is worn there."""
    files: dict[str, list[Path]] = {}
    for family, base in bases.items():
        file = tmp_path / f"{family}.safetensors"
        plain = write_diffusers_lora(base, tmp_path / f"{family}-plain.safetensors", seed=1)
        pipe = load_pipeline(base)
        files[family] = [write_fused_lora(pipe, file, family=family, seed=1).file, plain]

    for family, other in (("sd3", "flux"), ("flux", "sd3")):
        for file in files[other]:
            error = refusal_of(
                lambda at=family, one=file: clients[at].publish(  # type: ignore[misc]
                    "flow/foreign", one, version="1.0.0"
                )
            )
            assert error.reason in ("WRONG_FAMILY", "SHAPE_MISMATCH", "UNKNOWN_KEYS")
            assert file.name.endswith("-plain.safetensors") or error.reason == "WRONG_FAMILY"
    clients["flux"].publish("flow/there", files["flux"][0], version="1.0.0")
    for _attempt in range(600):
        worn = refusal_of(lambda: clients["sd3"].generate("a cat", adapters="flow/there@1.0.0"))
        if worn.reason != "ADAPTER_NOT_FOUND":
            break
        time.sleep(0.1)
    assert worn.reason == "BASE_FAMILY_MISMATCH"


def test_what_only_a_t5_reads_needs_one(clients: Mapping[str, Client], tmp_path: Path) -> None:
    """An adapter of the T5 alone, and one that teaches it a word."""
    stem = "lora_te3_encoder_block_1_layer_0_SelfAttention_v"
    tensors = {
        f"{stem}.lora_down.weight": torch.randn(2, T5_WIDTH),
        f"{stem}.lora_up.weight": torch.randn(32, 2),
        f"{stem}.alpha": torch.tensor(2.0),
    }
    save_file(tensors, str(tmp_path / "t5.safetensors"))

    error = refusal_of(
        lambda: clients["sd3"].publish("flow/t5", tmp_path / "t5.safetensors", version="1.0.0")
    )
    assert error.reason == "TEXT_ENCODER_ABSENT"
    assert clients["flux"].publish("flow/t5", tmp_path / "t5.safetensors", version="1.0.0")


def test_word_of_another_width_is_refused(clients: Mapping[str, Client], tmp_path: Path) -> None:
    """A word for two CLIPs is none for one, and one as wide as a T5 is for no CLIP."""
    pair = write_inversion_pair(tmp_path / "pair.safetensors", widths=(32, 48), vectors=1, seed=1)
    save_file({"<it>": torch.randn(1, T5_WIDTH)}, str(tmp_path / "wide.safetensors"))

    for family, file in (("flux", pair), *((f, tmp_path / "wide.safetensors") for f in FAMILIES)):
        refusal_of(
            lambda at=family, one=file: clients[at].publish(  # type: ignore[misc]
                "flow/word", one, version="1.0.0", trigger_words=["<it>"]
            )
        )
    assert clients["sd3"].publish("flow/word", pair, version="1.0.0", trigger_words=["<it>"])
