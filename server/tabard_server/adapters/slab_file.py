# SPDX-License-Identifier: Apache-2.0
"""A packed adapter as one file: mapped into memory as it is, with nothing to convert.

In: a host adapter and a path, and back. A prologue, a header of two lines of JSON (the second is
the layout), and the payload: the slab, then the vectors of tokens. The prologue has the hash of
the header, the header that of the payload; docs/decisions/0018 says what is guaranteed.
"""

import json
import os
import stat
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xxhash
from numpy.typing import NDArray

from tabard_server.adapters.disk_cache import Damaged
from tabard_server.adapters.host_adapter import (
    HostAdapter,
    HostChange,
    SlabLayers,
    TokenVectors,
    place_of,
)
from tabard_server.adapters.slab_layout import SlabLayout, parse_layout, write_layout

FORMAT = 3
"""Version of the layout; files of another one are made again."""
SUFFIX = ".slab"

_MAGIC = b"tabslab3"
_PROLOGUE = struct.Struct("<8sQ16s")
_PAGE_BYTES = 4096
_HEADER_BYTES_MAX = 64 << 20
_ALIGNMENT_BYTES = 16
_DTYPES = {
    str(dtype): dtype for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64)
}

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlabKey:
    """Everything that decides what the bytes of a slab are.

    Attributes:
        release: `sha256:…` of the manifest: the same canonical file has other scales elsewhere.
        base: Fingerprint of the base that it was compared with.
        dtype: The engine's dtype.
    """

    release: str
    base: str
    dtype: torch.dtype

    @property
    def file_name(self) -> str:
        """Name of its file; the release comes first."""
        release, base = (text.removeprefix("sha256:") for text in (self.release, self.base))
        dtype = str(self.dtype).removeprefix("torch.")
        return f"{release}.{base[:16]}.{dtype}.{FORMAT}{SUFFIX}"

    def to_json(self) -> list[Any]:
        """Write what the header says of it."""
        return [FORMAT, self.release, self.base, str(self.dtype)]


def write_slab(adapter: HostAdapter, path: Path, *, key: SlabKey, line: str) -> None:
    """Write a new file, down to the disk.

    Args:
        adapter: What shall be in it.
        path: The file.
        key: What it is.
        line: The release line, `namespace/name`.

    Raises:
        OSError: It cannot be written.
    """
    chunks = list(_payload(adapter))
    hashed = xxhash.xxh3_128()
    for chunk in chunks:
        hashed.update(chunk.data)
    document = _describe(adapter, key=key, line=line) | {
        "payload_bytes": sum(chunk.nbytes for chunk in chunks),
        "payload_xxh3_128": hashed.hexdigest(),
    }
    header = json.dumps(document, separators=(",", ":")).encode("ascii")
    header += b"\n" + write_layout(adapter.layout)
    # Blanks, which JSON passes over, up to the page on which the payload starts.
    header += b" " * _padding(_PROLOGUE.size + len(header))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(_prologue(header))
        file.write(header)
        for chunk in chunks:
            file.write(chunk.data)
        file.flush()
        os.fsync(file.fileno())


def read_slab(path: Path, *, key: SlabKey, is_pinned: bool = False) -> HostAdapter:
    """Map a file, check all of it, and return the adapter in it.

    Args:
        path: The file.
        key: What it must be.
        is_pinned: Read it into page-locked memory instead.

    Raises:
        Damaged: It is not what `write_slab` wrote for this key.
        OSError: It cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        document, layout, start = _read_header(file)
        if document["key"] != key.to_json():
            raise Damaged(f"it holds {document['key']}")
        payload = _load(file, start=start, size=document["payload_bytes"], is_pinned=is_pinned)
    if xxhash.xxh3_128_hexdigest(payload.numpy().data) != document["payload_xxh3_128"]:
        raise Damaged("its payload has another hash")
    return _assemble(document, payload, layout=parse_layout(layout, key.dtype), key=key)


def line_in(path: Path) -> str:
    """Return which release line a file belongs to; of the file only the header is read.

    Raises:
        Damaged: It is no slab file.
        OSError: It cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        return str(_read_header(file)[0]["line"])


def _payload(adapter: HostAdapter) -> Iterator[Bytes]:
    """Yield the slab's whole pages as they lie, and the rest padded to pages."""
    slab = np.empty(0, np.uint8) if adapter.slab is None else adapter.slab.numpy()
    whole = slab.size // _PAGE_BYTES * _PAGE_BYTES
    if whole:
        yield slab[:whole]
    rest = bytearray(slab[whole:].tobytes())
    for entry in adapter.tokens:
        rest += bytes(-len(rest) % _ALIGNMENT_BYTES)
        rest += entry.vectors.contiguous().numpy().tobytes()
    rest += bytes(_padding(len(rest)))
    if rest:
        yield np.frombuffer(rest, np.uint8)


