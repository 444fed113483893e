# SPDX-License-Identifier: Apache-2.0
"""Embeddings as A1111, the first authors and diffusers pickle them, through the sandbox."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from tabard_registry import Author, BaseProfile, Checked, ReleaseDraft, check
from tabard_registry.content.canonical import read_canonical
from tabard_registry.refs.digest import sha256_file
from tabard_registry.refs.semver import Version
from tabard_registry.registry import Registry
from tabard_server.pickles.reader import read_in_sandbox
from tests.registry.fakes import NAME, Tensors, sd_profile, write

WIDTHS = {"text_encoder": 12, "text_encoder_2": 20}


def vectors(count: int = 3, width: int = 12, *, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def large_profile() -> BaseProfile:
    """A base with two text encoders."""
    small = sd_profile()
    modules = {**small.modules, "text_encoder_2": small.modules["text_encoder"]}
    return dataclasses.replace(small, family="sdxl", modules=modules, token_widths=WIDTHS)


def checked(
    *files: Path, profile: BaseProfile | None = None, words: tuple[str, ...] = ()
) -> Checked:
    return check(
        files, profile=profile or sd_profile(), trigger_words=words, pickles=read_in_sandbox
    )


def a1111(tensor: object, **more: object) -> dict[str, object]:
    """The layout of an embedding as A1111 saves it."""
    return {
        "string_to_token": {"*": 265},
        "string_to_param": {"*": tensor},
        "name": "ink-wash",
        "step": 1500,
        "sd_checkpoint": "4bdfc29c",
        "sd_checkpoint_name": "v1-5",
        **more,
    }


@pytest.mark.parametrize("is_zip", [True, False])
def test_a1111_embedding_is_taken(is_zip: bool, tmp_path: Path, registry: Registry) -> None:
    """Name, vectors and original bytes are what they were."""
    file, tensor = tmp_path / "other-name.pt", vectors()
    torch.save(a1111(tensor.requires_grad_()), file, _use_new_zipfile_serialization=is_zip)

    result = checked(file)
    published = registry.publish(
        ReleaseDraft(adapter=NAME, version=Version.parse("1.0.0")),
        checked=result,
        files=[file],
        author=Author(actor="ann"),
    )

    report = result.report
    assert (report.accepted, report.kind) == (True, "textual_inversion")
    assert (report.trigger_words, report.target_count) == (("ink-wash",), 3)
    assert report.training["sd_checkpoint_name"] == "v1-5"
    assert published.release.original == (sha256_file(file),)
    manifest = registry.manifest(published.release.digest)
    path = registry.blob_path(manifest.canonical.sha256)  # type: ignore[union-attr]
    kept = read_canonical(path, manifest).tokens["text_encoder"]  # type: ignore[arg-type]
    assert np.array_equal(kept, tensor.detach().numpy())


def test_first_authors_class_is_data(tmp_path: Path) -> None:
    """A pickled ParameterDict is read without being one; `*` is no name."""
    file, tensor = tmp_path / "x.pt", vectors(1)
    params = torch.nn.ParameterDict({"*": torch.nn.Parameter(tensor)})
    torch.save({"string_to_token": {"*": torch.tensor(265)}, "string_to_param": params}, file)

    nameless, named = checked(file).report, checked(file, words=("<ink>",)).report

    assert [problem.reason for problem in nameless.problems] == ["NO_TRIGGER"]
    assert (named.accepted, named.trigger_words, named.target_count) == (True, ("<ink>",), 1)


def test_diffusers_bin_is_taken(tmp_path: Path) -> None:
    """The key is the token, half precision stays, and the extension says nothing."""
    file = tmp_path / "learned_embeds.safetensors"
    torch.save({"<ink>": vectors(1)[0].half()}, file)

    result = checked(file)

    assert (result.report.accepted, result.report.trigger_words) == (True, ("<ink>",))
    assert result.report.resident_bytes == 12 * 2
    assert result.files[0].name == "learned_embeds.safetensors"


def test_pickled_pair_is_taken(tmp_path: Path) -> None:
    """Both encoders of an SDXL embedding in one pickle, with a name."""
    file = tmp_path / "pair.pt"
    torch.save({"clip_l": vectors(2), "clip_g": vectors(2, 20)}, file)

    result = checked(file, profile=large_profile(), words=("<ink>",))

    assert result.report.accepted, result.report.problems
    assert {(x.component, x.count) for x in result.tokens} == {
        ("text_encoder", 2),
        ("text_encoder_2", 2),
    }


@pytest.mark.parametrize(
    ("first", "second"),
    [("clip_l", "clip_g"), ("<ink>", "<ink>"), ("emb_params", "emb_params"), ("*", "emb_params")],
)
def test_pair_in_two_files(first: str, second: str, tmp_path: Path) -> None:
    """Keys or widths say which file is for which encoder, in any order."""
    files = [
        write(tmp_path / "a.safetensors", _tensors(first, 2, 12)),
        write(tmp_path / "b.safetensors", _tensors(second, 2, 20)),
    ]

    for order in (files, files[::-1]):
        result = checked(*order, profile=large_profile(), words=("<ink>",))
        assert result.report.accepted, result.report.problems
        assert {x.component: x.source.path.name for x in result.tokens} == {
            "text_encoder": "a.safetensors",
            "text_encoder_2": "b.safetensors",
        }


@pytest.mark.parametrize(
    ("counts", "widths", "says"),
    [((2, 3), (12, 20), "2 vectors"), ((2, 2), (12, 12), "no vectors for the text_encoder_2")],
)
def test_uneven_pair_is_refused(
    counts: tuple[int, int], widths: tuple[int, int], says: str, tmp_path: Path
) -> None:
    """Two files that do not belong together are refused."""
    files = [
        write(tmp_path / f"{n}.safetensors", _tensors("<ink>", count, width))
        for n, (count, width) in enumerate(zip(counts, widths, strict=True))
    ]

    report = checked(*files, profile=large_profile()).report

    assert {problem.reason for problem in report.problems} == {"INCOMPLETE_PAIR"}
    assert any(says in problem.message for problem in report.problems)


def test_several_params_are_refused(tmp_path: Path) -> None:
    """A file with two words is ambiguous and says so."""
    file = tmp_path / "x.pt"
    torch.save({"string_to_param": {"a": vectors(), "b": vectors()}}, file)

    problem = checked(file).report.problems[0]

    assert (problem.reason, "2 tensors" in problem.message) == ("PICKLE_REFUSED", True)


def _tensors(key: str, count: int, width: int) -> Tensors:
    return {key: np.ones((count, width), dtype="float32")}
