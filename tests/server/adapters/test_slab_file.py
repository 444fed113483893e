# SPDX-License-Identifier: Apache-2.0
"""A packed adapter as a file: what comes back is what was written, or nothing."""

import hashlib
import json
import multiprocessing
import os
import struct
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tabard_registry import BlobRef
from tabard_server.adapters.disk_cache import Damaged, DiskCache
from tabard_server.adapters.host_adapter import (
    HostAdapter,
    HostChange,
    PackedLayer,
    TokenVectors,
    lay_out,
    named_views,
)
from tabard_server.adapters.slab_file import SlabKey, line_in, read_slab, write_slab
from tabard_server.telemetry.metrics import Metrics

KEY = SlabKey(release=f"sha256:{'1' * 64}", base=f"sha256:{'2' * 64}", dtype=torch.float32)


def adapter(*, dtype: torch.dtype = torch.float32, seed: int = 0) -> HostAdapter:
    """Make an adapter with everything an adapter can have, larger than a page."""
    generator = torch.Generator().manual_seed(seed)

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    scaled = PackedLayer(
        down=noise(3, 36), up=noise(3, 5), magnitude=noise(4), magnitude_axis="inputs"
    )
    return lay_out(
        {
            ("unet", "one"): PackedLayer(down=noise(4, 333), up=noise(4, 77)),
            ("unet", "two"): scaled,
        },
        digest=KEY.release,
        tokens=(
            TokenVectors(component="text_encoder", token="<a>", vectors=noise(2, 7)),
            TokenVectors(component="text_encoder_2", token="<a>", vectors=noise(1, 9)),
        ),
        changes=(
            HostChange(
                component="unet",
                parameter="three.bias",
                method="dense",
                scale=0.5,
                options={"constraint": 0.25, "on_input": True},
                parts={"diff": noise(11).half()},
            ),
        ),
        dtype=dtype,
    )


def is_same(one: HostAdapter, other: HostAdapter) -> bool:
    """Say whether two adapters have equal numbers under equal names."""
    ours, theirs = dict(named_views(one)), dict(named_views(other))
    return list(ours) == list(theirs) and all(
        torch.equal(ours[name], theirs[name]) for name in theirs
    )


def written(folder: Path, *, key: SlabKey = KEY) -> Path:
    """Write that adapter."""
    path = folder / key.file_name
    write_slab(adapter(dtype=key.dtype), path, key=key, line="acme/ink")
    return path


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_adapter_comes_back(tmp_path: Path, dtype: torch.dtype) -> None:
    """Every number, name, shape and dtype is what it was; the views lie in one slab."""
    key = replace(KEY, dtype=dtype)
    before = adapter(dtype=dtype)

    after = read_slab(written(tmp_path, key=key), key=key)

    assert is_same(after, before)
    for field in ("digest", "kind", "rank", "magnitude_rows", "resident_bytes"):
        assert getattr(after, field) == getattr(before, field)
    assert list(after.layers) == list(before.layers)
    for name, layer in before.layers.items():
        found = after.layers[name]
        assert found.magnitude_axis == layer.magnitude_axis
        for ours, theirs in zip(found.tensors(), layer.tensors(), strict=True):
            assert ours.dtype == theirs.dtype
            assert ours.storage_offset() == theirs.storage_offset()
    for entry, known in zip(after.tokens, before.tokens, strict=True):
        assert (entry.component, entry.token) == (known.component, known.token)
        assert torch.equal(entry.vectors, known.vectors)
    [change], [made] = after.changes, before.changes
    assert replace(change, parts={}).options == made.options
    assert (change.parameter, change.method, change.scale) == ("three.bias", "dense", 0.5)
    assert change.parts["diff"].dtype == torch.float16


def test_tokens_alone_come_back(tmp_path: Path) -> None:
    """A Textual Inversion has no slab."""
    vectors = torch.randn(2, 7)
    tokens = (TokenVectors(component="text_encoder", token="<a>", vectors=vectors),)
    path = tmp_path / KEY.file_name
    write_slab(lay_out({}, digest=KEY.release, tokens=tokens), path, key=KEY, line="acme/ink")

    found = read_slab(path, key=KEY)

    assert found.slab is None
    assert torch.equal(found.tokens[0].vectors, vectors)
    assert found.resident_bytes == vectors.nbytes


