# SPDX-License-Identifier: Apache-2.0
"""The weight files of a folder: which are read, all of them, and nothing beside their weights."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tabard_server.engine.base.files.component_files import read_components, weight_files
from tabard_server.engine_port.errors import BaseNotLoadable

NAME = "diffusion_pytorch_model"


def _touch(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")
    return folder


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        ([f"{NAME}.safetensors"], [f"{NAME}.safetensors"]),
        (["model.safetensors", "model.fp16.safetensors"], ["model.safetensors"]),
        (["model.fp16.safetensors", "notes.txt"], ["model.fp16.safetensors"]),
        (
            ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
            ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
        ),
        (["model.fp16-00001-of-00001.safetensors"], ["model.fp16-00001-of-00001.safetensors"]),
        (["model-00001-of-00001.fp16.safetensors"], ["model-00001-of-00001.fp16.safetensors"]),
        ([f"{NAME}.safetensors", f"{NAME}.non_ema.safetensors"], [f"{NAME}.safetensors"]),
    ],
)
def test_weight_files_are_chosen(tmp_path: Path, names: list[str], chosen: list[str]) -> None:
    """Full precision before half, and all parts of what was split."""
    found = weight_files(_touch(tmp_path, *names))

    assert [path.name for path in found] == chosen


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ([], "holds no weights in safetensors"),
        ([f"{NAME}.bin"], f"only {NAME}.bin"),
        (["model-00001-of-00003.safetensors", "model-00003-of-00003.safetensors"], "number 2"),
        (["model-00001-of-00002.safetensors", "model-00001-of-00001.safetensors"], "number 2"),
        ([f"{NAME}.safetensors", f"{NAME}-00001-of-00001.safetensors"], "weights twice"),
        (["model.safetensors", f"{NAME}.safetensors"], "weights twice"),
    ],
)
def test_missing_and_doubled_files_are_named(tmp_path: Path, names: list[str], says: str) -> None:
    """None, pickles alone, a part that was not copied, and what another save left behind."""
    folder = _touch(tmp_path, *names)

    with pytest.raises(BaseNotLoadable, match=says) as caught:
        weight_files(folder)

    assert caught.value.hint


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    """A component without a folder is named."""
    with pytest.raises(BaseNotLoadable, match="unet cannot be read"):
        weight_files(tmp_path / "unet")


def test_parts_of_a_model_come_together(tmp_path: Path) -> None:
    """Split files are one model; their index is not needed, and its damage does no harm."""
    model = nn.Linear(2, 3)
    folder = tmp_path / "unet"
    folder.mkdir()
    for number, (key, weight) in enumerate(model.state_dict().items(), start=1):
        save_file({key: weight}, str(folder / f"{NAME}-0000{number}-of-00002.safetensors"))
    (folder / f"{NAME}.safetensors.index.json").write_text("garbage")

    found = read_components(tmp_path, models={"unet": model}).components["unet"]

    assert all(torch.equal(found[key], weight) for key, weight in model.state_dict().items())


def test_same_key_in_two_parts_is_refused(tmp_path: Path) -> None:
    """Parts of two saves would be mixed by chance."""
    folder = tmp_path / "unet"
    folder.mkdir()
    for number in (1, 2):
        part = folder / f"{NAME}-0000{number}-of-00002.safetensors"
        save_file({"weight": torch.ones(3, 2)}, str(part))

    with pytest.raises(BaseNotLoadable, match="was read before"):
        read_components(tmp_path, models={"unet": nn.Linear(2, 3, bias=False)})


@pytest.mark.parametrize("component", ["unet", "vae", "text_encoder"])
def test_left_over_keys_are_refused(tmp_path: Path, component: str) -> None:
    """Whatever a component holds beyond its weights, but for what is harmless by name."""
    folder = tmp_path / component
    folder.mkdir()
    harmless = {"text_encoder": "text_model.embeddings.position_ids", "vae": "loss.x"}
    tensors = {"weight": torch.ones(3, 2), harmless.get(component, "weight"): torch.ones(3, 2)}
    save_file(tensors, str(folder / "model.safetensors"))
    models = {component: nn.Linear(2, 3, bias=False)}

    assert set(read_components(tmp_path, models=models).components[component]) >= {"weight"}
    save_file(tensors | {"odd": torch.ones(1)}, str(folder / "model.safetensors"))

    with pytest.raises(BaseNotLoadable, match=f"1 key of its {component} .*: odd"):
        read_components(tmp_path, models=models)


def test_words_of_the_unet_are_kept(tmp_path: Path) -> None:
    """What the header of its file says is compared with the configuration later."""
    (tmp_path / "unet").mkdir()
    said = {"modelspec.prediction_type": "v"}
    save_file({"weight": torch.ones(3, 2)}, str(tmp_path / "unet/model.safetensors"), said)

    found = read_components(tmp_path, models={"unet": nn.Linear(2, 3, bias=False)})

    assert found.words == said
