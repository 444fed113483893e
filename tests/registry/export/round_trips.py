# SPDX-License-Identifier: Apache-2.0
"""Releases that are written as files and read again."""

from pathlib import Path

import numpy as np

from tabard_registry import Author, BaseProfile, Canonical, Checked, Registry, ReleaseDraft, check
from tabard_registry.content.canonical import read_canonical
from tabard_registry.export.export import ExportedFile, export_release
from tabard_registry.refs.semver import Version
from tabard_registry.release.release import Release
from tests.registry.fakes import NAME, Tensors, kohya_name, kohya_tensors, sd_profile, targets_of

PROFILE = sd_profile(with_resnets=True)
RNG = np.random.default_rng(5)


def put(
    registry: Registry, *files: Path, profile: BaseProfile = PROFILE
) -> tuple[Release, Checked]:
    """Publish files."""
    checked = check(files, profile=profile)
    draft = ReleaseDraft(adapter=NAME, version=Version.parse("1.0.0"))
    published = registry.publish(draft, checked=checked, files=files, author=Author(actor="ann"))
    return published.release, checked


def canonical_of(registry: Registry, release: Release) -> Canonical:
    """Read what is served."""
    manifest = registry.manifest(release.digest)
    assert manifest.canonical is not None
    path = registry.blob_path(manifest.canonical.sha256)
    assert path is not None
    return read_canonical(path, manifest)


def again(file: ExportedFile, folder: Path, *, profile: BaseProfile = PROFILE) -> Canonical:
    """Read an exported file as if somebody published it, in a registry of its own."""
    other = Registry.open(str(folder / "other"))
    release, _ = put(other, file.path, profile=profile)
    return canonical_of(other, release)


def export(registry: Registry, release: Release, style: str, folder: Path) -> ExportedFile:
    """Export one file."""
    folder.mkdir(exist_ok=True)
    (file,) = export_release(registry, release, style=style, folder=folder)
    assert [path.name for path in folder.iterdir()] == [file.name]
    return file


def assert_same(found: Canonical, wanted: Canonical) -> None:
    """Every array and every scale is the same, to the bit."""
    assert len(found.layers) == len(wanted.layers)
    for mine, theirs in zip(found.layers, wanted.layers, strict=True):
        assert (mine.component, mine.module) == (theirs.component, theirs.module)
        assert (mine.scale, mine.rank) == (theirs.scale, theirs.rank)
        assert mine.magnitude_axis == theirs.magnitude_axis
        for part in ("down", "up", "magnitude"):
            left, right = getattr(mine, part), getattr(theirs, part)
            assert (left is None) == (right is None)
            if left is not None:
                assert left.dtype == right.dtype
                assert np.array_equal(left, right)
    assert found.tokens.keys() == wanted.tokens.keys()
    assert all(np.array_equal(found.tokens[k], wanted.tokens[k]) for k in found.tokens)


def mixed_lora(*, dtype: str = "float16") -> Tensors:
    """Linear layers, points and kernels, of several ranks and alphas."""
    tensors: Tensors = {}
    for number, (component, module) in enumerate(targets_of(PROFILE)[::3]):
        tensors |= kohya_tensors(
            PROFILE,
            modules=[(component, module)],
            rank=1 + number % 3,
            alpha=(1.0, 0.5, 3.0)[number % 3],
            seed=number,
            dtype=dtype,
        )
    stem = kohya_name("unet", "down_blocks.0.resnets.0.conv1")
    tensors[f"{stem}.lora_down.weight"] = RNG.standard_normal((2, 8, 3, 3)).astype(dtype)
    tensors[f"{stem}.lora_up.weight"] = RNG.standard_normal((8, 2, 1, 1)).astype(dtype)
    tensors[f"{stem}.alpha"] = np.asarray(0.7, dtype="float32")
    return tensors


def dora(axis: str) -> Tensors:
    """Every layer with a magnitude."""
    tensors = kohya_tensors(PROFILE, modules=targets_of(PROFILE)[:6], dtype="float32")
    for component, module in targets_of(PROFILE)[:6]:
        shape = PROFILE.modules[component][module]
        tail = (1, 1) if shape.kind == "conv2d" else ()
        size = (shape.outputs, 1) if axis == "outputs" else (1, shape.inputs)
        found = np.abs(RNG.standard_normal((*size, *tail))).astype("float32")
        tensors[f"{kohya_name(component, module)}.dora_scale"] = found
    return tensors
