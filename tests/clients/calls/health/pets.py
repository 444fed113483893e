# SPDX-License-Identifier: Apache-2.0
"""A small grid, as its document."""

from typing import Any

GRID: dict[str, Any] = {
    "v": 1,
    "kind": "grid",
    "name": "pets",
    "prompts": [
        {"text": "a {trigger} in a forest", "class_word": "dog"},
        {"text": "a {trigger} at sea"},
        {"text": "a photo of a bridge", "control": True},
    ],
    "seeds": [7, 8],
    "steps": 4,
    "width": 64,
    "height": 96,
    "guidance_scale": 5.0,
}