def _describe(adapter: HostAdapter, *, key: SlabKey, line: str) -> dict[str, Any]:
    slab_bytes = 0 if adapter.slab is None else adapter.slab.nbytes
    at = slab_bytes
    tokens = []
    for entry in adapter.tokens:
        at += -at % _ALIGNMENT_BYTES
        tokens.append([entry.component, entry.token, *entry.vectors.shape, at])
        at += entry.vectors.nbytes
    return {
        "key": key.to_json(),
        "line": line,
        "kind": adapter.kind,
        "rank": adapter.rank,
        "magnitude_rows": adapter.magnitude_rows,
        "slab_bytes": slab_bytes,
        "changes": [
            [x.component, x.parameter, x.method, x.scale, dict(x.options), _describe_parts(x)]
            for x in adapter.changes
        ],
        "tokens": tokens,
    }


def _describe_parts(change: HostChange) -> list[list[Any]]:
    return [
        [name, str(part.dtype), list(part.shape), place_of(part)]
        for name, part in change.parts.items()
    ]


def _prologue(header: bytes) -> bytes:
    return _PROLOGUE.pack(_MAGIC, len(header), xxhash.xxh3_128_digest(header))


def _read_header(file: FileIO) -> tuple[dict[str, Any], bytes, int]:
    """Return what a file says of itself, its layout as text, and where its payload starts."""
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise Damaged("others can write it")
    prologue = file.read(_PROLOGUE.size)
    if len(prologue) < _PROLOGUE.size:
        raise Damaged("it is truncated")
    magic, header_bytes, _ = _PROLOGUE.unpack(prologue)
    if magic != _MAGIC or header_bytes > _HEADER_BYTES_MAX:
        raise Damaged("it is no slab of this format")
    header = file.read(header_bytes)
    if prologue != _prologue(header):
        raise Damaged("its header has another hash")
    first, _, layout = header.partition(b"\n")
    document: dict[str, Any] = json.loads(first)
    start = _PROLOGUE.size + header_bytes
    if start + document["payload_bytes"] != found.st_size:
        raise Damaged(f"it has {found.st_size} bytes, not {start + document['payload_bytes']}")
    return document, layout.rstrip(b" "), start


def _load(file: FileIO, *, start: int, size: int, is_pinned: bool) -> torch.Tensor:
    """Return the payload, mapped, so that it is copied once: from the page cache into the slots.

    The map is private: whoever writes a tensor in it changes no file.
    """
    if not is_pinned:
        # Python's own map keeps a descriptor for as long as it lives: hundreds of adapters would
        # take hundreds. torch closes it at once; the path means the open file, whatever its name.
        mapped = torch.from_file(
            f"/dev/fd/{file.fileno()}", shared=False, size=start + size, dtype=torch.uint8
        )
        return torch.from_numpy(mapped.numpy()[start:])  # positions count from the payload
    payload = torch.empty(size, dtype=torch.uint8, pin_memory=True)
    target = memoryview(payload.numpy().data)
    file.seek(start)
    while target:
        count = file.readinto(target)
        if not count:
            raise Damaged("it is truncated")
        target = target[count:]
    return payload


def _assemble(
    document: dict[str, Any], payload: torch.Tensor, *, layout: SlabLayout, key: SlabKey
) -> HostAdapter:
    slab_bytes = document["slab_bytes"]
    slab = payload[:slab_bytes] if slab_bytes else None
    tokens = tuple(
        TokenVectors(
            component=component, token=token, vectors=_view(payload, torch.float32, shape, at=at)
        )
        for component, token, *shape, at in document["tokens"]
    )
    return HostAdapter(
        digest=key.release,
        kind=document["kind"],
        rank=document["rank"],
        layers={} if slab is None else SlabLayers(layout, slab=slab),
        magnitude_rows=document["magnitude_rows"],
        slab=slab,
        tokens=tokens,
        changes=tuple(_change(row, payload) for row in document["changes"]),
        resident_bytes=slab_bytes + sum(entry.vectors.nbytes for entry in tokens),
    )


def _change(row: Sequence[Any], payload: torch.Tensor) -> HostChange:
    component, parameter, method, scale, options, parts = row
    return HostChange(
        component=component,
        parameter=parameter,
        method=method,
        scale=scale,
        options=options,
        parts={
            name: _view(payload, _DTYPES[dtype], shape, at=at) for name, dtype, shape, at in parts
        },
    )


def _view(
    payload: torch.Tensor, dtype: torch.dtype, shape: Sequence[int], *, at: int
) -> torch.Tensor:
    count = int(np.prod(shape))
    return payload[at : at + count * dtype.itemsize].view(dtype).view(*shape)


def _padding(size_bytes: int) -> int:
    return -size_bytes % _PAGE_BYTES
