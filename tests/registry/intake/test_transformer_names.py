# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tabard_registry import BaseProfile
from tabard_registry.intake.transformer_names import originals
from tests.registry.fakes import sd_profile
from tests.registry.intake.transformers import converted, flux_profile, sd3_profile

PROFILES = {"sd3": sd3_profile(), "flux": flux_profile()}
NORMS = ("query_norm", "key_norm")
"""Flux's code calls the weight of a norm its scale."""


def numbered(profile: BaseProfile) -> dict[str, object]:
    """An original checkpoint in which every row of every tensor has a number of its own."""
    found: dict[str, object] = {}
    start = 0
    for one in originals(profile):
        weight = "scale" if one.name.endswith(NORMS) else "weight"
        rows = np.arange(start, start + one.outputs)
        found[f"{one.name}.{weight}"] = rows
        is_norm = one.pieces[0].module not in profile.modules["transformer"]
        if not is_norm:
            found[f"{one.name}.bias"] = rows
        start += one.outputs
    if profile.family == "sd3":
        found["pos_embed"] = np.zeros(1)
        # diffusers' conversion reads a size here.
        width = profile.modules["transformer"]["context_embedder"].outputs
        found["context_embedder.weight"] = np.asarray(found["context_embedder.weight"]).reshape(
            width, 1
        )
    return found


@pytest.mark.parametrize("family", PROFILES)
def test_rows_are_those_of_diffusers(family: str) -> None:
    """Every tensor that diffusers converts is known, and each row lands where it puts it."""
    profile = PROFILES[family]
    theirs = converted(numbered(profile), family=family)
    theirs.pop("pos_embed.pos_embed", None)

    ours: dict[str, list[int]] = {}
    start = 0
    for one in originals(profile):
        for piece in one.pieces:
            rows = [start + row for first, end in piece.spans for row in range(first, end)]
            ours[piece.module] = rows
        start += one.outputs

    weights = {n.removesuffix(".weight"): x for n, x in theirs.items() if n.endswith(".weight")}
    assert {name: x.reshape(-1).tolist() for name, x in weights.items()} == ours
    assert all(theirs[n].tolist() == ours[n.removesuffix(".bias")] for n in theirs if "bias" in n)
    assert set(profile.modules["transformer"]) <= ours.keys()


def test_unet_has_no_originals_here() -> None:
    """Its names are built from block arithmetic, in the room of the dialects."""
    assert originals(sd_profile()) == ()
