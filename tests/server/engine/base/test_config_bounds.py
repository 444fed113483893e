# SPDX-License-Identifier: Apache-2.0
"""Configurations of absurd sizes: refused by name before anything is built of them."""

from pathlib import Path
from typing import Any

import diffusers
import pytest
import transformers

from tabard_server.engine.base.config_bounds import LAYERS_MAX, NUMBER_MAX, refuse_oversized
from tabard_server.engine.base.configs import empty_models
from tabard_server.engine.base.families import KINDS
from tabard_server.engine_port.errors import BaseNotLoadable
from tests.golden.full_size.models import recipe
from tests.server.engine.base.changed_folders import FAMILIES, change_config, copy_folder

FILE = Path("config.json")
LARGE = NUMBER_MAX + 1


@pytest.mark.parametrize("family", FAMILIES)
def test_served_families_are_within(family: str) -> None:
    """The configurations of the families' own models, and the deepest text encoder."""
    for config in recipe(family).values():
        if isinstance(config, dict):
            refuse_oversized(config, file=FILE)

    refuse_oversized({"num_hidden_layers": 48, "eos_token_id": -1}, file=FILE)
    refuse_oversized({"lambda_min_clipped": -float("inf"), "latents_mean": [-1, 2]}, file=FILE)


@pytest.mark.parametrize(
    ("component", "change", "says"),
    [
        ("unet", {"layers_per_block": 1_000_000}, "layers, and at most"),
        ("unet", {"layers_per_block": [1, 1, 1_000]}, "layers, and at most"),
        ("unet", {"transformer_layers_per_block": [[1, 500]]}, "layers, and at most"),
        ("unet", {"block_out_channels": [32] * 100_000}, "layers, and at most"),
        ("unet", {"down_block_types": ["DownBlock2D"] * 1_000}, "layers, and at most"),
        ("unet", {"block_out_channels": [10**9] * 3}, "10{9} for block_out_channels"),
        ("unet", {"cross_attention_dim": -LARGE}, "for cross_attention_dim"),
        ("unet", {"norm_num_groups": -1}, "-1 for norm_num_groups, which is a count"),
        ("unet", {"norm_eps": 1e300}, r"1e\+300 for norm_eps"),
        ("vae", {"layers_per_block": 1_000_000}, "layers, and at most"),
        ("vae", {"sample_size": LARGE}, "for sample_size"),
        ("text_encoder", {"num_hidden_layers": LAYERS_MAX + 1}, "257 layers, and at most"),
        ("text_encoder", {"text_config": {"num_hidden_layers": 10**6}}, "10{6} layers, and"),
        ("text_encoder", {"max_position_embeddings": LARGE}, "for max_position_embeddings"),
        ("text_encoder", {"vocab_size": 10**9}, "10{9} for vocab_size"),
    ],
)
def test_absurd_size_is_never_built(
    tiny_base: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    component: str,
    change: dict[str, Any],
    says: str,
) -> None:
    """A million layers would be made, one by one, before anybody compares them with the files."""
    kind = KINDS["StableDiffusionPipeline"]
    folder = copy_folder(tiny_base, tmp_path)
    change_config(folder / component / "config.json", **change)
    library = transformers if component == "text_encoder" else diffusers
    monkeypatch.setattr(getattr(library, kind.models[component]), "__init__", _build_nothing)

    with pytest.raises(BaseNotLoadable, match=says) as caught:
        empty_models(folder, kind=_only(component))

    assert f"{component}/config.json" in str(caught.value) and caught.value.hint


def _only(component: str) -> Any:
    class Kind:
        models = {component: KINDS["StableDiffusionPipeline"].models[component]}  # noqa: RUF012

    return Kind


def _build_nothing(*_arguments: object, **_options: object) -> None:
    raise AssertionError("it was built")
