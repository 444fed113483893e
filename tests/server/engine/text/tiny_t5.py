# SPDX-License-Identifier: Apache-2.0
"""A T5 of a few thousand weights, and a tokenizer for it: SD3.5's and Flux's, in small."""

import string
from pathlib import Path
from typing import Any

import torch
import transformers

TOKENS_MAX = 512
"""What the published tokenizers say they write."""
_SPACE = "▁"
_ENDS = ("<pad>", "</s>", "<unk>")
_WORDS = ("a", "red", "blue", "green", "circle", "square", "star", "on", "white", "of", "the")
_PIECES = ("ing", "ed", "er", "in", "an", "re", "st", "le", "ar")
_SENTINELS = 8
_ROUND = 16
"""Published encoders have a few words more than their tokenizers: a round number of them."""


def write_tokenizer(folder: Path) -> None:
    """Write a tokenizer as the published pipelines have it: words, pieces of words, letters."""
    tokenizer().save_pretrained(folder)


def new_config(*, width: int) -> Any:
    """Return the configuration of an encoder that is `width` wide."""
    size = len(_vocabulary())
    return transformers.T5Config(
        vocab_size=size + _ROUND - size % _ROUND,
        d_model=width,
        d_kv=8,
        d_ff=2 * width,
        num_layers=3,
        num_heads=4,
        relative_attention_num_buckets=8,
        relative_attention_max_distance=16,
        feed_forward_proj="gated-gelu",
        is_encoder_decoder=False,
        use_cache=False,
        tie_word_embeddings=False,
        architectures=["T5EncoderModel"],
    )


def new_encoder(seed: int, width: int) -> Any:
    """Return an encoder of random weights, those of its norms and positions among them."""
    model = transformers.T5EncoderModel(new_config(width=width))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            drawn = torch.randn(weight.shape, generator=generator)
            if name.endswith("norm.weight"):
                weight.copy_(1 + 0.1 * drawn)
            elif weight.shape[0] == model.config.vocab_size or "relative_attention" in name:
                weight.copy_(drawn)
            else:
                weight.copy_(drawn / weight.shape[1] ** 0.5)
    return model.eval().requires_grad_(False)


def tokenizer() -> Any:
    """Return the same tokenizer, made in memory."""
    return transformers.T5Tokenizer(
        vocab=_vocabulary(), extra_ids=_SENTINELS, model_max_length=TOKENS_MAX
    )


def _vocabulary() -> list[tuple[str, float]]:
    """List pieces with their logarithmic likelihood, words before letters."""
    letters = (*string.ascii_letters, *string.digits, *string.punctuation, *"éüßñ")
    scored = [
        *((piece, 0.0) for piece in _ENDS),
        (_SPACE, -2.0),
        *((_SPACE + word, -4.0) for word in _WORDS),
        *((piece, -6.0) for piece in _PIECES),
        *((letter, -8.0) for letter in letters),
    ]
    sentinels = ((f"<extra_id_{n}>", 0.0) for n in reversed(range(_SENTINELS)))
    return [*dict(scored).items(), *sentinels]
