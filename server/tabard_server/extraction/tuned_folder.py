# SPDX-License-Identifier: Apache-2.0
"""A diffusers folder as a tuned model: which files hold its weights, and under what names."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tabard_registry.refs.digest import sha256_file
from tabard_server.engine.base.loading import Base
from tabard_server.engine.base.profile import TEXT_PREFIX
from tabard_server.extraction.errors import TunedModelMismatch, TunedModelUnreadable
from tabard_server.extraction.tuned_model import TunedModel, read_tensors

_WEIGHTS = re.compile(
    r"(?:diffusion_pytorch_model|model)(?P<variant>\.fp16)?(?:-\d+-of-\d+)?(?P<late>\.fp16)?"
    r"\.safetensors"
)
# What older versions of diffusers call the attention of a VAE.
_OLD_NAMES = {
    ".query.": ".to_q.",
    ".key.": ".to_k.",
    ".value.": ".to_v.",
    ".proj_attn.": ".to_out.0.",
}
_TEXT_ENCODERS = ("text_encoder", "text_encoder_2")


def open_folder(path: Path, *, base: Base) -> TunedModel:
    """Open a diffusers folder.

    Raises:
        TunedModelUnreadable: It holds no weights in safetensors.
        TunedModelMismatch: Its components are not those of the base.
    """
    if not (path / "model_index.json").is_file():
        raise TunedModelUnreadable(
            f"{path} has no model_index.json",
            hint="a diffusers folder holds model_index.json beside unet/, vae/, text_encoder/, …; "
            "an adapter's folder is published, not extracted",
        )
    _refuse_other_encoders(path, base=base)
    files = {component: _weight_files(path / component) for component in base.models}
    return TunedModel(
        path=path,
        sha256=_digest(files),
        components={
            component: {
                _plain(key): tensor for file in found for key, tensor in read_tensors(file).items()
            }
            for component, found in files.items()
        },
        prediction=_prediction(path),
    )


def _refuse_other_encoders(path: Path, *, base: Base) -> None:
    mine = {part.component for part in base.text_parts}
    theirs = {name for name in _TEXT_ENCODERS if (path / name).is_dir()}
    if mine != theirs:
        raise TunedModelMismatch(
            f"{path} has {len(theirs)} text encoders, the {base.family} base {len(mine)}",
            hint="extract against the base it was trained from",
        )


def _weight_files(folder: Path) -> Sequence[Path]:
    """Return the files of one component; full precision where both are there."""
    found: dict[bool, list[Path]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        if known := _WEIGHTS.fullmatch(file.name):
            found.setdefault(bool(known["variant"] or known["late"]), []).append(file)
    files = found.get(False) or found.get(True)
    if not files:
        raise TunedModelUnreadable(
            f"{folder} holds no weights in safetensors",
            hint="save the pipeline again with save_pretrained(…, safe_serialization=True); "
            "pickled weights are not read",
        )
    return files


def _plain(key: str) -> str:
    key = key.removeprefix(TEXT_PREFIX)
    if ".attentions." in key:
        for old, new in _OLD_NAMES.items():
            key = key.replace(old, new)
    return key


def _digest(files: Mapping[str, Sequence[Path]]) -> str:
    lines = [
        f"{component}/{file.name} {sha256_file(file)}\n"
        for component, found in sorted(files.items())
        for file in found
    ]
    return f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"


def _prediction(path: Path) -> str:
    file = path / "scheduler" / "scheduler_config.json"
    if not file.is_file():
        return ""
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise TunedModelUnreadable(f"{file} is not JSON", hint="save the pipeline again") from error
    return str(config.get("prediction_type", "epsilon")) if isinstance(config, dict) else ""
