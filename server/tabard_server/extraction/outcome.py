# SPDX-License-Identifier: Apache-2.0
"""What an extraction has to say: what is kept, where, how well, and what is not carried.

Plain numbers without tensors; energies are sums of squared differences. Knows no files.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

INVISIBLE = 1.0
"""A mean difference of a picture, in steps of 1/255, that nobody sees."""
_NEARLY_NOTHING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerOutcome:
    """One parameter that differs and is carried.

    Attributes:
        component: `unet`, `text_encoder`, ….
        parameter: Its name in the base.
        block: `down_blocks.0`, `mid_block`, …, or the text encoder.
        form: `lora` for a pair, `diff`, `diff_b`, `w_norm` or `b_norm` for a whole difference.
        rank: Rank of the pair; 0 for a whole difference.
        energy: Squared difference from the base.
        kept_energy: Share of it that the file holds.
        relative_error: Length of what is lost, as a share of the difference.
        relative_change: Length of the difference, as a share of the base's parameter; None where
            that is all zeros.
    """

    component: str
    parameter: str
    block: str
    form: str
    rank: int
    energy: float
    kept_energy: float
    relative_error: float
    relative_change: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """One parameter that differs and is not carried.

    Attributes:
        component: `unet`, `text_encoder`, `vae`, ….
        parameter: Its name in the base.
        block: As of a layer.
        why: `embedding`, `vae`, `low_rank_only` or `unknown_kind`.
        energy: Squared difference from the base.
        relative_change: Length of the difference, as a share of the base's parameter; None where
            that is all zeros.
    """

    component: str
    parameter: str
    block: str
    why: str
    energy: float
    relative_change: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockOutcome:
    """A block of the model.

    Attributes:
        block: `down_blocks.0`, `mid_block`, …, `text_encoder`.
        layer_count: Parameters carried.
        left_out_count: Parameters not carried.
        rank_max: Largest rank.
        share: Share of the whole tuned model's squared difference that is here.
        kept_energy: Share of the block's own squared difference that the file holds.
        relative_error: Length of what is lost, as a share of the block's difference.
    """

    block: str
    layer_count: int
    left_out_count: int
    rank_max: int
    share: float
    kept_energy: float
    relative_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureError:
    """One compared picture of the adapter beside the tuned model's own.

    Attributes:
        prompt: What was drawn.
        seed: With which seed.
        pixel_max: Largest difference of a channel, in steps of 1/255.
        pixel_mean: Mean difference over all channels, in steps of 1/255.
        latent_error: Length of the latents' difference, as a share of the tuned model's.
        base_pixel_mean: The same mean for the base without the adapter, to compare with.
        base_latent_error: Likewise.
    """

    prompt: str
    seed: int
    pixel_max: int
    pixel_mean: float
    latent_error: float
    base_pixel_mean: float
    base_latent_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionOutcome:
    """Everything that is known of one extraction.

    Attributes:
        accepted: Whether the file was kept.
        checkpoint: As the caller wrote it.
        checkpoint_sha256: Of its file, or of its weight files' names and digests.
        base: As the caller wrote it.
        base_family: Family of the base, like `sdxl`.
        base_fingerprint: Fingerprint of the base's profile.
        file: Where the adapter lies.
        file_sha256: Its digest.
        file_bytes: Its size.
        mode: `rows` when it can be worn row by row, `merged` when only in a merged copy.
        rank_max: Largest rank chosen.
        kept_energy: Share of the squared difference that the file holds; of UNet and text encoders.
        relative_error: Length of what is lost, as a share of the difference.
        relative_change: Length of the difference, as a share of the base's UNet and text encoders.
        unchanged_count: Parameters equal to the base's.
        rounded_count: Parameters that differ by rounding to half precision only; not carried.
        layers: Parameters carried.
        left_out: Parameters that differ and are not carried.
        unused: Keys of the tuned model that belong to no parameter of the base.
        blocks: The same by block.
        pictures: Comparison pictures; empty without a comparison.
        image_error: Share of the way from the base's pictures to the tuned model's that is missing:
            0 is the tuned model, 1 the base without an adapter; None without a comparison.
        image_error_max: What it was allowed to be.
        warnings: What a person should know.
        seconds: How long it took.
    """

    accepted: bool
    checkpoint: str
    checkpoint_sha256: str
    base: str
    base_family: str
    base_fingerprint: str
    file: str
    file_sha256: str
    file_bytes: int
    mode: str
    rank_max: int
    kept_energy: float
    relative_error: float
    relative_change: float
    unchanged_count: int
    rounded_count: int
    layers: tuple[LayerOutcome, ...]
    left_out: tuple[LeftOut, ...]
    unused: tuple[str, ...]
    blocks: tuple[BlockOutcome, ...]
    pictures: tuple[PictureError, ...]
    image_error: float | None
    image_error_max: float
    warnings: tuple[str, ...]
    seconds: float


def blocks_of(
    layers: Sequence[LayerOutcome], left_out: Sequence[LeftOut]
) -> tuple[BlockOutcome, ...]:
    """Return the blocks of everything that differs, in the order of its first parameter."""
    missing = [one for one in left_out if one.component != "vae"]
    differing: tuple[LayerOutcome | LeftOut, ...] = (*layers, *missing)
    total = sum(one.energy for one in differing)
    names = dict.fromkeys(one.block for one in differing)
    return tuple(
        _block(
            name,
            [one for one in layers if one.block == name],
            [one for one in missing if one.block == name],
            total=total,
        )
        for name in names
    )


def kept_share(layers: Iterable[LayerOutcome], left_out: Iterable[LeftOut]) -> float:
    """Return the share of the squared difference that is kept; the VAE's does not count."""
    layers = tuple(layers)
    whole = sum(one.energy for one in layers)
    whole += sum(one.energy for one in left_out if one.component != "vae")
    kept = sum(one.energy * one.kept_energy for one in layers)
    return min(1.0, kept / whole) if whole else 1.0


def missing_share(pictures: Sequence[PictureError]) -> float | None:
    """Return how much of the way from the base's pictures to the tuned model's is missing."""
    if not pictures:
        return None
    missing = sum(one.pixel_mean for one in pictures)
    whole = sum(one.base_pixel_mean for one in pictures)
    return missing / max(whole, _NEARLY_NOTHING)


def is_alike(pictures: Sequence[PictureError], *, image_error_max: float) -> bool:
    """Say whether pictures are near enough: by their share, or because nobody could tell."""
    missing = missing_share(pictures)
    if missing is None or missing <= image_error_max:
        return True
    return max(one.pixel_mean for one in pictures) <= INVISIBLE and image_error_max > 0


def lost_length(kept_energy: float) -> float:
    """Return the length of what is lost, as a share of the whole, from the energy that is kept."""
    return math.sqrt(max(0.0, 1 - kept_energy))


def _block(
    name: str, layers: Sequence[LayerOutcome], left_out: Sequence[LeftOut], *, total: float
) -> BlockOutcome:
    kept = kept_share(layers, left_out)
    return BlockOutcome(
        block=name,
        layer_count=len(layers),
        left_out_count=len(left_out),
        rank_max=max((one.rank for one in layers), default=0),
        share=(sum(one.energy for one in layers) + sum(one.energy for one in left_out)) / total,
        kept_energy=kept,
        relative_error=lost_length(kept),
    )
