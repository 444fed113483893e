# SPDX-License-Identifier: Apache-2.0
"""One text encoder: what transformers gives, with placeholders beside the vocabulary."""

from contextlib import nullcontext

import torch

from tabard_server.engine.engine import Engine
from tabard_server.engine.text.conditioning import Prompt


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