def test_writing_a_view_changes_no_file(tmp_path: Path) -> None:
    """The map is private, and stays when the file goes."""
    path = written(tmp_path)
    found = read_slab(path, key=KEY)
    content = path.read_bytes()

    found.layers["unet", "one"].down.zero_()

    assert path.read_bytes() == content
    path.unlink()
    assert float(found.layers["unet", "one"].down.abs().max()) == 0.0


def test_mapped_adapters_hold_no_descriptor(tmp_path: Path) -> None:
    """Hundreds may be resident, and a process has some hundred descriptors for all it does."""
    path = written(tmp_path)
    descriptors = Path("/dev/fd")
    before = len(list(descriptors.iterdir()))

    found = [read_slab(path, key=KEY) for _ in range(20)]

    assert len(list(descriptors.iterdir())) <= before
    assert is_same(found[-1], adapter(dtype=KEY.dtype))


def test_line_is_read_from_the_header(tmp_path: Path) -> None:
    """Who warms up need not know the release."""
    assert line_in(written(tmp_path)) == "acme/ink"


def _flip(content: bytearray, at: int) -> bytearray:
    content[at] ^= 1
    return content


def _carry(content: bytearray) -> bytearray:
    """Change two words so that their sum stays."""
    at = len(content) - 8192
    first, second = struct.unpack_from("<QQ", content, at)
    struct.pack_into("<QQ", content, at, (first + 1) % 2**64, (second - 1) % 2**64)
    return content


def _swap(content: bytearray, *, size: int, by: int) -> bytearray:
    """Exchange two pieces of the payload that are so far apart."""
    at = len(content) - 8192
    first, second = slice(at, at + size), slice(at + by, at + by + size)
    assert content[first] != content[second]
    content[first], content[second] = content[second], content[first]
    return content


def _with_tail_of_another(content: bytearray, *, size: int) -> bytearray:
    """End like a slab of the same shapes with other numbers, as after half an overwrite."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "other"
        write_slab(adapter(seed=1), path, key=KEY, line="acme/ink")
        other = path.read_bytes()
    assert len(other) == len(content)
    return content[:-size] + other[-size:]


DAMAGES: dict[str, Callable[[bytearray], bytes | bytearray]] = {
    "empty": lambda _content: b"",
    "half a prologue": lambda content: content[:20],
    "truncated header": lambda content: content[:200],
    "truncated by a byte": lambda content: content[:-1],
    "truncated by a page": lambda content: content[:-4096],
    "grown by a page": lambda content: content + bytes(4096),
    "another magic": lambda content: _flip(content, 0),
    "an absurd header": lambda content: content[:8] + struct.pack("<Q", 1 << 60) + content[16:],
    "an absurd payload": lambda content: content[:16] + struct.pack("<Q", 1 << 60) + content[24:],
    "a bit of the digest": lambda content: _flip(content, 30),
    "a bit of the header": lambda content: _flip(content, 100),
    "a bit of the payload": lambda content: _flip(content, len(content) - 8000),
    "a page of zeros": lambda content: content[:-8192] + bytes(4096) + content[-4096:],
    "two words swapped": lambda content: _swap(content, size=8, by=8),
    "two floats swapped": lambda content: _swap(content, size=4, by=64),
    "two sectors swapped": lambda content: _swap(content, size=512, by=512),
    "two pages swapped": lambda content: _swap(content, size=4096, by=4096),
    "the last page of another": lambda content: _with_tail_of_another(content, size=4096),
    "the payload of another": lambda content: _with_tail_of_another(content, size=8192),
    "one added here, one taken there": _carry,
    "a bit of the padding": lambda content: _flip(content, 4000),
    "another file": lambda _content: b"PK\x03\x04" * 3000,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_slab_is_never_worn(
    tmp_path: Path, damage: Callable[[bytearray], bytes | bytearray]
) -> None:
    """Whatever happened to the file, it is noticed before anything of it is used."""
    path = written(tmp_path)
    path.write_bytes(damage(bytearray(path.read_bytes())))

    with pytest.raises(Damaged):
        read_slab(path, key=KEY)


@pytest.mark.parametrize(
    "other",
    [
        {"dtype": torch.float16},
        {"base": f"sha256:{'3' * 64}"},
        {"release": f"sha256:{'4' * 64}"},
    ],
)
def test_foreign_slab_is_never_worn(tmp_path: Path, other: dict[str, object]) -> None:
    """A file of another dtype, base or release under this name is not taken for this one."""
    key = replace(KEY, **other)  # type: ignore[arg-type]
    path = written(tmp_path, key=key)

    with pytest.raises(Damaged):
        read_slab(path, key=KEY)
    assert key.file_name != KEY.file_name


def test_other_format_version_is_never_worn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an update of the layout, old files are made again."""
    path = written(tmp_path)
    monkeypatch.setattr("tabard_server.adapters.slab_file.FORMAT", 4)

    with pytest.raises(Damaged):
        read_slab(path, key=KEY)
    assert path.name != KEY.file_name


