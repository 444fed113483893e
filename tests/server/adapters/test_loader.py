# SPDX-License-Identifier: Apache-2.0
"""From a published release to packed tensors, and the releases this base cannot wear."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tabard_registry import (
    AdapterName,
    Author,
    ChangeTarget,
    CorruptRegistry,
    Digest,
    IntakeLimits,
    Manifest,
    Registry,
    Release,
    ReleaseDraft,
    StoreUnavailable,
    Version,
    check,
)
from tabard_server.adapters.disk_cache import DiskCache
from tabard_server.adapters.loader import STORE_PATIENCE_SECONDS, ReleaseLoader, check_fit
from tabard_server.adapters.served_base import ServedBase, named
from tabard_server.errors import NotServable
from tabard_server.telemetry.metrics import Metrics
from tests.registry.fakes import MemoryStore
from tests.server.adapters.published_lora import publish_lora
from tests.server.fakes import PROFILE, UNET_MODULE, WIDTH

OWN_BASE = "sha256:" + "01" * 32
OTHER_BASE = "sha256:" + "02" * 32
LAX = ServedBase(family="sd1", fingerprint=OWN_BASE)
STRICT = ServedBase(family="sd1", fingerprint=OWN_BASE, is_strict=True)


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


def loader_with_disk(
    registry: Registry, folder: Path, *, dtype: torch.dtype = torch.float32
) -> ReleaseLoader:
    """Make a loader with a disk tier."""
    disk = DiskCache(folder, fetch=registry.fetch, bytes_max=1 << 20, metrics=Metrics())
    return ReleaseLoader(registry, profile=PROFILE, dtype=dtype, disk=disk)


def test_restart_needs_no_store(published: tuple[Registry, Release], tmp_path: Path) -> None:
    """What was worn once is loaded again with manifest and bytes out of reach."""
    registry, release = published
    cache = tmp_path / "cache"
    first = loader_with_disk(registry, cache)(str(release.digest))
    gone = Registry.open(MemoryStore())

    found = loader_with_disk(gone, cache)(str(release.digest))

    layer, known = (one.layers["unet", UNET_MODULE] for one in (found, first))
    assert torch.equal(layer.down, known.down)
    assert torch.equal(layer.up, known.up)
    assert found.digest == first.digest


def test_other_dtype_is_another_file(published: tuple[Registry, Release], tmp_path: Path) -> None:
    """Servers of two dtypes share a folder and never each other's slabs."""
    registry, release = published
    cache = tmp_path / "cache"
    loader_with_disk(registry, cache)(str(release.digest))

    found = loader_with_disk(registry, cache, dtype=torch.float16)(str(release.digest))

    assert found.layers["unet", UNET_MODULE].down.dtype == torch.float16
    assert len(list(cache.iterdir())) == 2


def test_same_bytes_of_another_scale_are_another_file(tmp_path: Path) -> None:
    """The canonical file does not say the scale: two releases may share it and differ."""
    registry = Registry.open(str(tmp_path / "registry"))
    releases = []
    for patch, alpha in enumerate((4.0, 2.0)):
        file = tmp_path / f"{patch}.safetensors"
        tensors = {
            f"lora_unet_{UNET_MODULE.replace('.', '_')}.lora_down.weight": torch.ones(4, WIDTH),
            f"lora_unet_{UNET_MODULE.replace('.', '_')}.lora_up.weight": torch.ones(WIDTH, 4),
            f"lora_unet_{UNET_MODULE.replace('.', '_')}.alpha": torch.tensor(alpha),
        }
        save_file(tensors, file)
        checked = check([file], profile=PROFILE, limits=IntakeLimits())
        draft = ReleaseDraft(
            adapter=AdapterName.parse("acme/ink"), version=Version.parse(f"1.0.{patch}")
        )
        releases.append(
            registry.publish(
                draft, checked=checked, files=[file], author=Author(actor="tester")
            ).release
        )
    load = loader_with_disk(registry, tmp_path / "cache")

    ups = [
        float(load(str(release.digest)).layers["unet", UNET_MODULE].up[0, 0])
        for release in (*releases, *releases)
    ]

    assert releases[0].canonical == releases[1].canonical
    assert ups == [1.0, 0.5, 1.0, 0.5]


def test_kept_releases_are_told(published: tuple[Registry, Release], tmp_path: Path) -> None:
    """What lies on disk for this base and dtype, with its line; nothing else."""
    registry, release = published
    cache = tmp_path / "cache"
    load = loader_with_disk(registry, cache)
    load(str(release.digest))
    (cache / f"{'0' * 64}.slab").write_bytes(b"foreign")

    [kept] = load.kept()

    assert (kept.digest, kept.line) == (str(release.digest), "acme/ink")
    assert kept.bytes > 0
    assert loader_with_disk(registry, cache, dtype=torch.float16).kept() == []


