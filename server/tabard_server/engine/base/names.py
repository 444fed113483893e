# SPDX-License-Identifier: Apache-2.0
"""How the parts of a base are called: by the classic checkpoints, and by the loaded models.

Text encoder layers carried `text_model.` for years, and some libraries still call them so. A plain
name is one without it: the same for every library, and for every file.
"""

from collections.abc import Mapping
from typing import Any

from tabard_registry.intake.dialects.module_names import T5_PREFIX
from tabard_registry.intake.profile import DENOISERS

TEXT_PREFIX = "text_model."
TEXT_PROJECTION = "text_projection"
"""The one layer of a text encoder that never stood below `text_model.`"""
_AS_THEY_ARE = (TEXT_PREFIX, T5_PREFIX)


def classic_name(name: str, component: str) -> str:
    """Return how the profile calls a module that the model calls `name`."""
    if component in DENOISERS or name.startswith(_AS_THEY_ARE) or name == TEXT_PROJECTION:
        return name
    return TEXT_PREFIX + name


def plain_weights(model: Any) -> Mapping[str, Any]:
    """Return the weights that a file must hold for a model, by their plain names."""
    tied = tied_weights(model)
    return {
        name.removeprefix(TEXT_PREFIX): value
        for name, value in model.state_dict().items()
        if name not in tied
    }


def tied_weights(model: Any) -> Mapping[str, str]:
    """Return which weights of a model are others under a second name, by that name."""
    return dict(getattr(model, "_tied_weights_keys", None) or {})
