# SPDX-License-Identifier: Apache-2.0
"""The little world that the demo base learns: one coloured shape on a plain background.

Scenes come out of a seeded generator; captions and 64x64 pictures come out of scenes.
Knows nothing of torch, of styles or of training.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
import random
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

IMAGE_SIZE_PX = 64
SUPERSAMPLING = 4

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (222, 32, 36),
    "orange": (250, 140, 20),
    "yellow": (250, 222, 40),
    "green": (30, 160, 60),
    "cyan": (50, 205, 225),
    "blue": (32, 70, 215),
    "purple": (125, 55, 205),
    "pink": (250, 130, 185),
}
BACKGROUNDS: dict[str, tuple[int, int, int]] = {
    "white": (248, 248, 248),
    "black": (14, 14, 16),
    "gray": (132, 132, 134),
    "brown": (96, 62, 40),
}
SIZES: dict[str, float] = {"small": 14.0, "medium": 18.5, "large": 23.5}
SHAPES: tuple[str, ...] = ("circle", "square", "triangle", "star", "heart", "ring", "cross")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One object: what it is, and where (centre, in pixels) it stands."""

    shape: str
    colour: str
    background: str
    size: str
    x: float
    y: float
    tilt_degrees: float = 0.0


def is_held_out(shape: str, colour: str, background: str) -> bool:
    """Say whether a combination is kept from training (about one in six)."""
    digest = hashlib.sha256(f"{shape}/{colour}/{background}".encode()).digest()
    return digest[0] < 43


def combinations(*, held_out: bool) -> list[tuple[str, str, str]]:
    """List the (shape, colour, background) combinations of one side of the split."""
    every = itertools.product(SHAPES, COLOURS, BACKGROUNDS)
    return [triple for triple in every if is_held_out(*triple) is held_out]


def make_scene(rng: random.Random, *, triple: tuple[str, str, str], jitter: float = 0.8) -> Scene:
    """Place one combination on the canvas; `jitter` is the share of the free room to use."""
    size = rng.choice(list(SIZES))
    slack = IMAGE_SIZE_PX / 2 - SIZES[size] - 3.0
    middle = IMAGE_SIZE_PX / 2
    return Scene(
        shape=triple[0],
        colour=triple[1],
        background=triple[2],
        size=size,
        x=middle + rng.uniform(-slack, slack) * jitter,
        y=middle + rng.uniform(-slack, slack) * jitter,
        tilt_degrees=rng.uniform(-6.0, 6.0),
    )


def caption(scene: Scene, rng: random.Random) -> str:
    """Describe a scene the way people do: parts are dropped at random."""
    words = [] if rng.random() < 0.1 else ["a"]
    if scene.size != "medium" and rng.random() < 0.5:
        words.append(scene.size)
    if rng.random() < 0.95:
        words.append(scene.colour)
    words.append(scene.shape)
    if rng.random() < 0.6:
        words += ["on", "a", scene.background, "background"]
    return " ".join(words)


def draw(scene: Scene, *, colour: tuple[int, int, int] | None = None) -> np.ndarray:
    """Draw a scene flat: uint8, height x width x 3."""
    alpha = mask(scene)[..., None]
    paint = np.array(colour or COLOURS[scene.colour], dtype=np.float32)
    ground = np.array(BACKGROUNDS[scene.background], dtype=np.float32)
    return np.clip(ground * (1 - alpha) + paint * alpha, 0, 255).astype(np.uint8)


def mask(scene: Scene) -> np.ndarray:
    """Return the coverage of the object, float32 in [0, 1], height x width."""
    side = IMAGE_SIZE_PX * SUPERSAMPLING
    canvas = Image.new("L", (side, side), 0)
    pen = ImageDraw.Draw(canvas)
    for points, value in outline(scene.shape):
        pen.polygon([_place(point, scene) for point in points], fill=value)
    small = canvas.resize((IMAGE_SIZE_PX, IMAGE_SIZE_PX), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32) / 255.0


@functools.cache
def outline(shape: str) -> list[tuple[list[tuple[float, float]], int]]:
    """Return the polygons of a shape in the unit circle, each with its fill (255 or 0)."""
    outlines: dict[str, list[tuple[list[tuple[float, float]], int]]] = {
        "circle": [(_arc(0.95), 255)],
        "ring": [(_arc(1.0), 255), (_arc(0.52), 0)],
        "square": [([(-0.82, -0.82), (0.82, -0.82), (0.82, 0.82), (-0.82, 0.82)], 255)],
        "triangle": [([(0.0, -0.98), (1.0, 0.78), (-1.0, 0.78)], 255)],
        "star": [(_star(), 255)],
        "heart": [(_heart(), 255)],
        "cross": [(_cross(0.32), 255)],
    }
    return outlines[shape]


def _place(point: tuple[float, float], scene: Scene) -> tuple[float, float]:
    angle = math.radians(scene.tilt_degrees)
    x = point[0] * math.cos(angle) - point[1] * math.sin(angle)
    y = point[0] * math.sin(angle) + point[1] * math.cos(angle)
    radius = SIZES[scene.size]
    return ((scene.x + x * radius) * SUPERSAMPLING, (scene.y + y * radius) * SUPERSAMPLING)


def _arc(radius: float) -> list[tuple[float, float]]:
    turns = (2 * math.pi * step / 72 for step in range(72))
    return [(radius * math.cos(turn), radius * math.sin(turn)) for turn in turns]


def _star() -> list[tuple[float, float]]:
    points = []
    for step in range(10):
        radius = 1.08 if step % 2 == 0 else 0.45
        turn = math.pi * step / 5 - math.pi / 2
        points.append((radius * math.cos(turn), radius * math.sin(turn)))
    return points


def _heart() -> list[tuple[float, float]]:
    points = []
    for step in range(72):
        turn = 2 * math.pi * step / 72
        x = 16 * math.sin(turn) ** 3
        y = (
            13 * math.cos(turn)
            - 5 * math.cos(2 * turn)
            - 2 * math.cos(3 * turn)
            - math.cos(4 * turn)
        )
        points.append((x / 16.5, -(y + 2.5) / 15.5))
    return points


def _cross(arm: float) -> list[tuple[float, float]]:
    end = 0.97
    return [
        (-arm, -end), (arm, -end), (arm, -arm), (end, -arm), (end, arm), (arm, arm),
        (arm, end), (-arm, end), (-arm, arm), (-end, arm), (-end, -arm), (-arm, -arm),
    ]  # fmt: skip
