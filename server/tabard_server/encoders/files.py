# SPDX-License-Identifier: Apache-2.0
"""What lies at the path of an encoder: which model it is, its weights, how pictures are prepared.

In: the settings of an encoder. Out: its files, or a refusal that says what to do. Loads no model
library and reads no weights, so that `tabard config check` may ask.
"""

import hashlib
import json
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabard_server.encoders.preprocessing import AS_SSCD, NotPreprocessable, Preprocessing
from tabard_server.encoders.settings import EncoderFormat, EncoderSettings
from tabard_server.errors import BadSettings

DEMO_ENCODERS = Path(__file__).parents[1] / "demo" / "encoders"
CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
WEIGHTS, INDEX = "model.safetensors", "index.json"
_FORMATS: Mapping[str, EncoderFormat] = {
    "clip": "clip",
    "clip_vision_model": "clip",
    "dinov2": "dinov2",
}
"""By `model_type`, as `transformers` writes it."""
_SCRIPTS = (".pt", ".ts", ".torchscript")
_JSON_BYTES_MAX = 1 << 20
_BLOCK_BYTES = 1 << 20
_HINT = (
    "give a folder that transformers saved of a CLIPModel, a CLIPVisionModelWithProjection or a "
    "Dinov2Model, with model.safetensors; or a TorchScript file"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderFiles:
    """The files of an encoder.

    Attributes:
        format: How it is stored; never `auto`.
        path: Its folder, or the TorchScript file.
        weights: The file of its weights.
        config: What its folder says of the model; empty for TorchScript.
        preprocessing: How pictures are prepared.
    """

    format: EncoderFormat
    path: Path
    weights: Path
    config: Mapping[str, Any]
    preprocessing: Preprocessing

    def digest(self) -> str:
        """Hash everything that its vectors depend on, as hexadecimal. Reads the weights."""
        total = hashlib.sha256(b"encoder 1\0" + self.format.encode() + b"\0")
        total.update(hashlib.sha256(json.dumps(self.config, sort_keys=True).encode()).digest())
        total.update(hashlib.sha256(self.preprocessing.key).digest())
        with self.weights.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                total.update(block)
        return total.hexdigest()


def require_encoders(encoders: Sequence[EncoderSettings], *, bytes_max: int) -> None:
    """See that every encoder is there and is one, and that none stands in another's place.

    Raises:
        BadSettings: One of them cannot be used; it tells of all of them.
    """
    mistakes = []
    for what in ("kind", "name"):
        for value, count in Counter(getattr(one, what) for one in encoders).items():
            if count > 1:
                text = f"encoders has {count} of the {what} {value!r}"
                mistakes.append(
                    BadSettings(text, names=("encoders",), hint=f"name one of each {what}")
                )
    for one in encoders:
        try:
            find_encoder(one, bytes_max=bytes_max)
        except BadSettings as mistake:
            mistakes.append(mistake)
    BadSettings.refuse(mistakes)


def find_encoder(encoder: EncoderSettings, *, bytes_max: int) -> EncoderFiles:
    """Find the files of an encoder.

    Raises:
        BadSettings: Nothing is there, it is no encoder, or not what was said.
    """
    path = _path(encoder)
    try:
        found = _folder(encoder, path) if _is_folder(path) else _script(encoder, path)
        size = found.weights.stat().st_size
    except OSError as error:
        raise _refused(
            encoder,
            f"{error.filename or path} cannot be opened: {error.strerror}",
            reason="ENCODER_MISSING",
            hint="check the path, and who may read it",
        ) from error
    if size > bytes_max:
        raise _refused(
            encoder,
            f"its weights have {size} bytes, and {bytes_max} are allowed",
            reason="ENCODER_UNSUITABLE",
            hint="raise limits.encoder_bytes_max, or use a smaller model",
        )
    if encoder.format not in ("auto", found.format):
        raise _refused(
            encoder,
            f"it is {found.format}, and the settings say {encoder.format}",
            reason="ENCODER_UNSUITABLE",
            hint=f'write format = "{found.format}", or leave it out; or correct the path',
        )
    return found


def refused(encoder: EncoderSettings, what: str, *, reason: str, hint: str) -> BadSettings:
    """Return the refusal of an encoder, named as the settings name it."""
    return BadSettings(
        f"the encoder {encoder.name!r} ({encoder.path}): {what}",
        names=("encoders",),
        reason=reason,
        hint=hint,
    )


_refused = refused


def _path(encoder: EncoderSettings) -> Path:
    if encoder.path != "demo":
        return Path(encoder.path).expanduser()
    index = json.loads((DEMO_ENCODERS / INDEX).read_text(encoding="utf-8"))
    files = {one["kind"]: one["file"] for one in index}
    if encoder.kind not in files:
        raise _refused(
            encoder,
            f"the demo base has no encoder of the kind {encoder.kind}",
            reason="ENCODER_UNSUITABLE",
            hint=f"use it as {' or '.join(files)}, or give the path of another",
        )
    return DEMO_ENCODERS / str(files[encoder.kind])


def _is_folder(path: Path) -> bool:
    path.stat()
    return path.is_dir()


def _folder(encoder: EncoderSettings, path: Path) -> EncoderFiles:
    if not (path / CONFIG).exists():
        raise _refused(
            encoder, f"the folder has no {CONFIG}", reason="ENCODER_UNREADABLE", hint=_HINT
        )
    config = _read(encoder, path / CONFIG)
    model = str(config.get("model_type", ""))[:64]
    if model not in _FORMATS:
        what = f"a model of the type {model!r}" if model else f"{CONFIG} names no model_type"
        raise _refused(
            encoder,
            f"{what}: no encoder of pictures that is known here",
            reason="ENCODER_UNSUITABLE",
            hint=_HINT,
        )
    if not (path / WEIGHTS).exists():
        raise _refused(
            encoder,
            f"the folder has no {WEIGHTS}",
            reason="ENCODER_UNREADABLE",
            hint=f"save the model with safe_serialization=True: weights are read from {WEIGHTS}",
        )
    if not (path / PREPROCESSOR).exists():
        raise _refused(
            encoder,
            f"the folder has no {PREPROCESSOR}, so nobody knows how it wants its pictures",
            reason="ENCODER_UNREADABLE",
            hint="copy the file of the model's image processor into the folder",
        )
    return EncoderFiles(
        format=_FORMATS[model],
        path=path,
        weights=path / WEIGHTS,
        config=config,
        preprocessing=_preprocessing(encoder, path / PREPROCESSOR),
    )


def _script(encoder: EncoderSettings, path: Path) -> EncoderFiles:
    if not _is_script(path):
        raise _refused(
            encoder, "the file is no TorchScript model", reason="ENCODER_UNREADABLE", hint=_HINT
        )
    beside = path.parent / PREPROCESSOR
    return EncoderFiles(
        format="torchscript",
        path=path,
        weights=path,
        config={},
        preprocessing=_preprocessing(encoder, beside) if beside.exists() else AS_SSCD,
    )


def _is_script(path: Path) -> bool:
    """Say whether a file is an archive that holds code beside its constants: state dicts do not."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False
    parts = {name.partition("/")[2].partition("/")[0] for name in names}
    return {"code", "constants.pkl"} <= parts


def _preprocessing(encoder: EncoderSettings, path: Path) -> Preprocessing:
    try:
        return Preprocessing.of(_read(encoder, path))
    except (NotPreprocessable, ValueError) as error:
        raise _refused(
            encoder,
            f"{PREPROCESSOR}: {error}",
            reason="ENCODER_UNSUITABLE",
            hint="use the image processor's own file; resizing, a crop of the middle, rescaling "
            "and normalising are known here",
        ) from error


def _read(encoder: EncoderSettings, path: Path) -> Mapping[str, Any]:
    with path.open("rb") as file:
        text = file.read(_JSON_BYTES_MAX + 1)
    try:
        found = json.loads(text) if len(text) <= _JSON_BYTES_MAX else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _refused(
            encoder,
            f"{path.name} cannot be read as a table of JSON",
            reason="ENCODER_UNREADABLE",
            hint="copy the file of the model again",
        )
    return found
