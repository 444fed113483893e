# SPDX-License-Identifier: Apache-2.0
"""What lies at an encoder's path is known, or refused with what to do, before a model is loaded."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tabard_server.encoders.files import DEMO_ENCODERS, find_encoder, require_encoders
from tabard_server.errors import BadSettings
from tests.server.encoders.models import (
    BYTES_MAX,
    encoder,
    rewrite,
    save_clip,
    save_dinov2,
    save_script,
)


def refusal_of(path: Path | str, **changes: object) -> BadSettings:
    with pytest.raises(BadSettings) as refusal:
        require_encoders([encoder(path, **changes)], bytes_max=BYTES_MAX)
    return refusal.value


def test_formats_are_found_out(tmp_path: Path) -> None:
    """From the folder's config, and from what a file holds."""
    save_clip(tmp_path / "half")
    save_clip(tmp_path / "whole", is_whole=True)
    save_dinov2(tmp_path / "dino")
    save_script(tmp_path / "sscd.torchscript.pt")
    paths = ("half", "whole", "dino", "sscd.torchscript.pt")

    found = [find_encoder(encoder(tmp_path / one), bytes_max=BYTES_MAX) for one in paths]

    assert [one.format for one in found] == ["clip", "clip", "dinov2", "torchscript"]
    assert len({one.digest() for one in found}) == 4
    assert found[3].preprocessing.shortest_edge == 288


def test_digest_is_of_all_that_shapes_vectors(tmp_path: Path) -> None:
    """Weights, configuration and preparation; not where they lie."""
    save_dinov2(tmp_path / "one")
    save_dinov2(tmp_path / "two")

    def digest(name: str) -> str:
        return find_encoder(encoder(tmp_path / name), bytes_max=BYTES_MAX).digest()

    before = digest("two")
    rewrite(tmp_path / "two" / "preprocessor_config.json", resample=2)
    prepared = digest("two")
    rewrite(tmp_path / "two" / "config.json", layer_norm_eps=1e-3)

    assert digest("one") == before
    assert len({before, prepared, digest("two")}) == 3


@pytest.mark.parametrize(
    ("spoil", "reason", "words"),
    [
        (lambda folder: (folder / "config.json").unlink(), "ENCODER_UNREADABLE", "config.json"),
        (
            lambda folder: (folder / "config.json").write_text("[" * 100_000),
            "ENCODER_UNREADABLE",
            "table of JSON",
        ),
        (
            lambda folder: rewrite(folder / "config.json", model_type="bert"),
            "ENCODER_UNSUITABLE",
            "'bert'",
        ),
        (
            lambda folder: rewrite(folder / "config.json", model_type="clip_text_model"),
            "ENCODER_UNSUITABLE",
            "clip_text_model",
        ),
        (
            lambda folder: rewrite(folder / "config.json", model_type=None),
            "ENCODER_UNSUITABLE",
            "names no model_type",
        ),
        (
            lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
            "ENCODER_UNREADABLE",
            "no model.safetensors",
        ),
        (
            lambda folder: (folder / "preprocessor_config.json").unlink(),
            "ENCODER_UNREADABLE",
            "how it wants its pictures",
        ),
        (
            lambda folder: rewrite(folder / "preprocessor_config.json", do_pad=True),
            "ENCODER_UNSUITABLE",
            "do_pad",
        ),
    ],
)
def test_spoilt_folders_are_refused(
    tmp_path: Path, spoil: Callable[[Path], object], reason: str, words: str
) -> None:
    """Each by what is wrong with it, and by what to do."""
    save_dinov2(tmp_path)
    spoil(tmp_path)

    refusal = refusal_of(tmp_path)

    assert (refusal.reason, refusal.names) == (reason, ("encoders",))
    assert words in str(refusal)
    assert refusal.hint


def test_absent_path_is_refused(tmp_path: Path) -> None:
    """With its name, and never looked for on a hub."""
    refusal = refusal_of("openai/clip-vit-base-patch32")

    assert refusal.reason == "ENCODER_MISSING"
    assert "openai/clip-vit-base-patch32" in str(refusal)


def test_file_without_code_is_no_script(tmp_path: Path) -> None:
    """A pickled state dict is an archive too, and is refused unread."""
    file = tmp_path / "weights.pt"
    torch.save({"weight": torch.zeros(2)}, file)

    refusal = refusal_of(file)

    assert (refusal.reason, "no TorchScript" in str(refusal)) == ("ENCODER_UNREADABLE", True)


def test_format_that_is_not_so_is_refused(tmp_path: Path) -> None:
    """What the settings say and what is there must be one."""
    save_dinov2(tmp_path)

    refusal = refusal_of(tmp_path, format="clip")

    assert refusal.reason == "ENCODER_UNSUITABLE"
    assert 'format = "dinov2"' in refusal.hint


def test_large_weights_are_refused(tmp_path: Path) -> None:
    """Above the bound, with its name."""
    save_dinov2(tmp_path)

    with pytest.raises(BadSettings) as refusal:
        find_encoder(encoder(tmp_path), bytes_max=100)

    assert "limits.encoder_bytes_max" in refusal.value.hint


def test_one_encoder_of_a_kind(tmp_path: Path) -> None:
    """Two of one kind are refused, beside all else that is wrong."""
    save_dinov2(tmp_path / "a")
    both = [encoder(tmp_path / "a", name="a"), encoder(tmp_path / "gone", name="b")]

    with pytest.raises(BadSettings) as refusal:
        require_encoders(both, bytes_max=BYTES_MAX)

    assert "2 of the kind 'style'" in str(refusal.value)
    assert "'b'" in str(refusal.value)


def test_demo_encoders_are_what_their_index_says() -> None:
    """The files are those that were measured; there is none for copies."""
    index = json.loads((DEMO_ENCODERS / "index.json").read_text())
    found = {
        one["kind"]: find_encoder(encoder("demo", kind=one["kind"]), bytes_max=BYTES_MAX)
        for one in index
    }

    assert set(found) == {"style", "subject"}
    for one in index:
        content = found[one["kind"]].weights.read_bytes()
        assert hashlib.sha256(content).hexdigest() == one["sha256"]
        assert len(content) < 1_000_000
    assert "no encoder of the kind copy" in str(refusal_of("demo", kind="copy"))
