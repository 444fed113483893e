# SPDX-License-Identifier: Apache-2.0
"""The picture that stands for a release: of its evidence, the one that shows it best. Pure.

In: a document of evidence, as its author wrote it. Out: the digest of one of its pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def best_picture(document: Mapping[str, Any]) -> str:
    """Give the digest of the best picture; empty: the document shows none.

    Of a report it is a candidate that somebody selected, else one of the prompt with the highest
    score; of pictures that were drawn to show a release, the first.
    """
    cells = [*document.get("candidates", ()), *document.get("cells", ())]
    drawn = [cell for cell in cells if cell.get("image")]
    if not drawn:
        return ""
    chosen = next((cell for cell in drawn if cell.get("selected")), None)
    if chosen is None:
        best = _best_prompt(document)
        chosen = next((cell for cell in drawn if cell.get("prompt") == best), drawn[0])
    return str(chosen["image"])


def _best_prompt(document: Mapping[str, Any]) -> int | None:
    """Return the place of the prompt with the highest score; controls have none."""
    judged: Sequence[Mapping[str, Any]] = document.get("prompts", ())
    if not judged:
        return None
    best = max(judged, key=lambda one: float(one.get("mean", 0.0)))
    texts = [one.get("prompt") for one in document.get("prompt_record", ())]
    return texts.index(best["prompt"]) if best.get("prompt") in texts else None
