# SPDX-License-Identifier: Apache-2.0
"""A Textual Inversion as diffusers writes it: the token is the key; for SDXL the encoders are.

Words that came with layers go back among them, as OneTrainer bundles them.
"""

from __future__ import annotations

import numpy as np

from tabard_registry.content.canonical import Canonical
from tabard_registry.export.tensors import CannotHold, Tensors
from tabard_registry.intake.dialects.bundled import PREFIX
from tabard_registry.intake.dialects.textual_inversion import PAIR
from tabard_registry.release.manifest import Manifest


def write(canonical: Canonical, manifest: Manifest) -> tuple[Tensors, dict[str, str]]:
    """Write the vectors of one token.

    Raises:
        CannotHold: There are several tokens.
    """
    tokens = sorted({one.token for one in manifest.tokens})
    if len(tokens) > 1:
        raise CannotHold(f"a file holds one token, this release has {', '.join(tokens)}")
    keys = {component: key for key, component in PAIR.items()}
    if len(canonical.tokens) == 1:
        keys = dict.fromkeys(canonical.tokens, tokens[0])
    tensors = {
        keys[component]: np.ascontiguousarray(found)
        for component, found in canonical.tokens.items()
    }
    return tensors, {"format": "pt", "modelspec.trigger_phrase": tokens[0]}


def bundle(canonical: Canonical, manifest: Manifest) -> Tensors:
    """Write every word as tensors beside the layers of a file."""
    names = {component: key for key, component in PAIR.items()}
    taken: dict[str, int] = {}
    tensors: Tensors = {}
    for one in manifest.tokens:
        first = taken.get(one.component, 0)
        taken[one.component] = first + one.count
        rows = canonical.tokens[one.component][first : first + one.count]
        tensors[f"{PREFIX}{one.token}.{names[one.component]}"] = np.ascontiguousarray(rows)
    return tensors
