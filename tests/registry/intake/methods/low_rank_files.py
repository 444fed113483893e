# SPDX-License-Identifier: Apache-2.0
"""LoCons, LoHas and LoKrs for a base of a few modules, and what their check must say."""

from pathlib import Path

import numpy as np
from safetensors import safe_open

from tabard_registry import (
    BaseProfile,
    Checked,
    Manifest,
    ModuleShape,
    Report,
    check,
    sha256_bytes,
    write_canonical,
)
from tabard_registry.content.storing import assemble_manifest
from tabard_registry.refs.semver import Version
from tabard_registry.release.release import ReleaseDraft
from tests.registry.fakes import NAME, Tensors, linear, write
from tests.registry.intake.lora_files import reasons

CONV = "lora_unet_down_blocks_0_downsamplers_0_conv"
LINEAR = "lora_unet_mid_block_fc"
PROFILE = BaseProfile(
    family="sd1",
    fingerprints={"unet": str(sha256_bytes(b"unet"))},
    modules={
        "unet": {
            "down_blocks.0.attentions.0.proj_in": linear(8, 8),
            "down_blocks.0.downsamplers.0.conv": ModuleShape(
                kind="conv2d", inputs=8, outputs=16, kernel=(3, 3)
            ),
            "mid_block.fc": linear(12, 16),
        }
    },
    token_widths={},
)


def ones(*shape: int, dtype: str = "float32") -> np.ndarray:
    """A tensor of ones."""
    return np.ones(shape, dtype)


def locon(stem: str = CONV, **more: np.ndarray) -> Tensors:
    """A LoCon of rank 2 on the convolution."""
    parts = {"lora_down.weight": ones(2, 8, 3, 3), "lora_up.weight": ones(16, 2, 1, 1), **more}
    return {f"{stem}.{part}": value for part, value in parts.items()}


def lora(**more: np.ndarray) -> Tensors:
    """A LoRA of rank 2 on the linear layer."""
    parts = {"lora_down.weight": ones(2, 12), "lora_up.weight": ones(16, 2), **more}
    return {f"{LINEAR}.{part}": value for part, value in parts.items()}


def loha(rank: int = 2, **more: np.ndarray) -> Tensors:
    """A LoHa on the linear layer."""
    parts = {
        f"hada_w{n}_{side}": ones(16, rank) if side == "a" else ones(rank, 12)
        for n in (1, 2)
        for side in "ab"
    }
    return {f"{LINEAR}.{part}": value for part, value in {**parts, **more}.items()}


def conv_loha(rank: int = 2, **more: np.ndarray) -> Tensors:
    """A LoHa on the convolution, its kernel in dimensions of its own, as OneTrainer writes it."""
    parts = {
        f"hada_w{n}_{side}": ones(16, rank, 1, 1) if side == "a" else ones(rank, 8, 3, 3)
        for n in (1, 2)
        for side in "ab"
    }
    return {f"{CONV}.{part}": value for part, value in {**parts, **more}.items()}


def lokr(**parts: np.ndarray) -> Tensors:
    """A LoKr on the linear layer."""
    return {f"{LINEAR}.lokr_{part}": value for part, value in parts.items()}


def conv_lokr(**parts: np.ndarray) -> Tensors:
    """A LoKr on the convolution."""
    return {f"{CONV}.lokr_{part}": value for part, value in parts.items()}


def checked(folder: Path, tensors: Tensors, **options: object) -> Checked:
    """Check tensors as one file."""
    path = write(folder / "x.safetensors", tensors)
    return check([path], profile=PROFILE, **options)  # type: ignore[arg-type]


def manifest_of(result: Checked, folder: Path) -> Manifest:
    """The manifest of accepted files, whose canonical file is written."""
    draft = ReleaseDraft(adapter=NAME, version=Version.parse("1.0.0"))
    canonical = write_canonical(result, folder / "canonical")
    return assemble_manifest(draft, checked=result, canonical=canonical)


def canonical_bytes(result: Checked, folder: Path) -> int:
    """Bytes of the tensors alone."""
    manifest_of(result, folder)
    with safe_open(folder / "canonical", "np") as file:
        return sum(file.get_tensor(key).nbytes for key in file.keys())  # noqa: SIM118


def assert_becomes_pair(tensors: Tensors, rank: int, scale: float, *, folder: Path) -> None:
    """All tensors are applied, at the rank and scale that the method amounts to."""
    result = checked(folder, tensors)

    report = result.report
    assert (report.accepted, report.problems) == (True, ())
    assert report.tensors_applied == report.tensor_count == len(tensors)
    assert [(layer.rank, layer.scale) for layer in result.layers] == [(rank, scale)]
    assert report.resident_bytes == canonical_bytes(result, folder)


def assert_refused(report: Report, reason: str, detail: str) -> None:
    """There is one problem, with its reason, what is wrong, and a remedy."""
    assert reasons(report) == [reason] and not report.accepted
    assert detail in report.problems[0].message and report.problems[0].remedy


LORAS: dict[str, tuple[Tensors, int, float]] = {
    "LoCon": (locon(alpha=np.full((), 1, "float32")), 2, 0.5),
    "Tucker": (
        locon()
        | {
            f"{CONV}.lora_down.weight": ones(2, 8, 1, 1),
            f"{CONV}.lora_mid.weight": ones(2, 2, 3, 3),
        },
        2,
        1.0,
    ),
    "kernel in columns": (locon() | {f"{CONV}.lora_down.weight": ones(2, 72)}, 2, 1.0),
    "original name": (locon("lora_unet_input_blocks_2_0_op"), 2, 1.0),
}


LOHAS: dict[str, tuple[Tensors, int, float]] = {
    "LoHa": (loha(alpha=np.full((), 1, "float32")), 4, 0.5),
    "LoHa of a kernel": (conv_loha(alpha=np.full((), 1, "float32")), 4, 0.5),
    "LoHa of a kernel in columns": (
        {
            key: value.reshape(2, 72) if key.endswith("_b") else value[..., 0, 0]
            for key, value in conv_loha().items()
        },
        4,
        1.0,
    ),
    "LoHa with cores": (
        {
            f"{CONV}.hada_{part}": ones(*shape)
            for n in (1, 2)
            for part, shape in (
                (f"w{n}_a", (2, 16)),
                (f"w{n}_b", (2, 8)),
                (f"t{n}", (2, 2, 3, 3)),
            )
        },
        4,
        1.0,
    ),
}


LOKRS: dict[str, tuple[Tensors, int, float]] = {
    "LoKr": (lokr(w1=ones(4, 4), w2_a=ones(4, 1), w2_b=ones(1, 3)), 4, 1.0),
    "LoKr of two pairs": (
        lokr(w1_a=ones(8, 2), w1_b=ones(2, 6), w2_a=ones(2, 2), w2_b=ones(2, 2)),
        4,
        1.0,
    ),
    "LoKr of two wholes": (
        {**lokr(w1=ones(4, 4), w2=ones(4, 3)), f"{LINEAR}.alpha": np.full((), 5, "float32")},
        12,
        1.0,
    ),
    "LoKr of a kernel in columns": (conv_lokr(w1=ones(4, 4), w2=ones(4, 18)), 16, 1.0),
    "LoKr of a kernel in both": (conv_lokr(w1=ones(4, 6), w2=ones(4, 12)), 16, 1.0),
    "LoKr of a kernel": (conv_lokr(w1=ones(4, 4), w2=ones(4, 2, 3, 3)), 16, 1.0),
}
