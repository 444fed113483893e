# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from tabard_registry import check
from tabard_server.engine.base.profile import profile_of
from tabard_server.extraction.errors import ChangeNotCarried, TunedModelUnchanged
from tests.bases import make_tiny_base
from tests.server.extraction.tuned_models import (
    add_everywhere,
    add_low_rank,
    deltas_of,
    extracted,
    make_tuned_model,
    modules_of,
    real_deltas,
)
from tests.single_file import write_single_file


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
def test_known_change_is_recovered(tmp_path: Path, family: str) -> None:
    """Linear layers, convolutions and every text encoder get back what was added to them."""
    base = make_tiny_base(tmp_path / "base", seed=2, family=family)
    tuned = make_tuned_model(base, tmp_path / "tuned", add_low_rank(3))

    outcome = extracted(base, tuned, tmp_path / "out.safetensors", rank=8)

    found, real = (
        deltas_of(tmp_path / "out.safetensors", base),
        real_deltas(base, tuned),
    )
    assert found.keys() == real.keys()
    assert max(float((found[stem] - real[stem]).abs().max()) for stem in real) < 1e-5
    assert outcome.kept_energy == pytest.approx(1.0, abs=1e-9)
    assert (outcome.mode, outcome.rank_max) == ("rows", 3)


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
def test_single_file_equals_folder(tmp_path: Path, family: str) -> None:
    """The original key layout, fused projections of OpenCLIP included, makes the same tensors."""
    base = make_tiny_base(tmp_path / "base", seed=2, family=family)
    folder = make_tuned_model(base, tmp_path / "tuned", add_everywhere(0.05))
    file = write_single_file(folder, tmp_path / "tuned.safetensors")

    of_folder = extracted(base, folder, tmp_path / "folder.out", rank=8)
    of_file = extracted(base, file, tmp_path / "file.out", rank=8)

    left, right = load_file(tmp_path / "folder.out"), load_file(tmp_path / "file.out")
    assert left.keys() == right.keys()
    assert all(torch.equal(left[key], right[key]) for key in left)
    assert of_folder.kept_energy == of_file.kept_energy
    assert of_file.unused == ()


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


def test_rounding_is_no_change(tmp_path: Path, base: Path) -> None:
    """A tuned model that was saved in half precision does not differ in what it only rounded."""

    def change(pipe: Any) -> None:
        pipe.unet.half()
        pipe.text_encoder.half()
        pipe.unet.conv_out.weight.add_(0.5)

    tuned = make_tuned_model(base, tmp_path / "tuned", change)

    outcome = extracted(base, tuned, tmp_path / "out", rank=64)

    assert [one.parameter for one in outcome.layers] == ["conv_out.weight"]
    assert outcome.rounded_count > 50


def test_exact_keeps_rounding_too(tmp_path: Path, base: Path) -> None:
    """An exact adapter gives the tuned model's own numbers, rounded ones included."""

    def change(pipe: Any) -> None:
        pipe.unet.half()

    tuned = make_tuned_model(base, tmp_path / "tuned", change)

    outcome = extracted(base, tuned, tmp_path / "out", is_exact=True)

    found, real = deltas_of(tmp_path / "out", base), real_deltas(base, tuned)
    assert all(torch.equal(found[stem], real[stem]) for stem in found)
    assert outcome.rounded_count == 0


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


def test_same_tuned_model_is_refused(tmp_path: Path, base: Path) -> None:
    """The base itself makes no adapter, and no file."""
    with pytest.raises(TunedModelUnchanged) as refused:
        extracted(base, base, tmp_path / "out", rank=4)

    assert refused.value.hint
    assert list(tmp_path.iterdir()) == []


def test_same_input_makes_same_bytes(tmp_path: Path, base: Path) -> None:
    """A file is repeatable to the bit, whatever it is called."""
    tuned = make_tuned_model(base, tmp_path / "tuned", add_everywhere(0.05))

    outcomes = [extracted(base, tuned, tmp_path / name, energy=0.9) for name in ("a", "b")]

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert outcomes[0].file_sha256 == outcomes[1].file_sha256
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a", "b", "tuned"]


def test_file_says_where_it_comes_from(tmp_path: Path, base: Path) -> None:
    """The header names base, tuned model and choice."""
    tuned = make_tuned_model(base, tmp_path / "tuned", add_low_rank(2))

    outcome = extracted(base, tuned, tmp_path / "out", energy=0.95)

    with safe_open(str(tmp_path / "out"), framework="pt") as file:
        said = file.metadata()
    assert said["tabard.base_fingerprint"] == profile_of(str(base)).fingerprint
    assert said["tabard.checkpoint_sha256"] == outcome.checkpoint_sha256
    assert json.loads(said["tabard.extraction"])["energy"] == 0.95
    assert said["ss_network_module"] == "networks.lora"


def test_blocks_share_the_whole(tmp_path: Path, base: Path) -> None:
    """Every difference is counted under one block, and the shares make one."""
    tuned = make_tuned_model(base, tmp_path / "tuned", add_everywhere(0.05))

    outcome = extracted(base, tuned, tmp_path / "out", rank=2)

    names = [one.block for one in outcome.blocks]
    assert {"down_blocks.0", "mid_block", "up_blocks.1", "text_encoder", "unet ends"} <= {*names}
    assert sum(one.share for one in outcome.blocks) == pytest.approx(1.0)
    assert sum(one.layer_count for one in outcome.blocks) == len(outcome.layers)
    kept = sum(one.share * one.kept_energy for one in outcome.blocks)
    assert outcome.kept_energy == pytest.approx(kept)
    assert outcome.relative_error == pytest.approx((1 - kept) ** 0.5)


@pytest.mark.parametrize(
    ("choice", "mode"),
    [
        ({"rank": 8}, "merged"),
        ({"rank": 8, "is_low_rank_only": True}, "rows"),
        ({"is_exact": True}, "merged"),
    ],
)
@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_intake_takes_the_file(
    tmp_path: Path, family: str, choice: dict[str, Any], mode: str
) -> None:
    """What was extracted is published like any other file, with all of its tensors."""
    base = make_tiny_base(tmp_path / "base", family=family)
    tuned = make_tuned_model(base, tmp_path / "tuned", add_everywhere(0.05))
    extracted(base, tuned, tmp_path / "out.safetensors", **choice)

    report = check([tmp_path / "out.safetensors"], profile=profile_of(str(base))).report

    assert report.accepted, report.problems
    assert report.tensors_applied == report.tensor_count
    assert (report.mode, report.base_match) == (mode, "same")
