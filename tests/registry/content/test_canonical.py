# SPDX-License-Identifier: Apache-2.0

import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from tabard_registry import read_canonical, sha256_file
from tabard_registry.errors import CorruptRegistry
from tests.registry.content.canonical_files import PROFILE, TARGETS, canonicalise
from tests.registry.fakes import kohya_name, kohya_tensors, write


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_layers_come_back_bit_by_bit(dtype: str, tmp_path: Path) -> None:
    """Factors keep their bits and type; 1x1 convolutions become matrices."""
    tensors = kohya_tensors(PROFILE, rank=3, alpha=1.5, dtype=dtype)
    manifest = canonicalise(write(tmp_path / "x.safetensors", tensors), tmp_path / "canonical")

    canonical = read_canonical(tmp_path / "canonical", manifest)

    assert [(x.component, x.module) for x in canonical.layers] == sorted(TARGETS)
    for layer in canonical.layers:
        shape = PROFILE.modules[layer.component][layer.module]
        stem = kohya_name(layer.component, layer.module)
        assert (layer.down.shape, layer.up.shape) == ((3, shape.inputs), (shape.outputs, 3))
        assert (str(layer.down.dtype), layer.scale, layer.rank) == (dtype, 0.5, 3)
        assert layer.down.tobytes() == tensors[f"{stem}.lora_down.weight"].tobytes()
        assert layer.up.tobytes() == tensors[f"{stem}.lora_up.weight"].tobytes()


def test_canonical_bytes_are_repeatable(tmp_path: Path) -> None:
    """Equal tensors make equal bytes, whatever their order in the file."""
    tensors = kohya_tensors(PROFILE)
    first = canonicalise(write(tmp_path / "1.safetensors", tensors), tmp_path / "c1")
    backwards = dict(reversed(tensors.items()))
    second = canonicalise(
        write(tmp_path / "2.safetensors", backwards, metadata={"a": "b"}), tmp_path / "c2"
    )

    assert first.canonical == second.canonical
    assert sha256_file(tmp_path / "c1") == first.canonical.sha256
    assert (tmp_path / "c1").stat().st_size == first.canonical.bytes


def test_foreign_reader_reads_canonical(tmp_path: Path) -> None:
    """The canonical file is a safetensors file to the safetensors package too."""
    tensors = kohya_tensors(PROFILE)
    manifest = canonicalise(write(tmp_path / "x.safetensors", tensors), tmp_path / "c")

    with safe_open(tmp_path / "c", "np") as file:
        keys = set(file.keys())
        first = file.get_tensor("unet:mid_block.attentions.0.proj_in:up")

    assert keys == {
        f"{t.component}:{t.module}:{p}" for t in manifest.targets for p in ("down", "up")
    }
    assert first.shape == (16, 2)


def test_tokens_come_back(tmp_path: Path) -> None:
    """Vectors of a token come back as a matrix."""
    vectors = np.random.default_rng(0).standard_normal((3, 12)).astype("float32")
    path = write(tmp_path / "x.safetensors", {"<ink>": vectors})
    manifest = canonicalise(path, tmp_path / "c")

    canonical = read_canonical(tmp_path / "c", manifest)

    assert canonical.layers == ()
    assert np.array_equal(canonical.tokens["text_encoder"], vectors)
    assert [(t.token, t.count) for t in manifest.tokens] == [("<ink>", 3)]


def test_brain_floats_widen_exactly(tmp_path: Path) -> None:
    """BF16 becomes F32 without loss."""
    bits = np.array([0x3F80, 0xC000, 0x3E20] * 4, dtype="<u2")
    text = b'{"<ink>":{"dtype":"BF16","shape":[1,12],"data_offsets":[0,24]}}'
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + bits.tobytes())
    manifest = canonicalise(path, tmp_path / "c")

    found = read_canonical(tmp_path / "c", manifest).tokens["text_encoder"]

    assert found.dtype == np.float32
    assert found[0, :3].tolist() == [1.0, -2.0, 0.15625]


def test_writing_to_layers_is_harmless(tmp_path: Path) -> None:
    """The arrays are private: the file stays what it was."""
    path = write(tmp_path / "x.safetensors", kohya_tensors(PROFILE))
    manifest = canonicalise(path, tmp_path / "c")

    read_canonical(tmp_path / "c", manifest).layers[0].down[:] = 0

    assert sha256_file(tmp_path / "c") == manifest.canonical.sha256


def test_damaged_canonical_is_refused(tmp_path: Path) -> None:
    """One changed byte is seen; without verifying, a broken layout still is."""
    path = write(tmp_path / "x.safetensors", kohya_tensors(PROFILE))
    manifest = canonicalise(path, tmp_path / "c")
    content = bytearray((tmp_path / "c").read_bytes())
    content[-1] ^= 1
    (tmp_path / "c").write_bytes(content)

    with pytest.raises(CorruptRegistry, match="digest"):
        read_canonical(tmp_path / "c", manifest)
    (tmp_path / "c").write_bytes(content[:-1])
    with pytest.raises(CorruptRegistry, match="too early"):
        read_canonical(tmp_path / "c", manifest, verify=False)
