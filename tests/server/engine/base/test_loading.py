# SPDX-License-Identifier: Apache-2.0
import json
import shutil
from pathlib import Path

import pytest

from tabard_server.engine.base.profile import profile_of
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine_port.errors import BaseNotLoadable
from tests.bases import make_tiny_base


def test_profile_names_are_classic(tiny_base: Path) -> None:
    """Text encoder layers carry `text_model.`, whatever the installed library calls them."""
    profile = profile_of(str(tiny_base))

    assert profile.family == "sd1"
    assert "text_model.encoder.layers.0.self_attn.q_proj" in profile.modules["text_encoder"]
    assert profile.modules["unet"]["down_blocks.0.attentions.0.proj_in"].kind == "conv2d"


def test_fingerprint_is_of_the_bytes(tiny_base: Path, tmp_path: Path) -> None:
    """The same weights give the same fingerprint; a base of other weights gives another."""
    other = make_tiny_base(tmp_path / "other", seed=1)

    assert profile_of(str(tiny_base)).fingerprint == profile_of(str(tiny_base)).fingerprint
    assert profile_of(str(tiny_base)).fingerprint != profile_of(str(other)).fingerprint


@pytest.mark.parametrize(
    ("base", "says"),
    [
        ("/nowhere/at all", "neither a folder"),
        ("plainword", "neither a folder"),
    ],
)
def test_missing_base_says_what_to_give(base: str, says: str) -> None:
    """A word that is no base is refused with the forms that are."""
    with pytest.raises(BaseNotLoadable, match=says) as caught:
        profile_of(base)

    assert "diffusers folder" in caught.value.hint


def test_folder_of_other_pipeline_is_refused(tmp_path: Path) -> None:
    """A folder of another pipeline is named and refused."""
    index = {"_class_name": "StableDiffusion3Pipeline"}
    (tmp_path / "model_index.json").write_text(json.dumps(index))

    with pytest.raises(BaseNotLoadable, match="StableDiffusion3Pipeline") as caught:
        profile_of(str(tmp_path))

    assert "sdxl" in caught.value.hint


def test_pickled_checkpoint_is_refused(tmp_path: Path) -> None:
    """A `.ckpt` is never opened."""
    file = tmp_path / "model.ckpt"
    file.write_bytes(b"\x80\x04.")

    with pytest.raises(BaseNotLoadable, match="is not a"):
        profile_of(str(file))


@pytest.mark.parametrize(("option", "value"), [("device", "tpu9"), ("dtype", "float7")])
def test_unknown_device_or_dtype_is_refused(tiny_base: Path, option: str, value: str) -> None:
    """A wrong word in the settings stops the start, with the words that exist."""
    with pytest.raises(BaseNotLoadable, match=value):
        load_engine(EngineSettings(base=str(tiny_base), **{option: value}))


def test_hub_id_is_loaded_from_cache(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An id like `owner/name` is found in the hub's cache, without asking the network."""
    commit = "0" * 40
    repository = tmp_path / "models--acme--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    shutil.copytree(tiny_base, repository / "snapshots" / commit)
    # Read from the environment when the library is imported.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    assert profile_of("acme/tiny").fingerprint == profile_of(str(tiny_base)).fingerprint


def test_missing_hub_id_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An id that is neither cached nor reachable is an error, not a traceback."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(BaseNotLoadable, match="acme/absent"):
        profile_of("acme/absent")
