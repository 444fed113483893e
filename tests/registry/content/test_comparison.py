# SPDX-License-Identifier: Apache-2.0
"""Two releases side by side, measured against what numpy says of the whole matrices."""

from pathlib import Path

import numpy as np
import pytest

from tabard_registry import (
    AdapterRef,
    Author,
    BaseProfile,
    Registry,
    Release,
    ReleaseDraft,
    Version,
    check,
)
from tabard_registry.content import comparison
from tabard_registry.content.comparison import Comparison, LayerPair, compare_releases
from tests.registry.fakes import NAME, Tensors, kohya_tensors, sd_profile, targets_of, write

PROFILE = sd_profile(with_resnets=True)
LAYERS = targets_of(PROFILE)
STEM = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
RNG = np.random.default_rng(3)
ANN = Author(actor="ann")


def put(
    registry: Registry,
    version: str,
    tensors: Tensors,
    folder: Path,
    *,
    notes: str = "",
    metadata: dict[str, str] | None = None,
    profile: BaseProfile = PROFILE,
) -> Release:
    """Publish some tensors."""
    path = write(folder / f"{version}.safetensors", tensors, metadata=metadata)
    draft = ReleaseDraft(adapter=NAME, version=Version.parse(version), notes=notes)
    checked = check([path], profile=profile)
    return registry.publish(draft, checked=checked, files=[path], author=ANN).release


def compared(registry: Registry, left: Tensors, right: Tensors, folder: Path) -> Comparison:
    """Publish two releases and compare them."""
    releases = [
        put(registry, version, tensors, folder)
        for version, tensors in (("1.0.0", left), ("1.1.0", right))
    ]
    return compare_releases(registry, *releases)


def whole(tensors: Tensors, *, rank: int, alpha: float) -> np.ndarray:
    """The change of the one layer as a matrix."""
    up, down = (
        next(array for key, array in tensors.items() if f"lora_{name}" in key).astype("float64")
        for name in ("up", "down")
    )
    matrix: np.ndarray = alpha / rank * up @ down
    return matrix


def test_norms_are_those_of_the_matrices(registry: Registry, tmp_path: Path) -> None:
    """Each side's own, with its scale, and that of the difference, whatever the ranks."""
    layer = [one for one in LAYERS if one[1].endswith("attn1.to_q")][:1]
    left = kohya_tensors(PROFILE, rank=2, alpha=1.0, seed=1, modules=layer, dtype="float32")
    right = kohya_tensors(PROFILE, rank=4, alpha=3.0, seed=2, modules=layer, dtype="float32")

    [pair] = compared(registry, left, right, tmp_path).layers

    first, second = whole(left, rank=2, alpha=1.0), whole(right, rank=4, alpha=3.0)
    assert pair.left is not None and pair.right is not None
    assert (pair.left.rank, pair.right.rank, pair.left.method) == (2, 4, "LoRA")
    assert pair.left.norm == pytest.approx(np.linalg.norm(first))
    assert pair.right.norm == pytest.approx(np.linalg.norm(second))
    assert pair.distance == pytest.approx(np.linalg.norm(first - second))


def test_same_layers_have_no_distance(registry: Registry, tmp_path: Path) -> None:
    """What rounding leaves is none."""
    tensors = kohya_tensors(PROFILE, seed=1, modules=LAYERS[:3])

    found = compared(registry, tensors, tensors, tmp_path)

    assert [pair.distance for pair in found.layers] == [0.0] * 3


def test_layers_of_one_side_are_told(registry: Registry, tmp_path: Path) -> None:
    """A layer that only one release changes has no other side."""
    left = kohya_tensors(PROFILE, seed=1, modules=LAYERS[:2])
    right = kohya_tensors(PROFILE, seed=1, modules=LAYERS[1:3])

    sides = {
        pair.name: (pair.left is not None, pair.right is not None)
        for pair in compared(registry, left, right, tmp_path).layers
    }

    assert sides == {
        LAYERS[0][1]: (True, False),
        LAYERS[1][1]: (True, True),
        LAYERS[2][1]: (False, True),
    }


