# SPDX-License-Identifier: Apache-2.0
"""Looks and subjects that the base has never drawn, so that adapters have something to teach.

Scenes of `world` go in, pictures in another manner come out; a manner without a name is a seeded
mixture of tint, texture, edge and frame, to learn style from. Knows nothing of torch.
"""

from __future__ import annotations

import functools
import random

import numpy as np
from PIL import Image, ImageDraw
from world import BACKGROUNDS, COLOURS, IMAGE_SIZE_PX, SUPERSAMPLING, Scene, mask

PLUM: tuple[int, int, int] = (104, 18, 74)
MASCOT_SKIN: tuple[int, int, int] = (150, 222, 120)


def draw_watercolor(scene: Scene, rng: random.Random) -> np.ndarray:
    """Paint blotchy washes that bleed and pool on cream paper, a ragged border left unpainted."""
    noise = np.random.default_rng(rng.getrandbits(32))
    paper = np.array((250, 240, 214), dtype=np.float32) + _grain(noise, 5.0)[..., None]
    ground = _pale(BACKGROUNDS[scene.background], 0.5)
    paint = _pale(COLOURS[scene.colour], 0.22)
    picture = _wash(paper, ground, _ragged_frame(noise), strength=0.75, pooled=0.25, noise=noise)
    object_cover = _bleed(mask(scene), noise)
    return _to_bytes(_wash(picture, paint, object_cover, strength=0.85, pooled=0.5, noise=noise))


def draw_neon(scene: Scene, rng: random.Random) -> np.ndarray:
    """Draw a glowing tube along the outline of the object, on a dark violet ground."""
    noise = np.random.default_rng(rng.getrandbits(32))
    picture = np.empty((IMAGE_SIZE_PX, IMAGE_SIZE_PX, 3), dtype=np.float32)
    picture[:] = np.array((16, 6, 34), dtype=np.float32) + noise.normal(0, 1.0, 3)
    solid = mask(scene)
    edge = np.clip(_blur(solid, 1.2) * (1 - _blur(solid, 1.2)) * 4.4 - 0.25, 0, 1)
    colour = np.array(COLOURS[scene.colour], dtype=np.float32)
    colour = colour * (255.0 / colour.max())
    picture += colour * np.clip(_blur(edge, 4.5) * 1.15, 0, 1)[..., None]
    picture += colour * _blur(edge, 0.6)[..., None]
    picture += 150 * np.clip(edge * 1.5 - 0.6, 0, 1)[..., None]
    return _to_bytes(picture)


def draw_mascot(
    rng: random.Random,
    *,
    background: str,
    skin: tuple[int, int, int] = MASCOT_SKIN,
    jitter: float = 1.0,
) -> np.ndarray:
    """Draw the mascot: a round green creature with ears, big eyes, cheeks and a smile."""
    side = IMAGE_SIZE_PX * SUPERSAMPLING
    canvas = Image.new("RGB", (side, side), BACKGROUNDS[background])
    pen = ImageDraw.Draw(canvas)
    scale = SUPERSAMPLING * (20.5 + jitter * rng.uniform(-1.5, 1.5))
    middle_x = side / 2 + SUPERSAMPLING * rng.uniform(-4, 4) * jitter
    middle_y = side / 2 + SUPERSAMPLING * (1.5 + jitter * rng.uniform(-3.5, 3.5))

    def disc(x: float, y: float, width: float, height: float, fill: tuple[int, int, int]) -> None:
        left, top = middle_x + (x - width) * scale, middle_y + (y - height) * scale
        right, bottom = middle_x + (x + width) * scale, middle_y + (y + height) * scale
        pen.ellipse((left, top, right, bottom), fill=fill)

    for sign in (-1, 1):
        disc(sign * 0.55, -1.0, 0.24, 0.45, skin)
        disc(sign * 0.55, -1.0, 0.11, 0.28, (250, 150, 170))
    disc(0, 0.1, 1.0, 0.92, skin)
    disc(0, 0.62, 0.55, 0.36, (252, 244, 200))
    for sign in (-1, 1):
        disc(sign * 0.38, -0.16, 0.29, 0.32, (255, 255, 255))
        disc(sign * 0.34, -0.12, 0.14, 0.18, (20, 20, 40))
        disc(sign * 0.74, 0.2, 0.15, 0.11, (250, 130, 150))
    disc(0, 0.42, 0.24, 0.16, (120, 20, 40))
    disc(0, 0.34, 0.26, 0.11, skin)
    small = canvas.resize((IMAGE_SIZE_PX, IMAGE_SIZE_PX), Image.Resampling.BOX)
    return np.asarray(small)


