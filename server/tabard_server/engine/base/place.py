# SPDX-License-Identifier: Apache-2.0
"""Where a base is: the word a user writes after `--base`, as a folder or a file.

In: `demo`, a path, or a hub id. Out: a path, or a refusal in our own words, before any model
library is loaded. Opens no weights.
"""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path

from tabard_server.engine_port.errors import BaseNotLoadable

EXTRAS_LEFT_OUT: Mapping[str, None] = {
    "safety_checker": None,
    "feature_extractor": None,
    "image_encoder": None,
}
"""Components of the pipelines that serving does not need."""

DEMO_BASE = Path(__file__).parents[2] / "demo" / "base"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
"""What can name a repository of the hub."""

_INDEX = "model_index.json"
_HUB_SECONDS_MAX = 10.0
_ANOTHER = "check the id, or give a folder or a file"
_HINT = "give `demo`, a diffusers folder, a .safetensors checkpoint, or an id like owner/name"


def require_base(base: str) -> None:
    """See that there is what a word means, on this machine or on the hub; fetch nothing.

    Raises:
        BaseNotLoadable: There is nothing.
    """
    if _here(base) is None:
        _require_repository(base)


def find_base(base: str) -> Path:
    """Return the folder or file that a word means; a repository of the hub is fetched.

    Raises:
        BaseNotLoadable: There is none.
    """
    return _here(base) or _download(base)


def _here(base: str) -> Path | None:
    """Return the path of a base on this machine; None: its word can only be a hub id."""
    if not base.strip():
        raise BaseNotLoadable("no base is named", hint=_HINT)
    path = DEMO_BASE if base == "demo" else Path(base)
    try:
        # What is there and cannot be opened is said so, and not that it is not there.
        is_there = path.exists() or path.is_symlink()
        if is_there:
            path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        why = getattr(error, "strerror", None) or "its links lead in a circle"
        raise BaseNotLoadable(
            f"the base {base!r} cannot be opened: {why}",
            hint="check what its links lead to, and who may read it",
        ) from error
    if is_there:
        return path
    if HUB_ID.fullmatch(base):
        return None
    raise BaseNotLoadable(
        f"the base {base!r} is neither a folder, nor a file, nor a hub id",
        hint=_HINT,
    )


def _require_repository(hub_id: str) -> None:
    from huggingface_hub import constants, try_to_load_from_cache  # noqa: PLC0415 - only for a hub id

    if isinstance(try_to_load_from_cache(hub_id, _INDEX), str):
        return
    if constants.HF_HUB_OFFLINE:
        raise BaseNotLoadable(
            f"the base {hub_id!r} is not on this machine, and HF_HUB_OFFLINE forbids to fetch it",
            hint="unset HF_HUB_OFFLINE, or give a folder or a file",
        )
    from huggingface_hub import HfApi  # noqa: PLC0415 - half a second

    try:
        HfApi().model_info(hub_id, timeout=_HUB_SECONDS_MAX)
    # Its transport raises what it likes, and another one with every version of the library.
    except Exception as error:
        raise _refusal(hub_id, error) from error


def _download(hub_id: str) -> Path:
    from diffusers import DiffusionPipeline  # noqa: PLC0415 - seconds, and torch with it

    _require_repository(hub_id)
    try:
        with warnings.catch_warnings(action="ignore"):
            return Path(DiffusionPipeline.download(hub_id, use_safetensors=True, **EXTRAS_LEFT_OUT))
    # Whatever the network, the disk, the hub or its library has to say.
    except Exception as error:
        raise _refusal(hub_id, error) from error


def _refusal(hub_id: str, error: Exception) -> BaseNotLoadable:
    """Say in our own words why a repository cannot be had."""
    from huggingface_hub import errors  # noqa: PLC0415 - only when something failed

    what = f"cannot be fetched from the hub ({type(error).__name__})"
    hint = "check the connection and the room on the disk, or give a folder or a file"
    if isinstance(error, errors.GatedRepoError):
        what = "is given only to those who accepted its terms"
        hint = "accept them on the hub, and set HF_TOKEN"
    elif isinstance(error, errors.RepositoryNotFoundError):
        what, hint = "is not on the hub, or is private", f"{_ANOTHER}; a private one needs HF_TOKEN"
    elif isinstance(error, errors.RemoteEntryNotFoundError):
        what, hint = "is no diffusers pipeline in safetensors", _ANOTHER
    return BaseNotLoadable(f"the base {hub_id!r} {what}", hint=hint)
