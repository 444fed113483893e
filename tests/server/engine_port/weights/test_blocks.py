# SPDX-License-Identifier: Apache-2.0
"""Blocks by the names of UIs: those of the sizes that were published, and how names are read."""

import re

import pytest
import torch
from diffusers import UNet2DConditionModel

from tabard_registry import BaseProfile, ModuleShape
from tabard_registry.intake.dialects.module_names import comfyui_modules
from tabard_server.engine_port.weights.blocks import Blocks
from tests.bench import full_size

SHORT = {
    "sd1": "BASE IN01 IN02 IN04 IN05 IN07 IN08 MID OUT03 OUT04 OUT05 OUT06 OUT07 OUT08 OUT09 OUT10 "
    "OUT11",
    "sdxl": "BASE IN04 IN05 IN07 IN08 MID OUT00 OUT01 OUT02 OUT03 OUT04 OUT05",
}
"""What the lists of 17 and 12 values stand for in UIs, with MID for M00."""
WHOLE = {"sd1": (12, 12), "sdxl": (9, 9)}


@pytest.fixture(scope="module")
def layers() -> dict[str, list[str]]:
    """Linear layers and convolutions of both sizes, without weights."""
    found = {}
    for family, config in (("sd1", full_size.SD15), ("sdxl", full_size.SDXL)):
        with torch.device("meta"):
            unet = UNet2DConditionModel(**config)
        found[family] = [
            name
            for name, module in unet.named_modules()
            if isinstance(module, torch.nn.Linear | torch.nn.Conv2d)
        ]
    return found


@pytest.mark.parametrize("family", SHORT)
def test_published_sizes_have_the_lists_of_uis(layers: dict[str, list[str]], family: str) -> None:
    """17 and 26 values for SD 1.x, 12 and 20 for SDXL, in the order that UIs write them."""
    blocks = Blocks(layers[family])

    inward, outward = WHOLE[family]
    whole = [f"IN{n:02}" for n in range(inward)] + ["MID"] + [f"OUT{n:02}" for n in range(outward)]
    assert blocks.lists == (tuple(SHORT[family].split()), ("BASE", *whole))


@pytest.mark.parametrize("family", SHORT)
def test_blocks_are_those_of_the_original_names(layers: dict[str, list[str]], family: str) -> None:
    """Every layer lies where its name in the original checkpoints says."""
    blocks = Blocks(layers[family])
    shape = ModuleShape(kind="linear", inputs=1, outputs=1)
    profile = BaseProfile(
        family=family,
        fingerprints={"unet": "sha256:" + "a" * 64},
        modules={"unet": dict.fromkeys(layers[family], shape)},
        token_widths={},
    )
    originals = {
        module: name
        for name, (component, module) in comfyui_modules(profile).items()
        if component == "unet" and re.match(r"(?:.*\.)?(?:input|output|middle)_block", name)
    }

    assert len(originals) > 200
    for module, name in originals.items():
        found = re.search(r"(input|output|middle)_blocks?\.(\d+)", name)
        assert found is not None
        side, number = found[1], int(found[2])
        index = blocks.index_of(module)
        expected = {"input": f"IN{number:02}", "output": f"OUT{number:02}", "middle": "MID"}[side]
        assert blocks.names[index] == expected, module


def test_what_lies_in_no_block_keeps_its_weight(layers: dict[str, list[str]]) -> None:
    """The time embedding and the last convolution are in none."""
    blocks = Blocks(layers["sd1"])

    assert blocks.index_of("time_embedding.linear_1") == len(blocks.names)
    assert blocks.index_of("conv_out") == len(blocks.names)
    assert blocks.names[blocks.index_of("conv_in.weight")] == "IN00"
    factors = blocks.factors([("IN00", 0.5), ("BASE", 0.1)])
    assert (factors[0], set(factors[1:])) == (0.5, {1.0})
    assert blocks.factors([("BASE", 0.1)]) == ()


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("IN04", ("IN04",)),
        ("in4", ("IN04",)),
        ("M00", ("MID",)),
        ("mid", ("MID",)),
        ("base", ("BASE",)),
        ("OUT12", ()),
        ("IN004", ()),
        ("MID1", ()),
        ("", ()),
    ],
)
def test_names_are_read_as_uis_write_them(
    layers: dict[str, list[str]], said: str, meant: tuple[str, ...]
) -> None:
    """Digits may lack their zero, and the middle has two names."""
    assert Blocks(layers["sd1"]).meant(said) == meant


def test_a_side_is_all_its_blocks(layers: dict[str, list[str]]) -> None:
    """IN and OUT stand for nine blocks each of SDXL."""
    blocks = Blocks(layers["sdxl"])

    assert (*blocks.meant("IN"), "MID", *blocks.meant("OUT")) == blocks.names


def test_transformers_have_double_and_single_blocks() -> None:
    """Every layer of a block lies in it, and what stands outside in none; both lists are one."""
    names = [
        "x_embedder",
        *(f"transformer_blocks.{n}.attn.to_q" for n in range(12)),
        "transformer_blocks.3.norm1.linear",
        *(f"single_transformer_blocks.{n}.proj_mlp" for n in range(2)),
        "proj_out",
    ]
    blocks = Blocks(names)

    double, single = tuple(f"D{n:02}" for n in range(12)), ("S00", "S01")
    assert blocks.names == (*double, *single)
    assert blocks.lists == (("BASE", *blocks.names),) * 2
    assert blocks.index_of("transformer_blocks.3.norm1.linear.weight") == 3
    assert blocks.index_of("single_transformer_blocks.1.proj_mlp") == 13
    assert blocks.index_of("x_embedder") == blocks.index_of("proj_out") == len(blocks.names)
    assert (blocks.meant("d3"), blocks.meant("S"), blocks.meant("S02")) == (("D03",), single, ())