@pytest.mark.parametrize(
    ("parameter", "is_there"),
    [
        (f"{UNET_MODULE}.weight", True),
        (f"{UNET_MODULE}.bias", True),
        ("norm.weight", True),
        (f"{UNET_MODULE}.other", False),
        ("norm.bias", False),
        ("nowhere.weight", False),
    ],
)
def test_changes_must_fit_the_base(
    published: tuple[Registry, Release], parameter: str, is_there: bool
) -> None:
    """A change of a weight, a bias or a norm that this base lacks is refused."""
    registry, release = published
    change = ChangeTarget(
        component="unet", parameter=parameter, method="dense", scale=1.0, parts=("diff",)
    )
    manifest = replace(registry.manifest(release.digest), changes=(change,))
    vectors = {"unet": {f"{UNET_MODULE}.bias": WIDTH, "norm.weight": WIDTH}}
    profile = replace(PROFILE, vectors=vectors)

    if is_there:
        check_fit(manifest, profile=profile)
        return
    with pytest.raises(NotServable, match=parameter):
        check_fit(manifest, profile=profile)


@pytest.mark.parametrize(("is_passing", "seconds"), [(True, 3.0), (True, 60.0), (False, 0.0)])
def test_store_that_fails_in_passing_is_waited_for(
    published: tuple[Registry, Release],
    monkeypatch: pytest.MonkeyPatch,
    is_passing: bool,
    seconds: float,
) -> None:
    """A job that was accepted waits for its store a while; a refusal is told at once."""
    registry, release = published
    now, manifest = [0.0], registry.manifest

    def read(digest: Digest) -> Manifest:
        if now[0] < seconds or not is_passing:
            raise StoreUnavailable("no", reason="STORE_UNAVAILABLE", is_passing=is_passing)
        return manifest(digest)

    def sleep(pause: float) -> None:
        now[0] += pause

    monkeypatch.setattr(registry, "manifest", read)
    load = ReleaseLoader(
        registry, profile=PROFILE, dtype=torch.float32, clock=lambda: now[0], sleep=sleep
    )

    if seconds == 3.0:
        assert load(str(release.digest)).digest == str(release.digest)
    else:
        with pytest.raises(StoreUnavailable):
            load(str(release.digest))
    assert now[0] == {3.0: 3.0, 60.0: STORE_PATIENCE_SECONDS + 0.5, 0.0: 0.0}[seconds]


@pytest.mark.parametrize(
    "said", ["", OWN_BASE, OWN_BASE[7:], OWN_BASE[:19], OWN_BASE[7:19], f" {OWN_BASE} "]
)
def test_own_base_is_served(said: str) -> None:
    """By its fingerprint, or enough of it; who names none takes what is there."""
    LAX.require(said)


@pytest.mark.parametrize(
    "said", [OTHER_BASE, OTHER_BASE[7:19], OWN_BASE[7:18], "sd1", "sha256:", OWN_BASE + "0", " "]
)
def test_another_base_is_refused(said: str) -> None:
    """Too few digits are none; the refusal says what is asked for, and what is here."""
    with pytest.raises(NotServable, match=r"sd1 010101010101") as caught:
        LAX.require(said)

    assert (caught.value.reason, caught.value.base) == ("BASE_NOT_HERE", said)


def test_release_of_another_family_is_refused() -> None:
    """By every server, with the base that it needs."""
    with pytest.raises(NotServable, match=r"is for sdxl 020202020202; .* sd1 0101") as caught:
        LAX.require_for("acme/ink", family="sdxl", fingerprint=OTHER_BASE)

    assert (caught.value.reason, caught.value.base) == ("BASE_FAMILY_MISMATCH", OTHER_BASE)


def test_release_of_the_family_is_drawn_where_that_is_enough() -> None:
    """A strict server draws what was checked against its own base, and nothing else."""
    LAX.require_for("acme/ink", family="sd1", fingerprint=OTHER_BASE)
    STRICT.require_for("acme/ink", family="sd1", fingerprint=OWN_BASE)
    with pytest.raises(NotServable) as caught:
        STRICT.require_for("acme/ink", family="sd1", fingerprint=OTHER_BASE)

    assert (caught.value.reason, caught.value.base) == ("RELEASE_OF_OTHER_BASE", OTHER_BASE)


def test_base_is_named_for_people() -> None:
    assert named("sd1", OWN_BASE) == "sd1 010101010101"
    assert named("sd1", "") == "sd1"
