# SPDX-License-Identifier: Apache-2.0
"""Opens the place where a registry lives: chooses the store, reads or makes `format.json`.

A place that holds something else, or that a newer Tabard made, is refused; nothing is overwritten.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tabard_registry.errors import (
    CorruptRegistry,
    StoreUnavailable,
    UnusableRegistry,
    restore_object,
)
from tabard_registry.refs.digest import Digest, sha256_bytes
from tabard_registry.release.manifest import canonical_json
from tabard_registry.store.folder import TEMP_FOLDER, FolderStore
from tabard_registry.store.store import FORMAT_KEY, Outcome, Store

PROTOCOL = 1
"""Version of the layout and of the fold; a registry with a higher one is refused."""
FORMAT_BYTES_MAX = 4096
"""Largest such object."""
DOCTOR_FOLDER = "doctor"
"""Where a doctor's trial objects lie while it examines a place."""
BLIND_FOLDER = "blind"
"""Where lies what servers share and no API shows: `content/blind_book.py`."""
REPLICA_FOLDER = "replica"
"""Where lies what servers say of themselves: `content/replicas.py`."""

_FORMAT_NAME = "tabard-registry"
_FORMAT_ATTEMPTS_MAX = 5
_CHOOSE = "Choose an empty place for a new registry, or the right one for an old one."
_CHECK_ADDRESS = "Check the address of the registry, or the folder of the backup."
_OWN_NAMES = frozenset(
    {FORMAT_KEY, "log", "checkpoint", "hint.json", "blob"}
    | {BLIND_FOLDER, DOCTOR_FOLDER, REPLICA_FOLDER, TEMP_FOLDER}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An opened place.

    Attributes:
        store: Where its objects are.
        registry_id: Its id, chosen when it was made.
        genesis: Digest of format.json: where the hash chain of the log begins.
    """

    store: Store
    registry_id: str
    genesis: Digest


def open_store(url: str, *, single_writer: bool = False) -> Store:
    """Choose the store for `file:///…`, a plain path, or `s3://bucket/prefix`.

    Args:
        url: Where the registry is.
        single_writer: For a bucket that fails `tabard doctor`: write without conditions. Only one
            process may then write. A folder needs no such mode, and ignores it.

    Raises:
        UnusableRegistry: The scheme is unknown, the address cannot be read, or boto3 is missing.
    """
    try:
        parts = urlsplit(url)
        if not parts.scheme:
            return FolderStore(Path(url).expanduser())
    except (ValueError, RuntimeError) as error:
        # Of half an address between brackets, and of the home of somebody who is not here.
        raise _no_store(url) from error
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path:
        return FolderStore(Path(unquote(parts.path)))
    if parts.scheme == "s3":
        return _open_bucket(url, single_writer=single_writer)
    raise _no_store(url)


def local_root(store: Store) -> Path | None:
    """Return the folder of a store, links resolved; None when it is elsewhere."""
    parts = urlsplit(store.url)
    return Path(unquote(parts.path)).resolve() if parts.scheme == "file" else None


def refuse_unfit(store: Store) -> None:
    """Refuse a place where no registry can be.

    Raises:
        UnusableRegistry: It lies within another registry, or holds what is no registry's.
    """
    _refuse_nested(store)
    refuse_strangers(store.top_level(), url=store.url)


def refuse_strangers(names: frozenset[str], *, url: str, hint: str = _CHOOSE) -> None:
    """Refuse a place where something lies that is no registry's.

    Args:
        names: What lies below its root.
        url: The place.
        hint: What to do then.

    Raises:
        UnusableRegistry: One of the `names` is strange.
    """
    strangers = sorted(names - _OWN_NAMES)
    if strangers:
        raise UnusableRegistry(
            f"{url} is not a registry: it holds {', '.join(strangers[:5])}",
            reason="NOT_A_REGISTRY",
            hint=hint,
        )


def open_place(store: Store, *, new_id: Callable[[], str], create: bool) -> Place:
    """Read format.json, or make it when `create` and the place is empty.

    Raises:
        UnusableRegistry: The place is empty and `create` is false, holds something else, or was
            made by a newer Tabard.
        CorruptRegistry: format.json cannot be read, or is missing beside a log.
        StoreUnavailable: The store did not answer.
    """
    content = store.read(FORMAT_KEY, bytes_max=FORMAT_BYTES_MAX)
    if content is None:
        content = _make_format(store, new_id=new_id, create=create)
    return Place(
        store=store, registry_id=_registry_id(content, store=store), genesis=sha256_bytes(content)
    )


def _no_store(url: str) -> UnusableRegistry:
    return UnusableRegistry(
        f"no store for {url!r}",
        reason="UNSUPPORTED_STORE",
        hint="Use a folder, `file:///srv/tabard` or a plain path, or a bucket, `s3://bucket/path`.",
    )


def _open_bucket(url: str, *, single_writer: bool) -> Store:
    try:
        # boto3 takes a third of a second, and only the extra `registry` brings it.
        from tabard_registry.store.s3 import S3Store  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise UnusableRegistry(
            f"{url} needs {error.name}, which is not installed",
            reason="UNSUPPORTED_STORE",
            hint="pip install 'tabard[registry]'",
        ) from error
    return S3Store(url, single_writer=single_writer)


def _make_format(store: Store, *, new_id: Callable[[], str], create: bool) -> bytes:
    names = store.top_level()
    # Another process may have made the registry between our read and our listing.
    found = store.read(FORMAT_KEY, bytes_max=FORMAT_BYTES_MAX)
    if found is not None:
        return found
    _refuse_occupied(store, names=names, create=create)
    body = canonical_json({"format": _FORMAT_NAME, "protocol": PROTOCOL, "registry": new_id()})
    for _ in range(_FORMAT_ATTEMPTS_MAX):
        if store.create(FORMAT_KEY, body=body) is Outcome.CREATED:
            return body
        found = store.read(FORMAT_KEY, bytes_max=FORMAT_BYTES_MAX)
        if found is not None:
            return found
    raise StoreUnavailable(
        f"{store.url}: cannot tell whether {FORMAT_KEY} was made",
        reason="COMMIT_UNKNOWN",
        hint="Try again; making a registry twice is harmless.",
    )


def _refuse_occupied(store: Store, *, names: frozenset[str], create: bool) -> None:
    if create:
        _refuse_nested(store)
    refuse_strangers(names, url=store.url, hint=_CHOOSE if create else _CHECK_ADDRESS)
    if names & {"log", "checkpoint"}:
        raise CorruptRegistry(
            f"{store.url} holds a log but no {FORMAT_KEY}",
            reason="CORRUPT_FORMAT",
            hint="A backup that broke off is finished by repeating it. Otherwise "
            "`tabard restore BACKUP URL` brings it back; the hash chain of the log begins with it.",
        )
    if not create:
        raise UnusableRegistry(
            f"there is no registry at {store.url}",
            reason="NOT_A_REGISTRY",
            hint=f"{_CHECK_ADDRESS} A new registry is made by `tabard serve --registry`.",
        )


def _refuse_nested(store: Store) -> None:
    """Refuse a place within another registry, which would hold what is none of its own."""
    root = local_root(store)
    for above in root.parents if root else ():
        with suppress(OSError), (above / FORMAT_KEY).open("rb") as opened_file:
            if _FORMAT_NAME.encode() in opened_file.read(FORMAT_BYTES_MAX):
                raise UnusableRegistry(
                    f"{store.url} lies within the registry {above}",
                    reason="PLACE_OCCUPIED",
                    hint="Choose a place beside it; nothing was written.",
                )


def _registry_id(content: bytes, *, store: Store) -> str:
    try:
        document = json.loads(content)
        if document["format"] != _FORMAT_NAME or type(document["protocol"]) is not int:
            raise ValueError("another format")
        registry_id, protocol = document["registry"], document["protocol"]
        if not isinstance(registry_id, str) or not registry_id:
            raise ValueError("no registry id")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CorruptRegistry(
            f"{FORMAT_KEY} in {store.url} is not what Tabard writes",
            reason="CORRUPT_FORMAT",
            hint=f"{restore_object(FORMAT_KEY)} Or choose another folder.",
        ) from error
    if protocol > PROTOCOL:
        raise UnusableRegistry(
            f"{store.url} has protocol {protocol}; this Tabard reads up to {PROTOCOL}",
            reason="NEWER_PROTOCOL",
            hint="Upgrade Tabard on this machine.",
        )
    return registry_id
