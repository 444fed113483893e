# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tabard_registry import check
from tabard_server.engine.base.profile import profile_of
from tabard_server.extraction.errors import TunedModelMismatch, TunedModelUnchanged
from tests.bases import make_tiny_base
from tests.single_file import write_single_file
from tests.tuned_models import (
    add_everywhere,
    add_low_rank,
    deltas_of,
    extracted,
    make_tuned_model,
    real_deltas,
)


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl", "sd3", "flux"])
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


@pytest.mark.parametrize("component", ["unet", "text_encoder"])
def test_what_cannot_be_a_fine_tune_is_refused(tmp_path: Path, base: Path, component: str) -> None:
    """A component that is farther from the base's than nothing at all, as without its scales."""

    def change(pipe: Any) -> None:
        for weight in getattr(pipe, component).parameters():
            weight.mul_(2.5)

    tuned = make_tuned_model(base, tmp_path / "tuned", change)

    with pytest.raises(TunedModelMismatch, match=f"the {component} of .* is 150% of") as refused:
        extracted(base, tuned, tmp_path / "out", rank=4)

    assert "scaled" in refused.value.hint
    assert not (tmp_path / "out").exists()


def test_another_model_is_refused(tmp_path: Path, base: Path) -> None:
    """Of the same family and size, and of nothing else in common."""
    other = make_tiny_base(tmp_path / "other", seed=99)

    with pytest.raises(TunedModelMismatch, match="a fine-tune is at most 100%"):
        extracted(base, other, tmp_path / "out", rank=4)


def test_scaled_tuned_model_is_scaled_back(tmp_path: Path, base: Path) -> None:
    """A checkpoint in ComfyUI's fp8 differs by what was trained and its rounding, which is said."""
    tuned = make_tuned_model(base, tmp_path / "tuned", add_low_rank(2, scale=0.05))
    plain = write_single_file(tuned, tmp_path / "plain.safetensors")
    tensors = load_file(plain)
    for key, tensor in load_file(plain).items():
        if key.startswith("model.diffusion_model.") and tensor.ndim > 1:
            scale = tensor.abs().max() / 448
            tensors[key] = (tensor / scale).to(torch.float8_e4m3fn)
            tensors[key.removesuffix("weight") + "scale_weight"] = scale
    save_file(tensors, tmp_path / "scaled.safetensors")

    whole, rounded = (
        extracted(base, tmp_path / f"{name}.safetensors", tmp_path / "out", rank=4)
        for name in ("plain", "scaled")
    )

    assert abs(rounded.relative_change - whole.relative_change) < 0.05
    assert any("eight bits" in said for said in rounded.warnings)
    assert not any("eight bits" in said for said in whole.warnings)
