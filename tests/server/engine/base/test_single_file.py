# SPDX-License-Identifier: Apache-2.0
"""Single files of transformers: what they hold, what a folder beside them must, refusals."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.loaders.single_file_utils import convert_sd3_transformer_checkpoint_to_diffusers
from safetensors.torch import load_file, save_file

from tabard_server.engine.base.pipeline import Opened, open_pipeline
from tabard_server.engine.base.schedules.schedule import Asked
from tabard_server.engine.base.single_file import config_folder
from tabard_server.engine_port.errors import BaseNotLoadable
from tests.bases import load_pipeline, make_tiny_base, text_encoders
from tests.server.engine.base.files.transformer_file import PREFIX, write_transformer_file

FAMILIES = ("sd3", "flux")
T5 = {"sd3": "text_encoder_3", "flux": "text_encoder_2"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("flows")
    return {family: make_tiny_base(folder / family, family=family) for family in FAMILIES}


def _open(path: Path, *, config: Path) -> Opened:
    return open_pipeline(path, config=str(config), asked=Asked(), dtype=torch.float32)


def _equal(ours: Any, theirs: Any) -> bool:
    wanted = theirs.state_dict()
    found = ours.state_dict()
    return wanted.keys() == found.keys() and all(torch.equal(found[n], wanted[n]) for n in wanted)


def _without(folder: Path, base: Path, *components: str) -> Path:
    copy = Path(shutil.copytree(base, folder / "beside"))
    for component in components:
        for weights in (copy / component).glob("*.safetensors"):
            weights.unlink()
    return copy


def test_file_of_sd3_is_the_original_layout(folders: dict[str, Path], tmp_path: Path) -> None:
    """The conversion of diffusers makes the model of it, and uses every tensor."""
    file = write_transformer_file(folders["sd3"], tmp_path / "x.safetensors", family="sd3")
    tensors = load_file(str(file))

    converted = convert_sd3_transformer_checkpoint_to_diffusers(tensors)

    model = load_pipeline(folders["sd3"]).transformer
    assert not tensors and converted.keys() == model.state_dict().keys()
    assert all(torch.equal(converted[n], weight) for n, weight in model.state_dict().items())


@pytest.mark.parametrize("prefix", ["", PREFIX])
@pytest.mark.parametrize("family", FAMILIES)
def test_transformer_alone_is_completed(
    folders: dict[str, Path], tmp_path: Path, family: str, prefix: str
) -> None:
    """VAE and texts come from the folder, whose own transformer is not looked at."""
    file = write_transformer_file(
        folders[family], tmp_path / "x.safetensors", family=family, prefix=prefix
    )
    beside = _without(tmp_path, folders[family], "transformer")

    opened = _open(file, config=beside)

    theirs = load_pipeline(folders[family])
    assert opened.family == family
    assert _equal(opened.models["transformer"], theirs.transformer)
    assert _equal(opened.models["vae"], theirs.vae)
    for name, model in text_encoders(theirs).items():
        assert _equal(opened.models[name], model), name
    assert str(beside) in opened.remarks[-1] and "vae" in opened.remarks[-1]


@pytest.mark.parametrize(("family", "vae"), [("sd3", "first_stage_model."), ("flux", "vae.")])
def test_whole_file_needs_configs_alone(
    folders: dict[str, Path], tmp_path: Path, family: str, vae: str
) -> None:
    """As ComfyUI saves it, with its texts; the folder beside it holds no weights."""
    base = folders[family]
    theirs = load_pipeline(base)
    texts = text_encoders(theirs)
    holds = ("vae", *texts)
    file = tmp_path / "x.safetensors"
    write_transformer_file(base, file, family=family, vae=vae, holds=holds)
    extra = {
        "text_encoders.clip_l.logit_scale": torch.ones(()),
        "text_encoders.t5xxl.logit_scale": torch.ones(()),
        "text_encoders.clip_l.transformer.text_projection.weight": torch.ones(32, 32),
    }
    save_file({**load_file(str(file)), **extra}, str(file))

    opened = _open(file, config=_without(tmp_path, base, "transformer", *holds))

    if family == "sd3":
        # Both ComfyUI and diffusers read the summary of SD3's first CLIP as it is.
        theirs.text_encoder.text_projection.weight.data = torch.eye(32)
    for name, model in text_encoders(theirs).items():
        assert _equal(opened.models[name], model), name
    assert _equal(opened.models["vae"], theirs.vae) and opened.remarks == ()


def test_sd3_may_lack_its_t5(folders: dict[str, Path], tmp_path: Path) -> None:
    """Where neither file nor folder holds it, the base is served without, and says so."""
    file = write_transformer_file(folders["sd3"], tmp_path / "x.safetensors", family="sd3")

    opened = _open(file, config=_without(tmp_path, folders["sd3"], "text_encoder_3"))

    assert opened.kind.absent == ("text_encoder_3",)
    assert "text_encoder_3" not in opened.models
    pipeline = opened.pipeline()
    assert pipeline.text_encoder_3 is pipeline.tokenizer_3 is None
    assert any("text_encoder_3" in remark and "without" in remark for remark in opened.remarks)


@pytest.mark.parametrize(
    ("family", "lost"), [("sd3", "vae"), ("sd3", "text_encoder_2"), ("flux", "text_encoder_2")]
)
def test_what_nobody_holds_is_refused(
    folders: dict[str, Path], tmp_path: Path, family: str, lost: str
) -> None:
    """The message says what is missing, and all that a folder must hold beside such a file."""
    file = write_transformer_file(folders[family], tmp_path / "x.safetensors", family=family)

    with pytest.raises(BaseNotLoadable, match=f"holds no weights of {lost}$") as caught:
        _open(file, config=_without(tmp_path, folders[family], lost))

    assert "base_config" in caught.value.hint
    assert all(name in caught.value.hint for name in ("vae", "text_encoder", T5[family]))


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (f"{PREFIX}joint_blocks.0.odd.weight", "1 key of its transformer"),
        ("text_encoders.clip_l.transformer.odd", "1 key of its text_encoder"),
        ("text_encoders.llama.transformer.odd", "1 key of its text encoders"),
    ],
)
def test_left_over_keys_are_refused(
    folders: dict[str, Path], tmp_path: Path, key: str, says: str
) -> None:
    """Under the prefix of a component, or of a text encoder that the family does not have."""
    file = write_transformer_file(
        folders["sd3"], tmp_path / "x.safetensors", family="sd3", holds=("text_encoder",)
    )
    save_file({**load_file(str(file)), key: torch.ones(1)}, str(file))

    with pytest.raises(BaseNotLoadable, match=says):
        _open(file, config=folders["sd3"])


@pytest.mark.parametrize("family", FAMILIES)
def test_lost_and_misshapen_weights_are_named(
    folders: dict[str, Path], tmp_path: Path, family: str
) -> None:
    """A fused tensor that is not there lacks all its pieces; one of other rows fits none."""
    file = write_transformer_file(folders[family], tmp_path / "x.safetensors", family=family)
    whole = load_file(str(file))
    fused = sorted(key for key in whole if key.endswith("qkv.bias"))[0]
    save_file({key: value for key, value in whole.items() if key != fused}, str(file))

    with pytest.raises(BaseNotLoadable, match="lacks 3 weights of its transformer"):
        _open(file, config=folders[family])

    save_file({**whole, fused: whole[fused][:-3]}, str(file))
    with pytest.raises(BaseNotLoadable, match=r"bias of the transformer .* is \[93\]"):
        _open(file, config=folders[family])


def test_folder_of_another_family_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    """Both families are named."""
    file = write_transformer_file(folders["flux"], tmp_path / "x.safetensors", family="flux")

    with pytest.raises(BaseNotLoadable, match="StableDiffusion3Pipeline, the file is of a Flux"):
        _open(file, config=folders["sd3"])


def test_t5_beside_configs_without_one_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    """A file that holds a T5 is not read as if it held none."""
    file = write_transformer_file(
        folders["sd3"], tmp_path / "x.safetensors", family="sd3", holds=("text_encoder_3",)
    )
    beside = _without(tmp_path, folders["sd3"])
    index = json.loads((beside / "model_index.json").read_text())
    index |= {"text_encoder_3": [None, None], "tokenizer_3": [None, None]}
    (beside / "model_index.json").write_text(json.dumps(index))

    with pytest.raises(BaseNotLoadable, match="keys of its text_encoder_3") as caught:
        _open(file, config=beside)

    assert "base_config" in caught.value.hint


def test_absent_configs_say_what_to_name() -> None:
    """Offline, without a folder: what the folder must hold is said."""
    with pytest.raises(BaseNotLoadable, match="cannot be fetched") as caught:
        config_folder("acme/absent", tensors={}, weights=("vae", "text_encoder"))

    assert "vae, text_encoder" in caught.value.hint and "weights" in caught.value.hint
