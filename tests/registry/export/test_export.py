# SPDX-License-Identifier: Apache-2.0
"""Files made of a release: the author's own to the byte, others that read back as the same."""

import dataclasses
from pathlib import Path

import pytest

from tabard_registry import Author, Registry, ReleaseDraft, check
from tabard_registry.content.canonical import write_canonical
from tabard_registry.errors import PreconditionFailed
from tabard_registry.export.export import FORMATS, export_release
from tabard_registry.refs.names import AdapterName, AdapterRef
from tabard_registry.refs.semver import Version
from tests.registry.export.round_trips import (
    PROFILE,
    again,
    assert_same,
    canonical_of,
    dora,
    export,
    mixed_lora,
    put,
)
from tests.registry.fakes import NAME, write


@pytest.mark.parametrize("style", ["kohya", "diffusers"])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_lora_reads_back(style: str, dtype: str, tmp_path: Path, registry: Registry) -> None:
    """Ranks, alphas and arrays of every kind of layer survive the way there and back."""
    release, _ = put(registry, write(tmp_path / "x.safetensors", mixed_lora(dtype=dtype)))

    file = export(registry, release, style, tmp_path / "out")

    assert_same(again(file, tmp_path), canonical_of(registry, release))


@pytest.mark.parametrize(
    ("style", "axis"), [("kohya", "outputs"), ("kohya", "inputs"), ("diffusers", "outputs")]
)
def test_magnitudes_read_back(style: str, axis: str, tmp_path: Path, registry: Registry) -> None:
    """A DoRA stays one."""
    release, _ = put(registry, write(tmp_path / "x.safetensors", dora(axis)))

    file = export(registry, release, style, tmp_path / "out")

    assert_same(again(file, tmp_path), canonical_of(registry, release))


@pytest.mark.parametrize("name", ["ink.safetensors", "with space é.safetensors", "..", "a/b"])
def test_original_is_the_same_bytes(name: str, tmp_path: Path, registry: Registry) -> None:
    """What comes back is what was published, under a harmless name."""
    path = write(tmp_path / "x.safetensors", mixed_lora())
    checked = check([path], profile=PROFILE)
    named = dataclasses.replace(checked.files[0], name=name)
    published = registry.publish(
        ReleaseDraft(adapter=NAME, version=Version.parse("1.0.0")),
        checked=dataclasses.replace(checked, files=(named,)),
        files=[path],
        author=Author(actor="ann"),
    )

    file = export(registry, published.release, "original", tmp_path / "out")

    assert file.path.read_bytes() == path.read_bytes()
    assert file.digest == published.release.original[0]
    assert file.path.parent == tmp_path / "out"


def test_canonical_is_what_is_served(tmp_path: Path, registry: Registry) -> None:
    """The canonical file comes out as it lies in the registry."""
    release, checked = put(registry, write(tmp_path / "x.safetensors", mixed_lora()))

    file = export(registry, release, "canonical", tmp_path / "out")

    blob = write_canonical(checked, tmp_path / "again")
    assert (file.digest, file.size_bytes) == (blob.sha256, blob.bytes)


@pytest.mark.parametrize("style", FORMATS)
def test_recipe_has_no_file(style: str, tmp_path: Path, registry: Registry) -> None:
    """The members are named instead."""
    put(registry, write(tmp_path / "x.safetensors", mixed_lora()))
    draft = ReleaseDraft(adapter=AdapterName("acme", "mix"), version=Version.parse("1.0.0"))
    recipe = registry.publish_recipe(
        draft, members=[AdapterRef.parse(f"{NAME}@1.0.0:0.5")], author=Author(actor="ann")
    ).release

    with pytest.raises(PreconditionFailed) as refused:
        export_release(registry, recipe, style=style, folder=tmp_path)

    assert f"{NAME}@1.0.0" in refused.value.hint


@pytest.mark.parametrize("style", ["original", "canonical", "kohya", "diffusers"])
def test_planted_link_is_not_followed(style: str, tmp_path: Path, registry: Registry) -> None:
    """A link under the name of the file is replaced; what it leads to stays as it was."""
    release, _ = put(registry, write(tmp_path / "x.safetensors", mixed_lora()))
    victim = tmp_path / "victim"
    victim.write_bytes(b"not yours")
    name = export(registry, release, style, tmp_path / "first").name
    out = tmp_path / "out"
    out.mkdir()
    (out / name).symlink_to(victim)

    file = export(registry, release, style, out)

    assert victim.read_bytes() == b"not yours"
    assert not file.path.is_symlink() and [path.name for path in out.iterdir()] == [name]


def test_killed_export_leaves_nothing(tmp_path: Path, registry: Registry) -> None:
    """What one was writing when it was killed is gone after the next one."""
    release, _ = put(registry, write(tmp_path / "x.safetensors", mixed_lora()))
    out = tmp_path / "out"
    (out / "tabard-scratch-export-killed").mkdir(parents=True)
    (out / "tabard-scratch-export-killed" / "made").write_bytes(b"half")

    file = export(registry, release, "kohya", out)

    assert [path.name for path in out.iterdir()] == [file.name]
