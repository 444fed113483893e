# SPDX-License-Identifier: Apache-2.0
"""From a published release to packed tensors, and the releases this base cannot wear."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from livery_registry import (
    AdapterName,
    CorruptRegistry,
    IntakeLimits,
    Registry,
    Release,
    ReleaseDraft,
    Version,
    check,
)
from livery_server.adapters.loading import ReleaseLoader
from livery_server.errors import NotServable
from tests.server.fakes import PROFILE, UNET_MODULE, WIDTH
from tests.server.harness import lora_file


def publish_lora(registry: Registry, *, folder: Path) -> Release:
    """Publish a small LoRA."""
    file = folder / "style.safetensors"
    file.write_bytes(lora_file(rank=4))
    checked = check([file], profile=PROFILE, limits=IntakeLimits())
    draft = ReleaseDraft(adapter=AdapterName.parse("acme/ink"), version=Version.parse("1.0.0"))
    return registry.publish(draft, checked=checked, files=[file], actor="tester").release


@pytest.fixture
def published(tmp_path: Path) -> tuple[Registry, Release]:
    """Publish a small LoRA in a folder."""
    registry = Registry.open(str(tmp_path / "registry"))
    return registry, publish_lora(registry, folder=tmp_path)


def test_release_is_packed_for_the_engine(published: tuple[Registry, Release]) -> None:
    """Layers come out under their names, in the engine's dtype."""
    registry, release = published
    load = ReleaseLoader(registry, profile=PROFILE, dtype=torch.float16)

    adapter = load(str(release.digest))

    layer = adapter.layers[("unet", UNET_MODULE)]
    assert (adapter.digest, adapter.rank) == (str(release.digest), 4)
    assert layer.down.shape == (4, WIDTH)
    assert layer.down.dtype == torch.float16


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"family": "sd2"}, "BASE_FAMILY_MISMATCH"),
        ({"modules": {"unet": {}}}, "BASE_MISMATCH"),
    ],
)
def test_foreign_release_is_refused(
    published: tuple[Registry, Release], changes: dict[str, object], reason: str
) -> None:
    """A release for another family, or for layers this base lacks, is not loaded."""
    registry, release = published
    profile = replace(PROFILE, **changes)  # type: ignore[arg-type]
    load = ReleaseLoader(registry, profile=profile, dtype=torch.float32)

    with pytest.raises(NotServable) as refusal:
        load(str(release.digest))

    assert refusal.value.reason == reason


def test_damaged_bytes_are_never_packed(published: tuple[Registry, Release]) -> None:
    """One flipped bit in the canonical file is found before anything is worn."""
    registry, release = published
    path = registry.blob_path(registry.manifest(release.digest).canonical.sha256)
    assert path is not None
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    load = ReleaseLoader(registry, profile=PROFILE, dtype=torch.float32)

    with pytest.raises(CorruptRegistry):
        load(str(release.digest))
