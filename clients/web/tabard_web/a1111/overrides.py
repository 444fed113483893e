# SPDX-License-Identifier: Apache-2.0
"""Options of A1111: what a request may say for itself, and what would change the server for all.

A server has one base and no options that callers set: they are told what holds, and whoever sets
them to something else is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabard import FieldViolation, InvalidArgument, ServerStatus
from tabard_web.pictures.formats import Format

_FORMATS: Mapping[str, Format] = {"png": "png", "jpg": "jpeg", "jpeg": "jpeg", "webp": "webp"}
_INERT: Mapping[str, tuple[Any, ...]] = {
    "sd_vae": ("Automatic", "None"),
    "eta_noise_seed_delta": (0,),
    "eta_ancestral": (1,),
    "eta_ddim": (0,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What a request says for itself.

    Attributes:
        clip_skip: Layers left out, as the SDK counts: A1111's, less one.
        picture_format: How images are written.
    """

    clip_skip: int = 0
    picture_format: Format = "png"


def checkpoint_title(status: ServerStatus) -> str:
    """Give the base as A1111 names a checkpoint: its name, and the first digits of its hash."""
    return f"{checkpoint_name(status)} [{checkpoint_hash(status)[:10]}]"


def checkpoint_name(status: ServerStatus) -> str:
    """Give the last part of where the base came from."""
    return Path(status.base_source).name or status.base_source


def checkpoint_hash(status: ServerStatus) -> str:
    """Give the digits of the base's fingerprint."""
    return status.base_fingerprint.removeprefix("sha256:")


def options_of(status: ServerStatus) -> dict[str, Any]:
    """Give the options that hold for everybody."""
    return {
        "sd_model_checkpoint": checkpoint_title(status),
        "sd_checkpoint_hash": checkpoint_hash(status),
        "sd_vae": "Automatic",
        "CLIP_stop_at_last_layers": 1,
        "samples_format": "png",
        "eta_ancestral": 1.0,
        "eta_ddim": 0.0,
        "eta_noise_seed_delta": 0,
    }


def require_unchanged(said: Mapping[str, Any], *, status: ServerStatus) -> None:
    """See that options say what holds.

    Raises:
        InvalidArgument: One says something else.
    """
    holds = options_of(status)
    for name, value in said.items():
        is_so = _is_base(value, status) if name == "sd_model_checkpoint" else False
        if not is_so and (name not in holds or value not in (holds[name], *_INERT.get(name, ()))):
            raise _refused(name, "it would change the server for everybody")


def read_overrides(
    said: Mapping[str, Any], *, restored: bool, status: ServerStatus | None
) -> Overrides:
    """Give what a request says for itself.

    Args:
        said: Its `override_settings`.
        restored: Whether they hold for this request only.
        status: The server's; needed where a checkpoint is named.

    Raises:
        InvalidArgument: One would change the server, or the image in a way that cannot be had.
    """
    clip_skip, kind = 0, "png"
    for name, value in said.items():
        match name:
            case "CLIP_stop_at_last_layers" if isinstance(value, int) and 1 <= value <= 100:
                clip_skip = value - 1
            case "samples_format" if str(value).lower() in _FORMATS:
                kind = str(value).lower()
            case "sd_model_checkpoint" | "sd_checkpoint_hash" if status and _is_base(value, status):
                pass
            case _ if value in _INERT.get(name, ()):
                pass
            case _:
                raise _refused(name, f"override_settings.{name} cannot be that here")
    if said and not restored:
        message = "the settings would hold for everybody afterwards"
        raise _refused("override_settings_restore_afterwards", message)
    return Overrides(clip_skip=clip_skip, picture_format=_FORMATS[kind])


def needs_status(said: Mapping[str, Any]) -> bool:
    """Say whether it takes a server's status to read overrides."""
    return bool({"sd_model_checkpoint", "sd_checkpoint_hash"} & set(said))


def _is_base(value: Any, status: ServerStatus) -> bool:
    digits = checkpoint_hash(status)
    return value in (
        checkpoint_title(status),
        checkpoint_name(status),
        digits,
        digits[:10],
    )


def _refused(name: str, message: str) -> InvalidArgument:
    return InvalidArgument(
        f"{name}: {message}",
        reason="OPTION_FIXED",
        hint="leave it out; the server's operator chooses base and settings",
        violations=(FieldViolation(field=name, description=message),),
    )
