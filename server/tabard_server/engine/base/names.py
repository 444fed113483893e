# SPDX-License-Identifier: Apache-2.0
"""How the parts of a base are called: by the classic checkpoints, and by the loaded models.

Text encoder layers carried `text_model.` for years, and some libraries still call them so. A plain
name is one without it: the same for every library, and for every file.
"""

from collections.abc import Mapping
from typing import Any

TEXT_PREFIX = "text_model."
TEXT_PROJECTION = "text_projection"
"""The one layer of a text encoder that never stood below `text_model.`"""


def classic_name(name: str, component: str) -> str:
    """Return how the profile calls a module that the model calls `name`."""
    if component == "unet" or name.startswith(TEXT_PREFIX) or name == TEXT_PROJECTION:
        return name
    return TEXT_PREFIX + name


def plain_weights(model: Any) -> Mapping[str, Any]:
    """Return the weights that a file must hold for a model, by their plain names."""
    return {name.removeprefix(TEXT_PREFIX): value for name, value in model.state_dict().items()}
