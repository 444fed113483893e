# SPDX-License-Identifier: Apache-2.0
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from diffusers.loaders import lora_conversion_utils as theirs
from diffusers.utils.state_dict_utils import (
    convert_state_dict_to_peft,
    convert_unet_state_dict_to_peft,
)

from tabard_registry import check
from tabard_registry.intake.dialects.module_names import kohya_modules
from tabard_server.engine.base import profile as engine_profile
from tabard_server.engine.base.loading import Base, TextPart
from tabard_server.engine.base.text_layout import CLIP, CLIP_JOINED
from tabard_server.engine.networks.unet import UNet
from tests.golden.full_size.make_table import read_rows
from tests.golden.full_size.models import FAMILIES, build, recipe
from tests.golden.full_size.original import original_names
from tests.golden.full_size.table import Row, full_size_profile, layers, rows, widths
from tests.registry.fakes import Tensors, sd15_profile, sd_profile, write

Naming = Callable[[Row, str], str | None]
"""From a module and `down` or `up` to a key, or None where the dialect cannot name the module."""

PARTS = {"down": "A", "up": "B"}
OLD_TEXT = {"q_proj": "to_q", "k_proj": "to_k", "v_proj": "to_v", "out_proj": "to_out"}


def kohya(row: Row, part: str) -> str:
    return f"{row.kohya}.lora_{part}.weight"


def kohya_original(row: Row, part: str) -> str:
    return f"{row.original or row.kohya}.lora_{part}.weight"


def kohya_bare_text(row: Row, part: str) -> str:
    """What kohya's code writes of encoders that transformers 5 names without a level."""
    return f"{row.kohya.replace('_text_model_', '_')}.lora_{part}.weight"


def kohya_first(row: Row, part: str) -> str:
    """What some write of the only text encoder: as if it were the first of two."""
    return f"{row.kohya.replace('lora_te_', 'lora_te1_')}.lora_{part}.weight"


def lycoris(row: Row, part: str) -> str | None:
    """What LyCORIS writes of one model alone, whichever it is given."""
    stem = row.module.replace(".", "_")
    return f"lycoris_{stem}.lora_{part}.weight" if row.component == "unet" else None


def lycoris_of_all(row: Row, part: str) -> str:
    """What LyCORIS writes of all models of a pipeline under one roof."""
    return f"lycoris_{row.component}_{row.module.replace('.', '_')}.lora_{part}.weight"


CLIPS = {"text_encoder": "clip_l", "text_encoder_2": "clip_g"}


def comfyui(row: Row, part: str) -> str:
    """What ComfyUI's trainer and OneTrainer's COMFY format write."""
    if row.component == "unet":
        return f"diffusion_model.{dotted_original(row)}.lora_{part}.weight"
    return f"text_encoders.{CLIPS[row.component]}.transformer.{row.module}.lora_{part}.weight"


def comfyui_bare_text(row: Row, part: str) -> str:
    """What OneTrainer writes of encoders that transformers 5 names without a level."""
    lettered = f"lora_{PARTS[part]}"
    return comfyui(row, part).replace(f"lora_{part}", lettered).replace(".text_model.", ".")


def onetrainer_original(row: Row, part: str) -> str | None:
    """What OneTrainer's ORIGINAL format writes: the UNet alone, without a prefix."""
    is_unet = row.component == "unet"
    return f"{dotted_original(row)}.lora_{PARTS[part]}.weight" if is_unet else None


def dotted_original(row: Row) -> str:
    """The name that the original code gives to a module of a UNet."""
    return _dotted_originals()[row.original.removeprefix("lora_unet_")]


@cache
def _dotted_originals() -> dict[str, str]:
    names = (name for family in FAMILIES for name in original_names(recipe(family)["unet"]))
    return {name.replace(".", "_"): name for name in names}


def diffusers_new(row: Row, part: str) -> str:
    return f"{row.component}.{row.module}.lora_{PARTS[part]}.weight"


def diffusers_bare_text(row: Row, part: str) -> str:
    """What transformers 5 calls the layers of an encoder without a projection."""
    return f"{row.component}.{row.module.removeprefix('text_model.')}.lora_{PARTS[part]}.weight"


def diffusers_old(row: Row, part: str) -> str:
    if row.component != "unet" and row.module != "text_projection":
        return f"{row.component}.{row.module}.lora_linear_layer.{part}.weight"
    return f"{row.component}.{row.module}.lora.{part}.weight"


def diffusers_oldest(row: Row, part: str) -> str | None:
    """What attention processors were saved as, before modules had factors of their own."""
    if row.component == "unet":
        found = re.fullmatch(r"(.+\.attn[12])\.(to_(?:[qkv]|out))(?:\.0)?", row.module)
        return found and f"unet.{found[1]}.processor.{found[2]}_lora.{part}.weight"
    stem, _, name = row.module.rpartition(".")
    old = OLD_TEXT.get(name)
    return old and f"{row.component}.{stem}.{old}_lora.{part}.weight"