@pytest.mark.parametrize(
    ("parts", "rebuilt"),
    [
        (
            {f"hada_w{n}_{x}": (16, 24) if x == "a" else (24, 16) for n in (1, 2) for x in "ab"},
            lambda p: (p["hada_w1_a"] @ p["hada_w1_b"]) * (p["hada_w2_a"] @ p["hada_w2_b"]),
        ),
        ({"lokr_w1": (4, 4), "lokr_w2": (4, 4)}, lambda p: np.kron(p["lokr_w1"], p["lokr_w2"])),
        ({"diff": (16, 16)}, lambda p: p["diff"]),
    ],
    ids=["hadamard", "kronecker", "dense"],
)  # fmt: skip
def test_other_methods_are_measured(
    parts: dict[str, tuple[int, ...]], rebuilt: object, registry: Registry, tmp_path: Path
) -> None:
    """As the whole matrix that they are factors of."""
    arrays = {name: RNG.standard_normal(shape).astype("float32") for name, shape in parts.items()}
    tensors: Tensors = {f"{STEM}.{name}": array for name, array in arrays.items()}

    [pair] = compared(registry, tensors, tensors, tmp_path).layers

    assert callable(rebuilt)
    whole = rebuilt({name: array.astype("float64") for name, array in arrays.items()})
    assert pair.left is not None
    assert pair.left.norm == pytest.approx(np.linalg.norm(whole), rel=1e-4)


def test_what_depends_on_the_base_has_no_norm(registry: Registry, tmp_path: Path) -> None:
    """An orthogonal change is as long as the weight makes it."""
    tensors: Tensors = {
        f"{STEM}.oft_blocks": RNG.random((4, 4, 4)).astype("float32"),
        f"{STEM}.alpha": np.full((), 1e-3, "float32"),
    }

    [pair] = compared(registry, tensors, tensors, tmp_path).layers

    assert pair.left is not None
    assert (pair.left.method, pair.left.norm, pair.distance) == ("OFT", None, None)


def test_tokens_are_compared(registry: Registry, tmp_path: Path) -> None:
    """Vectors of an embedding, by their token."""
    vectors = np.full((2, 12), 2.0, dtype="float32")

    [pair] = compared(registry, {"<plum>": vectors}, {"<plum>": vectors * 2}, tmp_path).layers

    assert pair.left is not None
    assert (pair.name, pair.left.rank, pair.left.method) == ("<plum>", 2, "token")
    assert pair.distance == pytest.approx(np.linalg.norm(vectors))


def test_large_releases_are_not_measured(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Layers and ranks come from the manifest, and no byte is read."""
    monkeypatch.setattr(comparison, "MEASURED_BYTES_MAX", 0)
    tensors = kohya_tensors(PROFILE, seed=1, modules=LAYERS[:1])

    [pair] = compared(registry, tensors, tensors, tmp_path).layers

    assert pair.left is not None
    assert (pair.left.rank, pair.left.norm, pair.distance) == (2, None, None)


def test_recipes_are_compared_by_member(registry: Registry, tmp_path: Path) -> None:
    """A member's weight is its length."""
    put(registry, "1.0.0", kohya_tensors(PROFILE, seed=1, modules=LAYERS[:1]), tmp_path)
    mixes = [
        registry.publish_recipe(
            ReleaseDraft(adapter=NAME, version=Version.parse(version)),
            members=[AdapterRef.parse(f"{NAME}@1.0.0:{weight}")],
            author=ANN,
        ).release
        for version, weight in (("2.0.0", 0.5), ("2.1.0", 0.75))
    ]

    [pair] = compare_releases(registry, *mixes).layers

    assert isinstance(pair, LayerPair) and pair.left is not None and pair.right is not None
    assert (pair.name, pair.left.norm, pair.right.norm) == (f"{NAME}@1.0.0", 0.5, 0.75)


def test_fields_that_differ_are_told(registry: Registry, tmp_path: Path) -> None:
    """Words as they are shown, ranks, and the trainer's own; what is the same is not."""
    layer = LAYERS[:1]
    left = put(
        registry,
        "1.0.0",
        kohya_tensors(PROFILE, rank=2, modules=layer),
        tmp_path,
        notes="dry",
        metadata={"ss_steps": "100", "ss_epoch": "1"},
    )
    right = put(
        registry,
        "1.1.0",
        kohya_tensors(PROFILE, rank=4, modules=layer),
        tmp_path,
        metadata={"ss_steps": "200", "ss_epoch": "1"},
    )

    fields = compare_releases(registry, left, right).fields

    assert fields["notes"] == ("dry", "")
    assert fields["rank"] == ("2", "4")
    assert fields["training.ss_steps"] == ("100", "200")
    assert "training.ss_epoch" not in fields and "kind" not in fields
