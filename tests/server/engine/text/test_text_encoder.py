# SPDX-License-Identifier: Apache-2.0
"""One text encoder: what transformers gives, with placeholders beside the vocabulary."""

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from torch import nn

from tabard_server.engine.base.loading import TextPart, load_base
from tabard_server.engine.base.text_layout import CLIP, CLIP_JOINED, TextLayout
from tabard_server.engine.engine import Engine
from tabard_server.engine.text.conditioning import Prompt
from tabard_server.engine.text.text_encoder import TextEncoder, VirtualEmbedding
from tabard_server.engine_port.errors import RowNotPossible
from tabard_server.engine_port.prompt_style import PLAIN


def test_virtual_ids_leave_vocabulary_alone(engine: Engine) -> None:
    """Encoding with a placeholder changes nothing for the prompts without it."""

    def encode(text: str, vectors: torch.Tensor | None = None) -> torch.Tensor:
        known = {} if vectors is None else {"text_encoder": {"<plum>": vectors}}
        with torch.inference_mode():
            return engine._text._conditioner.encode(
                [Prompt(text=text)], placeholders=known, wearing=lambda *_: nullcontext()
            ).text

    before = encode("a red circle")
    worn = encode("a <plum> circle", torch.randn(2, 32, dtype=torch.float64))

    assert torch.equal(before, encode("a red circle"))
    assert not torch.equal(before, worn)


TEXTS = ("a red circle", "a blue star on white")


@pytest.fixture(scope="module")
def part(tiny_base: Path) -> TextPart:
    """The text part of a base of its own, whose embedding may be changed."""
    return load_base(str(tiny_base)).text_parts[0]


def encoder_of(part: TextPart, *, layout: TextLayout = CLIP) -> TextEncoder:
    return TextEncoder(part, layout=layout)


@torch.no_grad()
def hidden(
    encoder: TextEncoder,
    *texts: str,
    skip: int = 0,
    placeholders: Mapping[str, torch.Tensor] | None = None,
) -> torch.Tensor:
    """Return the hidden states of plain texts."""
    reading = encoder.read(texts, placeholders=placeholders or {}, style=PLAIN)
    states = encoder.encode(reading, clip_skips=[skip] * len(texts))[0]
    assert states is not None
    return states


@torch.no_grad()
def test_hidden_states_equal_transformers(part: TextPart) -> None:
    """The last layer; the last but one for a UNet that reads that."""
    found = hidden(encoder_of(part), *TEXTS)
    penultimate = hidden(encoder_of(part, layout=CLIP_JOINED), *TEXTS)

    ids = part.tokenizer(list(TEXTS), padding="max_length", return_tensors="pt").input_ids
    theirs = part.model(ids, output_hidden_states=True)
    torch.testing.assert_close(found, theirs.last_hidden_state)
    torch.testing.assert_close(penultimate, theirs.hidden_states[-2])


@torch.no_grad()
def test_skipped_layers_are_normed(part: TextPart) -> None:
    """An earlier layer of a small encoder goes through the last norm, as its UNet learned."""
    encoder = encoder_of(part)
    assert encoder.clip_skip_max >= 1

    found = hidden(encoder, TEXTS[0], skip=1)

    ids = part.tokenizer(TEXTS[0], padding="max_length", return_tensors="pt").input_ids
    earlier = part.model(ids, output_hidden_states=True).hidden_states[-2]
    model = getattr(part.model, "text_model", part.model)
    torch.testing.assert_close(found, model.final_layer_norm(earlier))


def test_skip_is_bounded_by_the_layers(part: TextPart) -> None:
    """One layer is always read."""
    encoder = encoder_of(part)

    with pytest.raises(RowNotPossible) as caught:
        hidden(encoder, TEXTS[0], skip=encoder.clip_skip_max + 1)

    assert caught.value.reason == "CLIP_SKIP_OUT_OF_RANGE"


def test_known_vectors_stand_for_their_words(part: TextPart) -> None:
    """A placeholder taught with the vectors of words is those words."""
    encoder, embedding = encoder_of(part), part.model.get_input_embeddings()
    ids = part.tokenizer("red circle", add_special_tokens=False).input_ids
    vectors = embedding.weight[ids].detach()

    found = hidden(encoder, "a <it>", placeholders={"<it>": vectors})

    torch.testing.assert_close(found, hidden(encoder, "a red circle"))
    assert embedding.virtual is None


def test_virtual_rows_lie_above_the_vocabulary() -> None:
    """Ids of the vocabulary read its table, and those above it the table of the moment."""
    embedding = nn.Embedding(5, 3)
    embedding.__class__ = VirtualEmbedding
    assert isinstance(embedding, VirtualEmbedding)
    embedding.virtual = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])

    found = embedding(torch.tensor([[4, 6, 5, 0]]))

    expected = torch.stack([embedding.weight[4], *embedding.virtual.flip(0), embedding.weight[0]])
    assert torch.equal(found[0], expected)
