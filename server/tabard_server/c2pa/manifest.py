# SPDX-License-Identifier: Apache-2.0
"""What a manifest says of a picture: that a model made it, by what, and from which pictures.

In: how it came to be, as IPTC's word, and the digests of what was sent. Out: a definition as C2PA
has it. Nothing of who asked, and no prompt: that stands in the file, which the manifest covers.
"""

from collections.abc import Mapping
from typing import Any

GENERATOR = "Tabard"
"""How the maker is named."""


def manifest_of(*, source: str, inputs: Mapping[str, str], version: str) -> dict[str, Any]:
    """Return the definition of a manifest.

    Args:
        source: IPTC's digital source type.
        inputs: SHA-256 as hexadecimal of the pictures that were sent, by what they are.
        version: Of Tabard.
    """
    maker = {"name": GENERATOR, "version": version}
    ingredients = [
        {
            "title": what,
            "relationship": "inputTo",
            "instance_id": f"sha256:{digest}",
            "label": f"input_{number}",
        }
        for number, (what, digest) in enumerate(inputs.items())
    ]
    action: dict[str, Any] = {
        "action": "c2pa.created",
        "digitalSourceType": source,
        "softwareAgent": maker,
    }
    if ingredients:
        action["parameters"] = {"ingredientIds": [one["label"] for one in ingredients]}
    return {
        "claim_generator_info": [maker],
        "ingredients": ingredients,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
    }