def peft_of(component: str) -> Naming:
    def peft(row: Row, part: str) -> str | None:
        is_own = row.component == component
        return f"base_model.model.{row.module}.lora_{PARTS[part]}.weight" if is_own else None

    return peft


DIALECTS: dict[str, Naming] = {
    "kohya": kohya,
    "kohya original": kohya_original,
    "kohya of bare encoders": kohya_bare_text,
    "kohya first of two": kohya_first,
    "lycoris": lycoris,
    "lycoris of all": lycoris_of_all,
    "comfyui": comfyui,
    "comfyui of bare encoders": comfyui_bare_text,
    "onetrainer original": onetrainer_original,
    "diffusers new": diffusers_new,
    "diffusers of bare encoders": diffusers_bare_text,
    "diffusers old": diffusers_old,
    "diffusers oldest": diffusers_oldest,
    "peft unet": peft_of("unet"),
    "peft text_encoder": peft_of("text_encoder"),
}


def _file(folder: Path, family: str, naming: Naming) -> tuple[Path, set[tuple[str, str]]]:
    """Write a LoRA of rank 1 on every module that the dialect can name."""
    tensors: Tensors = {}
    named: set[tuple[str, str]] = set()
    for row in layers(family):
        tail = row.kernel if row.kind == "conv2d" else ()
        down, up = naming(row, "down"), naming(row, "up")
        if down is not None and up is not None:
            named.add(row.target)
            tensors[down] = np.ones((1, row.inputs, *tail), "float16")
            tensors[up] = np.ones((row.outputs, 1, *(1 for _ in tail)), "float16")
    return write(folder / "adapter.safetensors", tensors), named


@pytest.mark.parametrize("family", FAMILIES)
def test_table_is_what_the_models_say(family: str) -> None:
    """The golden table holds the modules that diffusers and transformers make of the recipes."""
    fresh = [json.loads(json.dumps(found)) for found in read_rows(family)]

    assert [_written(row) for row in rows(family)] == fresh


