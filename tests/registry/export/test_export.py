# SPDX-License-Identifier: Apache-2.0
"""Files made of a release: the author's own to the byte, others that read back as the same."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tabard_registry import Author, BaseProfile, Canonical, Checked, Registry, ReleaseDraft, check
from tabard_registry.content.canonical import read_canonical, write_canonical
from tabard_registry.errors import PreconditionFailed
from tabard_registry.export.export import FORMATS, ExportedFile, export_release
from tabard_registry.export.tensors import alpha_of
from tabard_registry.refs.names import AdapterName, AdapterRef
from tabard_registry.refs.semver import Version
from tabard_registry.release.release import Release
from tests.registry.fakes import (
    NAME,
    Tensors,
    kohya_name,
    kohya_tensors,
    sd_profile,
    targets_of,
    write,
)

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


@pytest.mark.parametrize("style", ["kohya", "diffusers"])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_lora_reads_back(style: str, dtype: str, tmp_path: Path, registry: Registry) -> None:
    """Ranks, alphas and arrays of every kind of layer survive the way there and back."""
    release, _ = put(registry, write(tmp_path / "x.safetensors", mixed_lora(dtype=dtype)))

    file = export(registry, release, style, tmp_path / "out")

    assert_same(again(file, tmp_path), canonical_of(registry, release))


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


@pytest.mark.parametrize(
    ("style", "axis"), [("kohya", "outputs"), ("kohya", "inputs"), ("diffusers", "outputs")]
)
def test_magnitudes_read_back(style: str, axis: str, tmp_path: Path, registry: Registry) -> None:
    """A DoRA stays one."""
    release, _ = put(registry, write(tmp_path / "x.safetensors", dora(axis)))

    file = export(registry, release, style, tmp_path / "out")

    assert_same(again(file, tmp_path), canonical_of(registry, release))


def test_magnitude_of_inputs_has_no_diffusers_form(tmp_path: Path, registry: Registry) -> None:
    """PEFT knows only magnitudes of the outputs."""
    release, _ = put(registry, write(tmp_path / "x.safetensors", dora("inputs")))

    with pytest.raises(PreconditionFailed, match="scales its inputs") as refused:
        export_release(registry, release, style="diffusers", folder=tmp_path)

    assert refused.value.reason == "FORMAT_CANNOT_HOLD"


WIDE = dataclasses.replace(
    PROFILE,
    vectors={
        "unet": {
            "mid_block.attentions.0.proj_in.bias": 16,
            "down_blocks.0.attentions.0.norm.weight": 8,
            "down_blocks.0.attentions.0.norm.bias": 8,
        }
    },
)
HEAVY: dict[str, dict[str, tuple[int, ...]]] = {
    "hadamard": {
        "mid_block_attentions_0_transformer_blocks_0_attn1_to_q.hada_w1_a": (16, 24),
        "mid_block_attentions_0_transformer_blocks_0_attn1_to_q.hada_w1_b": (24, 16),
        "mid_block_attentions_0_transformer_blocks_0_attn1_to_q.hada_w2_a": (16, 24),
        "mid_block_attentions_0_transformer_blocks_0_attn1_to_q.hada_w2_b": (24, 16),
        "mid_block_attentions_0_transformer_blocks_0_attn1_to_q.alpha": (),
    },
    "dense": {
        "mid_block_attentions_0_transformer_blocks_0_attn1_to_q.diff": (16, 16),
        "mid_block_attentions_0_proj_in.diff_b": (16,),
        "down_blocks_0_resnets_0_conv1.diff": (8, 8, 3, 3),
        "down_blocks_0_attentions_0_norm.w_norm": (8,),
        "down_blocks_0_attentions_0_norm.b_norm": (8,),
    },
    "oft": {
        "mid_block_attentions_0_transformer_blocks_0_attn1_to_q.oft_blocks": (4, 4, 4),
        "mid_block_attentions_0_transformer_blocks_0_attn1_to_q.alpha": (),
    },
    "boft": {
        "mid_block_attentions_0_transformer_blocks_0_attn1_to_q.oft_blocks": (2, 4, 4, 4),
        "mid_block_attentions_0_transformer_blocks_0_attn1_to_q.alpha": (),
    },
    "ia3": {
        "mid_block_attentions_0_transformer_blocks_0_attn1_to_q.weight": (1, 16),
        "mid_block_attentions_0_transformer_blocks_0_attn1_to_q.on_input": (),
    },
}


@pytest.mark.parametrize("method", HEAVY)
def test_what_only_merges_reads_back(method: str, tmp_path: Path, registry: Registry) -> None:
    """Changes that are not low-rank have keys in LyCORIS' layout, and none in diffusers'."""
    tensors = {
        f"lora_unet_{key}": np.asarray(RNG.random(shape), dtype="float32")
        for key, shape in HEAVY[method].items()
    }
    flags = [key for key in tensors if key.endswith("on_input")]
    tensors |= {key: np.asarray(1, dtype="int64") for key in flags}
    release, _ = put(registry, write(tmp_path / "x.safetensors", tensors), profile=WIDE)

    file = export(registry, release, "kohya", tmp_path / "out")

    found = again(file, tmp_path, profile=WIDE).changes
    wanted = canonical_of(registry, release).changes
    assert len(found) == len(wanted) > 0
    for mine, theirs in zip(found, wanted, strict=True):
        assert (mine.parameter, mine.method, mine.scale) == (
            theirs.parameter,
            theirs.method,
            theirs.scale,
        )
        assert (mine.method, dict(mine.options)) == (method, dict(theirs.options))
        assert mine.parts.keys() == theirs.parts.keys()
        assert all(np.array_equal(mine.parts[k], theirs.parts[k]) for k in mine.parts)
    with pytest.raises(PreconditionFailed, match="not low-rank") as refused:
        export_release(registry, release, style="diffusers", folder=tmp_path)
    assert method in str(refused.value)


@pytest.mark.parametrize("style", ["kohya", "diffusers"])
def test_embedding_reads_back(style: str, tmp_path: Path, registry: Registry) -> None:
    """The token is the key, whatever the file was called before."""
    vectors = RNG.standard_normal((2, 12)).astype("float32")
    release, _ = put(registry, write(tmp_path / "x.safetensors", {"<ink>": vectors}))

    file = export(registry, release, style, tmp_path / "out")

    assert_same(again(file, tmp_path), canonical_of(registry, release))


def test_pair_reads_back(tmp_path: Path, registry: Registry) -> None:
    """An SDXL embedding keeps its token in the header."""
    modules = {**PROFILE.modules, "text_encoder_2": PROFILE.modules["text_encoder"]}
    widths = {"text_encoder": 12, "text_encoder_2": 20}
    large = dataclasses.replace(PROFILE, family="sdxl", modules=modules, token_widths=widths)
    pair = {
        k: RNG.standard_normal((2, w)).astype("float32")
        for k, w in (("clip_l", 12), ("clip_g", 20))
    }
    path = write(tmp_path / "x.safetensors", pair, metadata={"modelspec.trigger_phrase": "<ink>"})
    release, _ = put(registry, path, profile=large)

    file = export(registry, release, "diffusers", tmp_path / "out")

    assert release.trigger_words == ("<ink>",)
    assert_same(again(file, tmp_path, profile=large), canonical_of(registry, release))


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


@pytest.mark.parametrize("scale", [0.5, 1 / 3, 0.7, 8 / 7, 1e-3 / 3, -1.25, 16 / 11])
@pytest.mark.parametrize("rank", [1, 3, 7, 64, 77])
def test_alpha_gives_the_scale_back(scale: float, rank: int) -> None:
    """Dividing by the rank gives the very scale, for alphas that a trainer could have written."""
    trained = float(np.float32(scale * rank)) / rank

    assert alpha_of(trained, rank=rank) / rank == trained
