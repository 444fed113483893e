# SPDX-License-Identifier: Apache-2.0
"""One T5: whole prompts, each padded to the length of its pipeline, to hidden states.

In: prompts of one row. Out: a tensor on the encoder's device. Padding is read as well, as diffusers
reads it and the network was trained on it. Knows nothing of the CLIPs beside it.
"""

from collections.abc import Sequence

import torch

from tabard_server.engine.base.loading import TextPart
from tabard_server.engine.base.text_layout import TextLayout
from tabard_server.engine.text.prompt_reader import Window
from tabard_server.engine.text.t5_reader import T5Reader
from tabard_server.engine.text.text_encoder import weigh
from tabard_server.engine_port.prompt_style import PromptStyle


class T5Encoder:
    """Encodes one row's prompts."""

    def __init__(self, part: TextPart, *, layout: TextLayout) -> None:
        """Take the encoder with its tokenizer, and how long its texts are."""
        self.component = part.component
        self._model = part.model
        self._reader = T5Reader(part.tokenizer, layout=layout)

    def read(self, prompts: Sequence[str], *, style: PromptStyle) -> list[Window]:
        """Tokenize prompts, each as long as the longest of them wants.

        Raises:
            PromptTooLong: A text does not fit.
            RowNotPossible: A text is not written in its syntax.
        """
        return self._reader.windows(prompts, style)

    def encode(self, windows: Sequence[Window]) -> torch.Tensor:
        """Return hidden states `[prompts, length, width]`, weighed as CLIP's are."""
        device = self._model.get_input_embeddings().weight.device
        ids = torch.tensor([window.ids for window in windows]).to(device)
        return weigh(self._model(ids).last_hidden_state, windows=windows)