@pytest.mark.parametrize("family", FAMILIES)
def test_profile_is_read_of_every_module(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine sees every linear module, convolution, norm and bias, and their sizes."""
    monkeypatch.setattr(engine_profile, "_fingerprint", lambda _model: f"sha256:{'0' * 64}")

    found = engine_profile.read_profile(_base(family))

    assert found.modules == full_size_profile(family).modules
    assert found.vectors == widths(family)
    assert found.token_widths == full_size_profile(family).token_widths


@pytest.mark.parametrize("family", FAMILIES)
def test_every_kohya_name_is_one_module(family: str) -> None:
    """Every name of every layer and norm is known, and no two modules share one."""
    named = rows(family)
    expected: dict[str, set[tuple[str, str]]] = {}
    for row in named:
        for name in _kohya_names(row, is_alone=family != "sdxl"):
            expected.setdefault(name, set()).add(row.target)

    found = kohya_modules(full_size_profile(family))

    assert len({row.kohya for row in named}) == len(named)
    assert len({row.original for row in named} - {""}) == sum(r.component == "unet" for r in named)
    assert dict(found) == {
        name: next(iter(targets)) for name, targets in expected.items() if len(targets) == 1
    }
    shared = {name for name, targets in expected.items() if len(targets) > 1}
    assert all(name.startswith("lycoris_") for name in shared)
    assert bool(shared) == (family == "sdxl")


def _kohya_names(row: Row, *, is_alone: bool) -> set[str]:
    """Everything that kohya's code, LyCORIS or OneTrainer calls a module in underscores."""
    dotted = {row.module}
    if row.component == "unet":
        dotted.add(dotted_original(row))
        prefixes = ["lora_unet_", "oft_unet_"]
    else:
        dotted.add(row.module.removeprefix("text_model."))
        number = 1 + sorted(CLIPS).index(row.component)
        prefixes = [f"lora_te{number}_", *(["lora_te_"] if is_alone else [])]
    prefixes += ["lycoris_", f"lycoris_{row.component}_"]
    return {prefix + name.replace(".", "_") for prefix in prefixes for name in dotted}


CASES = [
    (family, dialect)
    for family in FAMILIES
    for dialect in DIALECTS
    # PEFT's names do not say which of two text encoders they mean: see the next test.
    if (family, dialect) != ("sdxl", "peft text_encoder")
]


@pytest.mark.parametrize(("family", "dialect"), CASES)
def test_file_of_every_module_is_applied(family: str, dialect: str, tmp_path: Path) -> None:
    """A LoRA of everything that a dialect can name is taken, each tensor at its own module."""
    path, named = _file(tmp_path, family, DIALECTS[dialect])
    config = tmp_path / "adapter_config.json"
    config.write_text(json.dumps({"peft_type": "LORA", "lora_alpha": 1, "r": 1}))
    files = [path, config] if dialect.startswith("peft") else [path]

    checked = check(files, profile=full_size_profile(family))

    assert checked.report.accepted, checked.report.problems
    assert {(layer.component, layer.module) for layer in checked.layers} == named
    assert checked.report.tensors_applied == checked.report.tensor_count == 2 * len(named)


def test_peft_names_of_both_encoders_are_refused(tmp_path: Path) -> None:
    """A name that both encoders of SDXL have is never given to one of them by chance."""
    path, _ = _file(tmp_path, "sdxl", DIALECTS["peft text_encoder"])

    report = check([path], profile=full_size_profile("sdxl")).report

    assert (report.accepted, report.tensors_applied) == (False, 0)


def test_original_names_are_those_of_diffusers() -> None:
    """What diffusers makes of a file with SDXL's original names is what the table says."""
    unet = [row for row in layers("sdxl") if row.component == "unet"]
    tensors = {kohya_original(row, "down"): row.target for row in unet}
    config = SimpleNamespace(layers_per_block=recipe("sdxl")["unet"]["layers_per_block"])

    blocks = theirs._maybe_map_sgm_blocks_to_diffusers(dict(tensors), config)
    converted = {theirs._convert_unet_lora_key(key): target for key, target in blocks.items()}
    found = convert_unet_state_dict_to_peft(converted)

    assert {key.partition(".lora")[0]: target[1] for key, target in found.items()} == {
        row.module: row.module for row in unet
    }


def test_table_is_made_once_for_a_profile() -> None:
    """A server asks for it with every file; an equal profile is the same to it."""
    assert kohya_modules(sd_profile()) is kohya_modules(sd_profile())
    assert kohya_modules(sd_profile()) is not kohya_modules(sd_profile(widths=(8,)))


@pytest.mark.parametrize("family", FAMILIES)
def test_oldest_names_are_those_of_diffusers(family: str) -> None:
    """What diffusers makes of its oldest names is the module that they are applied to."""
    convert = {"unet": convert_unet_state_dict_to_peft}
    for row in layers(family):
        key = diffusers_oldest(row, "down")
        if key is not None:
            (peft,) = convert.get(row.component, convert_state_dict_to_peft)(
                {key: 0, "to_out_lora": 0}
            ).keys() - {"to_out_lora"}
            assert peft == f"{row.component}.{row.module}.lora_A.weight"


def _written(row: Row) -> list[object]:
    return [
        *(row.component, row.module, row.kind, row.inputs, row.outputs, list(row.kernel)),
        *(row.has_bias, row.kohya, row.original),
    ]


def _base(family: str) -> Base:
    models = build(family)
    unet = models.pop("unet")
    return Base(
        family=family,
        source=family,
        text_parts=tuple(
            TextPart(component=name, model=model, tokenizer=None) for name, model in models.items()
        ),
        network=UNet(unet),
        vae=None,
        scheduler_config={},
        latent_factor=8,
        is_empty_zero=False,
        text_layout=CLIP_JOINED if len(models) > 1 else CLIP,
    )


@pytest.mark.parametrize(
    ("module", "original"),
    [
        ("down_blocks.0.attentions.0.proj_in", "input_blocks_1_1_proj_in"),
        (
            "down_blocks.0.attentions.1.transformer_blocks.0.attn1.to_q",
            "input_blocks_2_1_transformer_blocks_0_attn1_to_q",
        ),
        (
            "down_blocks.2.attentions.1.transformer_blocks.0.attn2.to_out.0",
            "input_blocks_8_1_transformer_blocks_0_attn2_to_out_0",
        ),
        (
            "mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj",
            "middle_block_1_transformer_blocks_0_ff_net_0_proj",
        ),
        ("up_blocks.1.attentions.0.proj_out", "output_blocks_3_1_proj_out"),
        (
            "up_blocks.3.attentions.2.transformer_blocks.0.attn2.to_k",
            "output_blocks_11_1_transformer_blocks_0_attn2_to_k",
        ),
        ("down_blocks.1.resnets.0.time_emb_proj", "input_blocks_4_0_emb_layers_1"),
        ("up_blocks.0.resnets.2.time_emb_proj", "output_blocks_2_0_emb_layers_1"),
    ],
)
def test_original_names_follow_blocks(module: str, original: str) -> None:
    """The original code's names of SD1.5 are those that its files really have."""
    modules = kohya_modules(sd15_profile())

    assert modules[f"lora_unet_{original}"] == ("unet", module)
    assert modules["lora_unet_" + module.replace(".", "_")] == ("unet", module)
