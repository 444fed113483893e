# SPDX-License-Identifier: Apache-2.0
"""Configurations of a folder: read, or refused in our own words; models without weights."""

import json
from pathlib import Path
from typing import Any

import diffusers
import pytest
from diffusers import UNet2DConditionModel
from torch.utils._python_dispatch import TorchDispatchMode

from tabard_server.engine.base.configs import (
    empty_models,
    kind_of_folder,
    read_index,
    read_json,
    refuse_other_kinds,
)
from tabard_server.engine.base.families import KINDS
from tabard_server.engine_port.errors import BaseNotLoadable
from tests.golden.full_size.models import FAMILIES, recipe
from tests.server.engine.base.changed_folders import change_config, copy_folder

KIND = KINDS["StableDiffusionPipeline"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "not a JSON object"),
        ("NaN", "not a JSON object"),
        ("\udcff", "is not JSON"),
        (None, "cannot be read"),
    ],
)
def test_broken_json_is_refused(tmp_path: Path, text: str | None, says: str) -> None:
    """By the name of the file, and with what to do."""
    file = tmp_path / "config.json"
    if text is not None:
        file.write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(BaseNotLoadable, match=says) as caught:
        read_json(file)

    assert str(file) in str(caught.value) and caught.value.hint


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "no model_index.json$"),
        ({"adapter_config.json": {}}, "an adapter's folder"),
        (
            {"config.json": {"_class_name": "AutoencoderKL"}},
            "one component alone, an AutoencoderKL",
        ),
        ({"config.json": {"architectures": ["CLIPTextModel"]}}, "alone, a CLIPTextModel"),
    ],
)
def test_folder_without_index_is_named(
    tmp_path: Path, files: dict[str, dict[str, Any]], says: str
) -> None:
    """What a diffusers folder holds is said, and what this one is instead."""
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))

    with pytest.raises(BaseNotLoadable, match=says) as caught:
        read_index(tmp_path)

    assert "model_index.json beside" in caught.value.hint


@pytest.mark.parametrize(
    ("index", "says"),
    [
        ({"_class_name": "PixArtSigmaPipeline"}, "PixArtSigmaPipeline"),
        ({"_class_name": None}, "None"),
        ({"text_encoder": [None, None]}, "nothing for its text_encoder"),
        ({"unet": "UNet2DConditionModel"}, "nothing for its unet"),
        ({"vae": ["diffusers", "AutoencoderTiny"]}, "has AutoencoderTiny for its vae"),
    ],
)
def test_other_pipeline_is_named(tiny_base: Path, index: dict[str, Any], says: str) -> None:
    """Half a pipeline, or another, is refused before any weight is read."""
    with pytest.raises(BaseNotLoadable, match=says) as caught:
        kind_of_folder({**read_index(tiny_base), **index}, source="x")

    assert caught.value.hint


def test_models_have_no_weights(tiny_base: Path) -> None:
    """Their parameters take no memory, and their tables are there."""
    models = empty_models(tiny_base, kind=KIND)

    assert models.keys() == KIND.models.keys()
    assert all(weight.is_meta for model in models.values() for weight in model.parameters())
    assert not any(table.is_meta for model in models.values() for table in model.buffers())


class _Operations(TorchDispatchMode):  # type: ignore[misc]
    """Writes down what torch is asked to do."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.names.add(function.overloadpacket.__name__)
        return function(*args, **(kwargs or {}))


def test_nothing_is_drawn_for_weights_without_memory(tiny_base: Path) -> None:
    """Each weight is given later: random numbers before that are work for nothing."""
    with _Operations() as operations:
        empty_models(tiny_base, kind=KIND)

    assert operations.names
    assert operations.names & {"uniform_", "normal_"} == set()


@pytest.mark.parametrize(
    ("component", "change", "says"),
    [
        ("unet", {"block_out_channels": "x"}, "describes no UNet2DConditionModel"),
        ("unet", {"_class_name": "AutoencoderKL"}, "describes an AutoencoderKL"),
        ("unet", {"norm_eps": "x"}, "'x' for norm_eps"),
        ("vae", {"norm_num_groups": 0}, "describes no AutoencoderKL"),
        ("text_encoder", {"num_attention_heads": 7}, "describes no CLIPTextModel"),
        ("unet", {"quantization_config": {"quant_method": "gguf"}}, "quantised by gguf"),
        ("text_encoder", {"quantization_config": {}}, "quantised by an unknown way"),
    ],
)
def test_impossible_configuration_is_named(
    tiny_base: Path, tmp_path: Path, component: str, change: dict[str, Any], says: str
) -> None:
    """The file is named, and no library's text is passed on."""
    folder = copy_folder(tiny_base, tmp_path)
    change_config(folder / component / "config.json", **change)

    with pytest.raises(BaseNotLoadable, match=says) as caught:
        empty_models(folder, kind=KIND)

    assert f"{component}/config.json" in str(caught.value)


@pytest.mark.parametrize("family", FAMILIES)
def test_published_configurations_pass(family: str) -> None:
    """The configurations of the families' own bases have the right kinds of values."""
    said = {**recipe(family)["unet"], "upcast_attention": None, "mid_block_scale_factor": 1}

    refuse_other_kinds(said, of=UNet2DConditionModel, file=Path("config.json"))


@pytest.mark.parametrize(
    "name",
    ["DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler", "UniPCMultistepScheduler"],
)
def test_default_of_any_kind_passes(name: str) -> None:
    """An infinity and an empty list are defaults of schedulers that many bases come with."""
    kind = getattr(diffusers, name)

    refuse_other_kinds(json.loads(kind().to_json_string()), of=kind, file=Path("config.json"))
    refuse_other_kinds({}, of=kind, file=Path("config.json"))


@pytest.mark.parametrize(
    "change",
    [
        {"norm_eps": "1e-5"},
        {"norm_eps": None},
        {"norm_eps": float("nan")},
        {"flip_sin_to_cos": 1},
        {"attention_head_dim": [8, "8"]},
        {"act_fn": 3},
    ],
)
def test_value_of_another_kind_is_refused(change: dict[str, Any]) -> None:
    """A constructor would keep it, and the first picture fail."""
    with pytest.raises(BaseNotLoadable, match=next(iter(change))):
        refuse_other_kinds(change, of=UNet2DConditionModel, file=Path("config.json"))
