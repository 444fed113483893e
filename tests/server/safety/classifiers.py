# SPDX-License-Identifier: Apache-2.0
"""Classifiers that a test steers, and a tiny one of random weights, as transformers saves it."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tabard_server.engine_port.drawing import Pixels
from tabard_server.safety.settings import SafetyLabel, SafetySettings

PATIENCE_SECONDS = 60.0
LABELS = ("drawing", "gore", "nsfw")


def safety(
    policy: Any = "withhold", *, path: str = "/models/eye", **changes: Any
) -> SafetySettings:
    """Return settings by which two of three labels count, one of them only when it is sure."""
    labels = (SafetyLabel(label="nsfw"), SafetyLabel(label="gore", threshold=0.9))
    return SafetySettings(**{"path": path, "labels": labels, "policy": policy, **changes})


def scores(**said: float) -> Mapping[str, float]:
    """Return scores; what is not said is 0."""
    return dict.fromkeys(LABELS, 0.0) | said


@dataclass(kw_only=True)
class Eye:
    """Gives what it is told for every picture, and remembers what it saw."""

    sees: Mapping[str, float] = field(default_factory=scores)
    error: Exception | None = None
    may_look: threading.Event | None = None
    is_looking: threading.Event = field(default_factory=threading.Event)
    seen: list[Pixels] = field(default_factory=list)

    def __call__(self, pixels: Pixels) -> Mapping[str, float]:
        self.is_looking.set()
        self.seen.append(pixels)
        if self.may_look is not None:
            assert self.may_look.wait(PATIENCE_SECONDS)
        if self.error is not None:
            raise self.error
        return self.sees


def save_vit(folder: Path, *, lifts: str = "", problem: str = "", **config: Any) -> Path:
    """Save a tiny ViT with three labels; `lifts` is the one that it sees in everything.

    Its weights are random and its head is biased, so that the verdict is known and the scores of
    two pictures still differ.
    """
    import torch  # noqa: PLC0415 - who steers an eye needs no model library
    from transformers import (  # noqa: PLC0415 - likewise
        ViTConfig,
        ViTForImageClassification,
        ViTImageProcessorPil,
    )

    torch.manual_seed(5)
    sizes = {"hidden_size": 32, "intermediate_size": 37, "num_attention_heads": 4}
    vit = ViTConfig(
        **sizes,
        num_hidden_layers=2,
        image_size=32,
        patch_size=8,
        id2label=dict(enumerate(LABELS)),
        label2id={label: at for at, label in enumerate(LABELS)},
        problem_type=problem or None,
        **config,
    )
    model = ViTForImageClassification(vit).eval()
    with torch.no_grad():
        model.classifier.weight.mul_(4.0)
        if lifts:
            model.classifier.bias[LABELS.index(lifts)] += 12.0
    model.save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def noise(seed: int = 1) -> Pixels:
    """Return a picture."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
