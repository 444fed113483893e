# SPDX-License-Identifier: Apache-2.0
"""From the registry into host memory: read, verify, compare with the base, pack.

In: a digest. Out: a `HostAdapter`. Runs in worker threads. Nothing that the base cannot wear
completely gets past this room.
"""

from pathlib import Path

import torch

from livery_registry import BaseProfile, Canonical, Digest, Manifest, Registry, read_canonical
from livery_server.adapters.disk import DiskTier
from livery_server.adapters.packed import HostAdapter, NotRepresentable, pack
from livery_server.errors import NotServable


class ReleaseLoader:
    """Loads releases for one base. Stateless; any thread."""

    def __init__(
        self,
        registry: Registry,
        *,
        profile: BaseProfile,
        dtype: torch.dtype,
        disk: DiskTier | None = None,
        is_pinned: bool = False,
    ) -> None:
        """Take the disk tier of a remote registry; None where its files can be read in place."""
        self._disk = disk
        self._registry = registry
        self._profile = profile
        self._dtype = dtype
        self._is_pinned = is_pinned

    def __call__(self, digest: str) -> HostAdapter:
        """Load one release.

        Raises:
            NotServable: It changes layers or tokens that this base does not have, or its numbers
                do not fit the engine's dtype.
            RegistryError: Its bytes are missing, damaged or out of reach.
        """
        manifest = self._registry.manifest(Digest.parse(digest))
        check_fit(manifest, profile=self._profile)
        assert manifest.canonical is not None, "a recipe is never loaded, its members are"

        def read(path: Path) -> Canonical:
            return read_canonical(path, manifest)

        if self._disk is None:
            path = self._registry.blob_path(manifest.canonical.sha256)
            assert path is not None, "only a registry elsewhere has no files here"
            canonical = read(path)
        else:
            canonical = self._disk.use(manifest.canonical, read)
        return self._pack(canonical, manifest=manifest)

    def _pack(self, canonical: Canonical, *, manifest: Manifest) -> HostAdapter:
        try:
            return pack(canonical, manifest=manifest, dtype=self._dtype, is_pinned=self._is_pinned)
        except NotRepresentable as error:
            raise NotServable(
                f"the release does not fit {self._dtype}: {error}",
                reason="DTYPE_OVERFLOW",
                hint="serve the base with dtype bfloat16 or float32",
            ) from error


def check_fit(manifest: Manifest, *, profile: BaseProfile) -> None:
    """Refuse a release that names what the base lacks.

    Raises:
        NotServable: Family, layers or text encoders differ.
    """
    if manifest.base_family != profile.family:
        raise NotServable(
            f"the release is for {manifest.base_family}; this server serves {profile.family}",
            reason="BASE_FAMILY_MISMATCH",
            hint=f"publish it for {profile.family}, or ask a server of {manifest.base_family}",
        )
    missing = [
        f"{target.component}:{target.module}"
        for target in manifest.targets
        if target.module not in profile.modules.get(target.component, {})
    ]
    missing += [
        f"{tokens.component}:{tokens.token}"
        for tokens in manifest.tokens
        if tokens.component not in profile.token_widths
    ]
    if missing:
        raise NotServable(
            f"this base lacks {len(missing)} layers of the release, {missing[0]} among them",
            reason="BASE_MISMATCH",
            hint="publish the release again with this server's base, so that it is checked",
        )
