# SPDX-License-Identifier: Apache-2.0
"""From the registry into host memory: read, verify, compare with the base, pack.

In: a digest. Out: a `HostAdapter`. What was packed once for this base and dtype comes from the disk
tier, without the registry. Runs in worker threads. Nothing that the base cannot wear completely
gets past this room.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch

from tabard_registry import (
    BaseProfile,
    BlobRef,
    ChangeTarget,
    Digest,
    Manifest,
    Registry,
    StoreUnavailable,
    read_canonical,
)
from tabard_registry.grammar import counted
from tabard_server.adapters.disk_cache import Damaged, DiskCache, KeptRelease
from tabard_server.adapters.host_adapter import HostAdapter, NotRepresentable, pack
from tabard_server.adapters.served_base import ServedBase
from tabard_server.adapters.slab_file import SlabKey, line_in, read_slab, write_slab
from tabard_server.errors import NotServable

STORE_PATIENCE_SECONDS = 10.0
"""How long a store is asked again for what an accepted job wears; its own tries end sooner."""

_PAUSE_SECONDS = 0.5


class ReleaseLoader:
    """Loads releases for one base. Stateless; any thread."""

    def __init__(
        self,
        registry: Registry,
        *,
        profile: BaseProfile,
        dtype: torch.dtype,
        disk: DiskCache | None = None,
        is_pinned: bool = False,
        is_strict: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take the disk tier; without one, every load packs anew what lies in a folder here.

        `is_strict`: only what was checked against this very base is loaded.
        """
        self._clock, self._sleep = clock, sleep
        self._disk = disk
        self._registry = registry
        self._profile = profile
        self._base = profile.fingerprint
        self._served = ServedBase(
            family=profile.family, fingerprint=profile.fingerprint, is_strict=is_strict
        )
        self._dtype = dtype
        self._is_pinned = is_pinned

    def __call__(self, digest: str) -> HostAdapter:
        """Load one release.

        Raises:
            NotServable: It changes layers or tokens that this base does not have, or its numbers
                do not fit the engine's dtype.
            RegistryError: Its bytes are missing, damaged, or stay out of reach for
                `STORE_PATIENCE_SECONDS`.
        """
        release = Digest.parse(digest)
        begun_at = self._clock()
        while True:
            try:
                return self._load(release)
            except StoreUnavailable as error:
                if not error.is_passing or self._clock() - begun_at > STORE_PATIENCE_SECONDS:
                    raise
            self._sleep(_PAUSE_SECONDS)

    def kept(self) -> list[KeptRelease]:
        """Return what can be loaded without the registry, last used first."""
        found = []
        for path in self._disk.files() if self._disk is not None else ():
            digest = f"sha256:{path.name.partition('.')[0]}"
            key = SlabKey(release=digest, base=self._base, dtype=self._dtype)
            if path.name == key.file_name:
                with contextlib.suppress(Damaged, OSError):
                    size_bytes, line = path.stat().st_size, line_in(path)
                    found.append(KeptRelease(digest=digest, line=line, bytes=size_bytes))
        return found

    def _load(self, release: Digest) -> HostAdapter:
        if self._disk is None:
            return self._make(release)
        key = SlabKey(release=str(release), base=self._base, dtype=self._dtype)
        adapter: HostAdapter = self._disk.use(
            key.file_name,
            read=partial(read_slab, key=key, is_pinned=self._is_pinned),
            make=partial(self._make, release),
            write=partial(self._write, key=key),
        )
        return adapter

    def _write(self, adapter: HostAdapter, path: Path, *, key: SlabKey) -> None:
        line = str(self._registry.manifest(Digest.parse(key.release)).adapter)
        write_slab(adapter, path, key=key, line=line)

    def _make(self, release: Digest) -> HostAdapter:
        manifest = self._registry.manifest(release)
        check_fit(manifest, profile=self._profile, served=self._served)
        assert manifest.canonical is not None, "a recipe is never loaded, its members are"
        with self._canonical_file(manifest.canonical) as path:
            return self._pack(path, manifest=manifest)

    @contextmanager
    def _canonical_file(self, blob: BlobRef) -> Iterator[Path]:
        path = self._registry.blob_path(blob.sha256)
        if path is not None:
            yield path
            return
        assert self._disk is not None, "only a registry elsewhere has no files here"
        with self._disk.fetched(blob) as fetched:
            yield fetched

    def _pack(self, path: Path, *, manifest: Manifest) -> HostAdapter:
        canonical = read_canonical(path, manifest)
        try:
            return pack(canonical, manifest=manifest, dtype=self._dtype, is_pinned=self._is_pinned)
        except NotRepresentable as error:
            raise NotServable(
                f"the release does not fit {self._dtype}: {error}",
                reason="DTYPE_OVERFLOW",
                hint="serve the base with dtype bfloat16 or float32",
            ) from error


def check_fit(
    manifest: Manifest, *, profile: BaseProfile, served: ServedBase | None = None
) -> None:
    """Refuse a release that names what the base lacks; `served` says whose releases are drawn.

    Raises:
        NotServable: Family, layers or text encoders differ.
    """
    served = served or ServedBase(family=profile.family, fingerprint=profile.fingerprint)
    served.require_for(
        "the release", family=manifest.base_family, fingerprint=manifest.base_fingerprint
    )
    missing = [
        f"{target.component}:{target.module}"
        for target in manifest.targets
        if target.module not in profile.modules.get(target.component, {})
    ]
    missing += [
        f"{change.component}:{change.parameter}"
        for change in manifest.changes
        if not _has_parameter(profile, change)
    ]
    missing += [
        f"{tokens.component}:{tokens.token}"
        for tokens in manifest.tokens
        if tokens.component not in profile.token_widths
    ]
    if missing:
        raise NotServable(
            f"this base lacks {counted(len(missing), 'layer')} of the release, "
            f"{missing[0]} among them",
            reason="BASE_MISMATCH",
            hint="publish the release again with this server's base, so that it is checked",
        )


def _has_parameter(profile: BaseProfile, change: ChangeTarget) -> bool:
    """Say whether the base has the weight of this layer, or this norm or bias."""
    module, _, kind = change.parameter.rpartition(".")
    is_weight = kind == "weight" and module in profile.modules.get(change.component, {})
    return is_weight or change.parameter in profile.vectors.get(change.component, {})