def test_every_flipped_bit_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prologue, header, padding and payload, one bit after the other."""
    monkeypatch.setattr("tabard_server.adapters.slab_file._PAGE_BYTES", 16)
    layers = {("unet", "one"): PackedLayer(down=torch.randn(1, 5), up=torch.randn(1, 3))}
    path = tmp_path / KEY.file_name
    write_slab(lay_out(layers, digest=KEY.release, tokens=()), path, key=KEY, line="acme/ink")
    content = path.read_bytes()
    read_slab(path, key=KEY)

    with path.open("r+b", buffering=0) as file:
        for bit in range(8 * len(content)):
            at, mask = bit // 8, 1 << bit % 8
            os.pwrite(file.fileno(), bytes([content[at] ^ mask]), at)
            with pytest.raises(Damaged):
                read_slab(path, key=KEY)
            os.pwrite(file.fileno(), content[at : at + 1], at)


def test_slab_of_the_first_format_is_made_anew(tmp_path: Path) -> None:
    """What an earlier server kept, with sums of pages, is seen to be none of this format."""
    slab = torch.arange(1024, dtype=torch.float32).numpy()
    text = json.dumps({"key": [1, KEY.release, KEY.base, str(KEY.dtype)]}).encode()
    sums = slab.view(np.uint64).reshape(-1, 512).sum(axis=1, dtype=np.uint64)
    sizes = (b"livslab1", len(text), len(sums))
    digest = hashlib.sha256(struct.pack("<8sQQ32s", *sizes, bytes(32)) + text + sums.tobytes())
    head = struct.pack("<8sQQ32s", *sizes, digest.digest()) + text + sums.tobytes()
    disk = DiskCache(tmp_path, fetch=_fetch_nothing, bytes_max=1 << 20, metrics=Metrics())
    old = tmp_path / KEY.file_name
    old.write_bytes(head + bytes(-len(head) % 4096) + slab.tobytes())
    old.chmod(0o600)

    found = disk.use(
        KEY.file_name,
        read=lambda path: read_slab(path, key=KEY),
        make=adapter,
        write=lambda made, path: write_slab(made, path, key=KEY, line="acme/ink"),
    )

    assert is_same(found, adapter())
    assert is_same(read_slab(old, key=KEY), adapter())


def test_slab_that_others_can_write_is_never_worn(tmp_path: Path) -> None:
    """Sums keep out accidents; only the file's mode keeps out people."""
    path = written(tmp_path)
    path.chmod(0o666)

    with pytest.raises(Damaged):
        read_slab(path, key=KEY)


def _fetch_nothing(_blob: BlobRef, _path: Path) -> None:
    raise AssertionError("nothing is fetched here")


def _use(folder: str, barrier: object, rounds: int) -> None:
    """Ask for one file in turns of reading and removing, beside another process."""
    disk = DiskCache(Path(folder), fetch=_fetch_nothing, bytes_max=1 << 20, metrics=Metrics())
    known = adapter()
    barrier.wait(60)  # type: ignore[attr-defined]
    for _ in range(rounds):
        found = disk.use(
            KEY.file_name,
            read=lambda path: read_slab(path, key=KEY),
            make=adapter,
            write=lambda made, path: write_slab(made, path, key=KEY, line="acme/ink"),
        )
        assert is_same(found, known)
        (Path(folder) / KEY.file_name).unlink(missing_ok=True)


def test_two_processes_share_a_folder(tmp_path: Path) -> None:
    """They write, read and remove one name at once; each always gets the whole adapter."""
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(2)
    workers = [spawn.Process(target=_use, args=(str(tmp_path), barrier, 60)) for _ in range(2)]

    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)

    assert [worker.exitcode for worker in workers] == [0, 0]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
