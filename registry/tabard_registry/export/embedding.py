# SPDX-License-Identifier: Apache-2.0
"""A Textual Inversion as diffusers writes it: the token is the key; for SDXL the encoders are."""

from __future__ import annotations

import numpy as np

from tabard_registry.content.canonical import Canonical
from tabard_registry.export.tensors import CannotHold, Tensors
from tabard_registry.intake.dialects.textual_inversion import PAIR
from tabard_registry.release.manifest import Manifest


def write(canonical: Canonical, manifest: Manifest) -> tuple[Tensors, dict[str, str]]:
    """Write the vectors of one token.

    Raises:
        CannotHold: There are several tokens, or layers beside them.
    """
    tokens = sorted({one.token for one in manifest.tokens})
    if len(tokens) > 1:
        raise CannotHold(f"a file holds one token, this release has {', '.join(tokens)}")
    if canonical.layers or canonical.changes:
        raise CannotHold("it changes layers, too")
    keys = {component: key for key, component in PAIR.items()}
    if len(canonical.tokens) == 1:
        keys = dict.fromkeys(canonical.tokens, tokens[0])
    tensors = {
        keys[component]: np.ascontiguousarray(found)
        for component, found in canonical.tokens.items()
    }
    return tensors, {"format": "pt", "modelspec.trigger_phrase": tokens[0]}
