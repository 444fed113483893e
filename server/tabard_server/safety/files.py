# SPDX-License-Identifier: Apache-2.0
"""What lies at the path of the safety classifier, seen without a model library.

In: its settings. Out: nothing, or a refusal that says what to do, so that `tabard config check` may
ask. Reads no weights.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabard_server.errors import BadSettings
from tabard_server.safety.settings import SafetySettings

CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
_JSON_BYTES_MAX = 1 << 22
_LABELS_TOLD_MAX = 20
_HINT = (
    "give a folder that transformers saved of a model for image classification: config.json, "
    "preprocessor_config.json and model.safetensors"
)


def require_classifier(settings: SafetySettings, *, bytes_max: int) -> None:
    """See that a classifier is there, and knows the labels that count.

    Raises:
        BadSettings: It is not so.
    """
    folder = settings.folder
    if not folder.is_dir():
        raise refused(
            settings,
            "there is no such folder",
            reason="SAFETY_MODEL_MISSING",
            hint=f"nothing is downloaded: {_HINT}",
        )
    for name in (CONFIG, PREPROCESSOR):
        if not (folder / name).is_file():
            raise refused(
                settings, f"the folder has no {name}", reason="SAFETY_MODEL_UNREADABLE", hint=_HINT
            )
    _require_labels(settings, _read(settings, folder / CONFIG))
    _require_weights(settings, bytes_max=bytes_max)


def refused(
    settings: SafetySettings, what: str, *, reason: str, hint: str, name: str = "path"
) -> BadSettings:
    """Return the refusal of a classifier, named as the settings name it."""
    text = f"safety.{name}: of the classifier {settings.path}: {what}"
    return BadSettings(text, names=(f"safety.{name}",), reason=reason, hint=hint)


def _require_labels(settings: SafetySettings, config: Mapping[str, Any]) -> None:
    said = config.get("id2label")
    known = [str(one) for one in said.values()] if isinstance(said, dict) else []
    lacking = [one.label for one in settings.labels if one.label not in known]
    if lacking:
        names = ", ".join(map(repr, known[:_LABELS_TOLD_MAX])) or "none"
        raise refused(
            settings,
            f"it has no label {lacking[0]!r}",
            reason="SAFETY_MODEL_UNSUITABLE",
            hint=f"its labels are {names}",
            name="labels",
        )


def _require_weights(settings: SafetySettings, *, bytes_max: int) -> None:
    folder = settings.folder
    if not ((folder / WEIGHTS).is_file() or (folder / INDEX).is_file()):
        raise refused(
            settings,
            f"the folder has no {WEIGHTS}",
            reason="SAFETY_MODEL_UNREADABLE",
            hint="save the model with safe_serialization=True: pickles are not read",
        )
    size = sum(one.stat().st_size for one in folder.glob("*.safetensors"))
    if size > bytes_max:
        raise refused(
            settings,
            f"its weights have {size} bytes, and {bytes_max} are allowed",
            reason="SAFETY_MODEL_UNSUITABLE",
            hint="raise limits.encoder_bytes_max, or use a smaller model",
        )


def _read(settings: SafetySettings, path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            text = file.read(_JSON_BYTES_MAX + 1)
        found = json.loads(text) if len(text) <= _JSON_BYTES_MAX else None
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise refused(
            settings,
            f"{path.name} cannot be read as a table of JSON",
            reason="SAFETY_MODEL_UNREADABLE",
            hint="copy the files of the model again",
        )
    return found
