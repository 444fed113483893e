# SPDX-License-Identifier: Apache-2.0
"""A whole pipeline of SD1.5's size with random weights, as others read it from a folder.

In: a folder. Out: what `StableDiffusionPipeline.save_pretrained` writes, with the names of tensors
that published files have. Its tokenizer knows CLIP's ids of single letters, and no words.
"""

import json
import shutil
from collections.abc import Mapping
from itertools import islice, product
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionPipeline
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from tabard.cli.demo.catalog import find_material
from tests.bench import full_size
from tests.bench.alternatives.ways import let_through
from tests.golden.full_size.models import recipe

_WORDS, _TOKENS = 49408, 77
_BYTES = 256
_LETTERS = 2 * _BYTES
"""CLIP's first ids: each byte inside a word, and each at the end of one."""
_BEGIN, _END = "<|startoftext|>", "<|endoftext|>"


def write_base(
    folder: Path,
    *,
    unet: Mapping[str, Any] = full_size.SD15,
    vae: Mapping[str, Any] = full_size.VAE,
    text: Mapping[str, Any] | None = None,
) -> None:
    """Write the pipeline; the configs are of diffusers and transformers, `text` of what differs."""
    generator = torch.Generator().manual_seed(1)
    torch.manual_seed(1)
    network = full_size.new_unet(dtype=torch.float32, device=torch.device("cpu"), config=dict(unet))
    decoder = AutoencoderKL(**vae).requires_grad_(False)
    for module in (network, decoder):
        let_through(module, generator)
    tokenizer = _write_tokenizer(folder / "words")
    published = {
        name: one for name, one in recipe("sd1")["text_encoder"].items() if name != "class"
    }
    encoder = CLIPTextModel(
        CLIPTextConfig(
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            **{**published, **(text or {})},
        )
    )
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        timestep_spacing="linspace",
        steps_offset=1,
    )
    StableDiffusionPipeline(
        vae=decoder,
        text_encoder=encoder,
        tokenizer=tokenizer,
        unet=network,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    _name_as_published(folder / "text_encoder" / "model.safetensors")


def _write_tokenizer(folder: Path) -> CLIPTokenizer:
    """Make one with as many ids as CLIP's; those of letters are the same, the rest are pairs."""
    folder.mkdir(parents=True)
    material = find_material() / "base" / "tokenizer"
    known: dict[str, int] = json.loads((material / "vocab.json").read_text(encoding="utf-8"))
    letters = sorted(known, key=known.__getitem__)[:_LETTERS]
    pairs = list(islice(product(letters[:_BYTES], letters[_BYTES:]), _WORDS - _LETTERS - 2))
    words = [*letters, *("".join(pair) for pair in pairs), _BEGIN, _END]
    numbers = {word: number for number, word in enumerate(words)}
    (folder / "vocab.json").write_text(json.dumps(numbers), encoding="utf-8")
    merges = "\n".join(map(" ".join, pairs))
    (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}\n", encoding="utf-8")
    tokenizer = CLIPTokenizer.from_pretrained(str(folder), model_max_length=_TOKENS)
    shutil.rmtree(folder)
    return tokenizer


def _name_as_published(file: Path) -> None:
    """Write the prefix that files of this encoder have had since the first."""
    prefix = "text_model."
    tensors = {prefix + name.removeprefix(prefix): one for name, one in load_file(file).items()}
    save_file(tensors, file, metadata={"format": "pt"})
