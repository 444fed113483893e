# SPDX-License-Identifier: Apache-2.0
"""One T5: what transformers gives for whole texts and their padding."""

import pytest
import torch

from tabard_server.engine.base.loading import TextPart
from tabard_server.engine.base.text_layout import SD3
from tabard_server.engine.text.t5_encoder import T5Encoder
from tabard_server.engine_port.prompt_style import PLAIN, PromptStyle
from tests.server.engine.text import tiny_t5

TEXTS = ("a red circle", "a blue star on white")


@pytest.fixture(scope="module")
def part() -> TextPart:
    return TextPart(
        component="text_encoder_3",
        model=tiny_t5.new_encoder(1, 32).double(),
        tokenizer=tiny_t5.tokenizer(),
    )


@torch.inference_mode()
def test_states_equal_transformers(part: TextPart) -> None:
    """Padding is read as well: no mask is given, as in the pipelines of diffusers."""
    encoder = T5Encoder(part, layout=SD3)

    found = encoder.encode(encoder.read(TEXTS, style=PLAIN))

    ids = part.tokenizer(
        list(TEXTS), padding="max_length", max_length=256, return_tensors="pt"
    ).input_ids
    torch.testing.assert_close(found, part.model(ids)[0], rtol=1e-12, atol=1e-12)


@torch.inference_mode()
def test_plain_neighbour_is_not_weighed(part: TextPart) -> None:
    """A weight in one prompt leaves the other as it was, to the bit."""
    encoder = T5Encoder(part, layout=SD3)
    style = PromptStyle(syntax="a1111")

    plain = encoder.encode(encoder.read(TEXTS, style=style))
    weighed = encoder.encode(encoder.read(("a (red:1.3) circle", TEXTS[1]), style=style))

    assert torch.equal(plain[1], weighed[1])
    assert not torch.equal(plain[0], weighed[0])
