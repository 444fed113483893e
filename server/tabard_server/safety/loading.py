# SPDX-License-Identifier: Apache-2.0
"""Loads the safety classifier and tries it once: a server that starts has one that works.

In: its settings. Out: a function from pixels to scores by label, as the pipeline of `transformers`
for image classification gives them. On the CPU, in float32.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification

from tabard_server.engine_port.drawing import Pixels
from tabard_server.safety.files import refused, require_classifier
from tabard_server.safety.settings import SafetySettings
from tabard_server.safety.verdict import ScoresNotUsable, judge

_MULTI_LABEL = "multi_label_classification"
_PROBE_SIDE = 64


def load_classifier(
    settings: SafetySettings, *, bytes_max: int
) -> Callable[[Pixels], Mapping[str, float]]:
    """Load the classifier.

    Raises:
        BadSettings: It cannot be loaded, or gives no scores.
    """
    require_classifier(settings, bytes_max=bytes_max)
    # The libraries raise what they like of files that are cut off, or of another model.
    try:
        classify = _load(str(settings.folder))
    except Exception as error:
        raise refused(
            settings,
            "it cannot be loaded",
            reason="SAFETY_MODEL_UNREADABLE",
            hint="copy its files again, or name another model; code of a model's own is not run",
        ) from error
    try:
        judge(classify(_probe()), settings=settings)
    except (ScoresNotUsable, RuntimeError, ValueError, TypeError) as error:
        raise refused(
            settings,
            "of a picture it makes no scores",
            reason="SAFETY_MODEL_UNSUITABLE",
            hint="name a model for image classification",
        ) from error
    return classify


def _load(folder: str) -> Callable[[Pixels], Mapping[str, float]]:
    processor: Any = AutoImageProcessor.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False
    )
    model: Any
    model, said = AutoModelForImageClassification.from_pretrained(
        folder,
        dtype=torch.float32,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        output_loading_info=True,
    )
    if lacking := sorted([*said["missing_keys"], *map(str, said["mismatched_keys"])]):
        raise ValueError(f"{len(lacking)} weights are missing or of another shape: {lacking[0]}")
    model = model.eval().requires_grad_(False)
    config = model.config
    is_independent = config.problem_type == _MULTI_LABEL or config.num_labels == 1

    def classify(pixels: Pixels) -> Mapping[str, float]:
        with torch.inference_mode():
            given = processor(images=Image.fromarray(pixels), return_tensors="pt")
            logits = model(**given).logits[0].float()
        scores = torch.sigmoid(logits) if is_independent else torch.softmax(logits, dim=-1)
        return {str(config.id2label[at]): float(score) for at, score in enumerate(scores)}

    return classify


def _probe() -> Pixels:
    rng = np.random.Generator(np.random.PCG64(1))
    return rng.integers(0, 256, (_PROBE_SIDE, _PROBE_SIDE, 3), dtype=np.uint8)
