# SPDX-License-Identifier: Apache-2.0
"""Files of an adapter from a hub repository, pinned to the commit that they were seen at.

`hf:owner/name[@revision][:file]` in; local files and a sentence about their source out. Only what
belongs to the adapter is downloaded, and never more than a bound. Needs huggingface_hub, which the
extra `server` brings.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabard.calls.grouping import SUFFIXES, choose_files
from tabard.cli.local.extras import SERVER_EXTRA, missing_extra
from tabard.errors import InvalidArgument, NotFound, TabardError, Unavailable

PREFIX = "hf:"
BYTES_MAX = 2 << 30
"""Most bytes that are downloaded for one adapter."""

_ID = re.compile(
    r"(?P<repo>[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})"
    r"(?:@(?P<revision>[\w.][\w./-]{0,199}))?"
    r"(?::(?P<file>[^\0\\]{1,400}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubId:
    """A repository of a hub, and what of it.

    Attributes:
        repo: `owner/name`.
        revision: Branch, tag or commit; empty for the main branch.
        file: One file by its path in the repository; empty: found by name.
    """

    repo: str
    revision: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The files of one adapter.

    Attributes:
        files: Where they lie.
        source: Where they were downloaded from; empty for files that were here.
    """

    files: tuple[Path, ...]
    source: str = ""


def parse_hub_id(text: str) -> HubId | None:
    """Read a hub id, with or without the prefix; None when it cannot be one.

    Raises:
        InvalidArgument: It has the prefix and is malformed.
    """
    is_said = text.startswith(PREFIX)
    found = _ID.fullmatch(text.removeprefix(PREFIX))
    if found is None:
        if is_said:
            raise InvalidArgument(
                f"'{text[:200]}' is no repository of a hub",
                reason="HUB_ID_INVALID",
                hint="write hf:owner/name, hf:owner/name@revision or hf:owner/name:file",
            )
        return None
    if not is_said and found["repo"].lower().endswith(SUFFIXES):
        return None  # a path to a file that is not there
    return HubId(repo=found["repo"], revision=found["revision"] or "", file=found["file"] or "")


def download(wanted: HubId) -> Found:
    """Download the files of one adapter.

    Raises:
        FailedPrecondition: huggingface_hub is not installed.
        InvalidArgument: There is no adapter in it, or several, or it is too large.
        NotFound: There is no such repository, revision or file.
        Unavailable: The hub did not answer.
    """
    with missing_extra(SERVER_EXTRA, needed_for="publishing from a hub"):
        hub: Any = importlib.import_module("huggingface_hub")
        hub_errors: Any = importlib.import_module("huggingface_hub.errors")
    try:
        found = hub.HfApi().model_info(
            wanted.repo, revision=wanted.revision or None, files_metadata=True
        )
        sizes = {one.rfilename: one.size for one in found.siblings or ()}
        names = _choose(sizes, wanted=wanted)
        paths = tuple(
            Path(hub.hf_hub_download(wanted.repo, name, revision=found.sha)) for name in names
        )
    except (
        hub_errors.RepositoryNotFoundError,
        hub_errors.RevisionNotFoundError,
        hub_errors.EntryNotFoundError,
    ) as error:
        raise _not_found(wanted) from error
    except TabardError:
        raise
    # Its transport raises what it likes, and another one with every version of the library.
    except Exception as error:
        raise _unavailable(wanted, error) from error
    return Found(files=paths, source=f"{PREFIX}{wanted.repo}@{found.sha}:{' '.join(names)}")


def _choose(sizes: dict[str, int | None], *, wanted: HubId) -> tuple[str, ...]:
    if wanted.file:
        if wanted.file not in sizes:
            raise _not_found(wanted)
        names: tuple[str, ...] = (wanted.file,)
    else:
        at_the_top = [name for name in sizes if "/" not in name]
        names = choose_files(at_the_top, where=f"{PREFIX}{wanted.repo}")
    size_bytes = sum(sizes[name] or 0 for name in names)
    if size_bytes > BYTES_MAX or any(sizes[name] is None for name in names):
        raise InvalidArgument(
            f"{', '.join(names)} of {wanted.repo} has {size_bytes} bytes, or does not say",
            reason="TOO_LARGE",
            hint=f"at most {BYTES_MAX} bytes are downloaded; name another file of it",
        )
    return names


def _not_found(wanted: HubId) -> TabardError:
    what = wanted.repo + (f"@{wanted.revision}" if wanted.revision else "")
    what += f":{wanted.file}" if wanted.file else ""
    return NotFound(
        f"there is no '{what}' here, and none on the hub",
        reason="HUB_NOT_FOUND",
        hint="check the path or the name; a private repository needs HF_TOKEN",
    )


def _unavailable(wanted: HubId, error: Exception) -> TabardError:
    return Unavailable(
        f"the hub did not give {wanted.repo} ({type(error).__name__})",
        reason="HUB_UNAVAILABLE",
        hint="check the connection and HF_HUB_OFFLINE, or download the file yourself and name it",
    )
