# SPDX-License-Identifier: Apache-2.0
"""The walk over all parameters: what is put into the file, and what is said not to be carried."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tabard_server.extraction.errors import ChangeNotCarried, TunedModelUnreadable
from tests.tuned_models import (
    add_everywhere,
    add_low_rank,
    extracted,
    make_tuned_model,
    modules_of,
)


def test_unknown_parameters_are_refused(tmp_path: Path, base: Path) -> None:
    """A weight that the base has no place for may change what the others mean."""
    tuned = make_tuned_model(base, tmp_path / "tuned", add_low_rank(2))
    file = tuned / "unet" / "diffusion_pytorch_model.safetensors"
    save_file(load_file(file) | {"extra.weight": torch.zeros(3)}, str(file))

    with pytest.raises(TunedModelUnreadable, match=r"1 key of its unet .* extra\.weight"):
        extracted(base, tuned, tmp_path / "out", rank=4)


def test_norms_and_biases_are_exact(tmp_path: Path, base: Path) -> None:
    """They are kept whole, under the names that LyCORIS gives them."""
    tuned = make_tuned_model(base, tmp_path / "tuned", add_everywhere(0.05))

    outcome = extracted(base, tuned, tmp_path / "out.safetensors", rank=2)

    tensors = load_file(tmp_path / "out.safetensors")
    before, after = modules_of(base), modules_of(tuned)
    parts = {"w_norm": "weight", "b_norm": "bias", "diff_b": "bias"}
    dense = {key: key.split(".") for key in tensors if key.split(".")[1] in parts}
    for key, (stem, part) in dense.items():
        whole = getattr(after[stem], parts[part]) - getattr(before[stem], parts[part])
        assert torch.equal(tensors[key], whole), key
    assert "lora_unet_down_blocks_0_resnets_0_norm1.w_norm" in dense
    assert "lora_te_text_model_final_layer_norm.b_norm" in dense
    assert "lora_unet_conv_in.diff_b" in dense
    assert outcome.mode == "merged"


def test_low_rank_only_reports_the_rest(tmp_path: Path, base: Path) -> None:
    """What slots cannot hold is left out, by name and with its energy."""
    tuned = make_tuned_model(base, tmp_path / "tuned", add_everywhere(0.05))

    outcome = extracted(base, tuned, tmp_path / "out", rank=64, is_low_rank_only=True)

    assert outcome.mode == "rows"
    assert {one.form for one in outcome.layers} == {"lora"}
    assert {one.why for one in outcome.left_out} == {"low_rank_only"}
    lost = sum(one.energy for one in outcome.left_out)
    whole = lost + sum(one.energy for one in outcome.layers)
    assert outcome.kept_energy == pytest.approx(1 - lost / whole, abs=1e-6)
    assert any("norms and biases" in said for said in outcome.warnings)


def test_unchanged_parameters_are_left_out(tmp_path: Path, base: Path) -> None:
    """A file holds what differs and nothing else."""

    def change(pipe: Any) -> None:
        pipe.unet.mid_block.attentions[0].proj_in.weight.add_(0.01)

    tuned = make_tuned_model(base, tmp_path / "tuned", change)

    outcome = extracted(base, tuned, tmp_path / "out", rank=4)

    stem = "lora_unet_mid_block_attentions_0_proj_in"
    assert {key.split(".")[0] for key in load_file(tmp_path / "out")} == {stem}
    assert [one.parameter for one in outcome.layers] == ["mid_block.attentions.0.proj_in.weight"]
    assert outcome.layers[0].rank == 1


def test_words_and_vae_are_named(tmp_path: Path, base: Path) -> None:
    """What an adapter cannot carry is reported by name, and refused where exactness is asked."""

    def change(pipe: Any) -> None:
        pipe.text_encoder.get_input_embeddings().weight[7].add_(1.0)
        pipe.vae.decoder.conv_in.weight.add_(0.1)
        pipe.unet.conv_in.weight.add_(0.1)

    tuned = make_tuned_model(base, tmp_path / "tuned", change)

    outcome = extracted(base, tuned, tmp_path / "out", rank=4)

    left_out = {(one.component, one.why): one.parameter for one in outcome.left_out}
    assert left_out == {
        ("text_encoder", "embedding"): "text_model.embeddings.token_embedding.weight",
        ("vae", "vae"): "decoder.conv_in.weight",
    }
    assert len(outcome.warnings) == 3
    with pytest.raises(ChangeNotCarried, match="token_embedding"):
        extracted(base, tuned, tmp_path / "exact", is_exact=True)
    assert not (tmp_path / "exact").exists()