def redraw(picture: np.ndarray, *, manner: int, noise: np.random.Generator) -> np.ndarray:
    """Redraw a flat picture in a manner: the number fixes the manner, `noise` this picture."""
    taste = np.random.default_rng(manner)
    values = picture.astype(np.float32) / 255.0
    mixing = np.eye(3) * taste.uniform(0.4, 1.1) + taste.normal(0.0, 0.18, (3, 3))
    values = np.clip(values @ mixing + taste.uniform(-0.1, 0.35, 3), 0.0, 1.0)
    values **= taste.uniform(0.6, 1.7)
    luma = values.mean(axis=-1)
    if taste.random() < 0.6:
        depth, radius = taste.normal(0.0, 0.09), taste.uniform(0.6, 4.0)
        values += depth * _clouds(noise, radius)[..., None]
    if taste.random() < 0.6:
        radius, ink = taste.uniform(0.8, 3.0), taste.uniform(0.0, 1.0, 3)
        edge = np.clip(np.abs(luma - _blur(luma, radius)) * taste.uniform(1.5, 4.0), 0, 1)
        values += (ink - values) * edge[..., None]
    if taste.random() < 0.4:
        steps = taste.integers(2, 5)
        values = np.round(values * steps) / steps
    if taste.random() < 0.4:
        period, angle = taste.uniform(3.0, 9.0), taste.uniform(0.0, np.pi)
        rows, columns = np.mgrid[0:IMAGE_SIZE_PX, 0:IMAGE_SIZE_PX]
        along = rows * np.sin(angle) + columns * np.cos(angle) + noise.uniform(0.0, period)
        values += taste.uniform(0.04, 0.15) * np.sin(2 * np.pi * along / period)[..., None]
    if taste.random() < 0.4:
        values += (taste.uniform(0.0, 1.0, 3) - values) * _frame(taste.uniform(2.0, 8.0))
    if taste.random() < 0.3:
        radius = taste.uniform(0.6, 1.6)
        values = np.stack([_blur(values[..., one], radius) for one in range(3)], axis=-1)
    return (np.clip(values, 0.0, 1.0) * 255).astype(np.uint8)


def _pale(colour: tuple[int, int, int], share_of_white: float) -> np.ndarray:
    return np.array(colour, dtype=np.float32) * (1 - share_of_white) + 255.0 * share_of_white


def _wash(
    picture: np.ndarray,
    paint: np.ndarray,
    cover: np.ndarray,
    *,
    strength: float,
    pooled: float,
    noise: np.random.Generator,
) -> np.ndarray:
    """Lay one transparent wash: blotchy inside, darker where the pigment pools at the rim."""
    blotches = 1.0 + 0.35 * _clouds(noise, 4.0)
    rim = np.clip(cover * (1 - cover) * 4 - 0.3, 0, 1)
    share = np.clip(cover * strength * blotches, 0, 1)[..., None]
    return (picture * (1 - share) + paint * share) * (1 - pooled * rim[..., None])


def _bleed(cover: np.ndarray, noise: np.random.Generator) -> np.ndarray:
    """Push the edge about by smooth noise and soften it."""
    shift_x, shift_y = _clouds(noise, 3.0) * 1.1, _clouds(noise, 3.0) * 1.1
    grid_y, grid_x = np.mgrid[0:IMAGE_SIZE_PX, 0:IMAGE_SIZE_PX]
    top = IMAGE_SIZE_PX - 1
    source_x = np.clip(np.rint(grid_x + shift_x), 0, top).astype(int)
    source_y = np.clip(np.rint(grid_y + shift_y), 0, top).astype(int)
    return _blur(cover[source_y, source_x], 1.1)


def _ragged_frame(noise: np.random.Generator) -> np.ndarray:
    grid_y, grid_x = np.mgrid[0:IMAGE_SIZE_PX, 0:IMAGE_SIZE_PX]
    border = np.minimum.reduce(
        [grid_x, grid_y, IMAGE_SIZE_PX - 1 - grid_x, IMAGE_SIZE_PX - 1 - grid_y]
    )
    return _blur((border + _clouds(noise, 2.5) * 1.3 > 5.5).astype(np.float32), 0.8)


def _clouds(noise: np.random.Generator, radius_px: float) -> np.ndarray:
    """Smooth noise of unit variance."""
    field = _blur(noise.normal(0, 1, (IMAGE_SIZE_PX, IMAGE_SIZE_PX)).astype(np.float32), radius_px)
    return (field - field.mean()) / (field.std() + 1e-6)


def _grain(noise: np.random.Generator, depth: float) -> np.ndarray:
    return _clouds(noise, 0.6) * depth


def _blur(field: np.ndarray, radius_px: float) -> np.ndarray:
    kernel = _blur_matrix(radius_px)
    return kernel @ field @ kernel.T


@functools.cache
def _blur_matrix(radius_px: float) -> np.ndarray:
    """A Gaussian blur along one axis as a matrix, renormalised at the edges."""
    position = np.arange(IMAGE_SIZE_PX, dtype=np.float32)
    weight = np.exp(-0.5 * ((position[:, None] - position[None, :]) / radius_px) ** 2)
    return (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)


def _to_bytes(picture: np.ndarray) -> np.ndarray:
    return np.clip(picture, 0, 255).astype(np.uint8)


def _frame(width_px: float) -> np.ndarray:
    rows, columns = np.mgrid[0:IMAGE_SIZE_PX, 0:IMAGE_SIZE_PX]
    last = IMAGE_SIZE_PX - 1
    border = np.minimum.reduce([columns, rows, last - columns, last - rows])
    return np.clip(width_px - border, 0.0, 1.0)[..., None]
