# SPDX-License-Identifier: Apache-2.0
"""Small real things for the registry's tests: profiles, adapter files, a store in memory."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import numpy as np
from safetensors.numpy import save_file

from tabard_registry import (
    AdapterName,
    AdapterRef,
    Author,
    BaseProfile,
    BlobRef,
    Manifest,
    ModuleShape,
    Published,
    Registry,
    ReleaseDraft,
    Target,
    Version,
    check,
    sha256_bytes,
)
from tabard_registry.errors import CorruptRegistry, NotFound
from tabard_registry.store.store import Outcome, StoredObject

NAME = AdapterName("acme", "ink")


def fixed_clock() -> Callable[[], datetime]:
    """A clock that goes one second further at every look."""
    seconds = itertools.count()
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return lambda: start + timedelta(seconds=next(seconds))


def counted_ids(prefix: str = "id") -> Callable[[], str]:
    """Ids that count up."""
    numbers = itertools.count(1)
    return lambda: f"{prefix}-{next(numbers)}"


def sd_profile(
    *,
    widths: tuple[int, ...] = (8, 16),
    attention_blocks: int = 1,
    layers_per_block: int = 1,
    text_width: int = 12,
    text_layers: int = 1,
    with_resnets: bool = False,
) -> BaseProfile:
    """The modules of a UNet of SD1.x's topology and of its text encoder, of any size."""
    unet: dict[str, ModuleShape] = {}
    for block, width in enumerate(widths):
        if block < attention_blocks:
            for layer in range(layers_per_block):
                _add_attention(unet, f"down_blocks.{block}.attentions.{layer}", width, text_width)
        for layer in range(layers_per_block if with_resnets else 0):
            _add_resnet(unet, f"down_blocks.{block}.resnets.{layer}", width)
        up = len(widths) - 1 - block
        if block < attention_blocks:
            for layer in range(layers_per_block + 1):
                _add_attention(unet, f"up_blocks.{up}.attentions.{layer}", width, text_width)
        for layer in range(layers_per_block + 1 if with_resnets else 0):
            _add_resnet(unet, f"up_blocks.{up}.resnets.{layer}", width)
    _add_attention(unet, "mid_block.attentions.0", widths[-1], text_width)
    text: dict[str, ModuleShape] = {}
    for layer in range(text_layers):
        prefix = f"text_model.encoder.layers.{layer}"
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            text[f"{prefix}.self_attn.{name}"] = linear(text_width, text_width)
        text[f"{prefix}.mlp.fc1"] = linear(text_width, 4 * text_width)
        text[f"{prefix}.mlp.fc2"] = linear(4 * text_width, text_width)
    return BaseProfile(
        family="sd1",
        fingerprints={"unet": str(sha256_bytes(b"unet")), "text_encoder": str(sha256_bytes(b"te"))},
        modules={"unet": unet, "text_encoder": text},
        token_widths={"text_encoder": text_width},
    )


def sd15_profile() -> BaseProfile:
    """The profile of Stable Diffusion 1.5 itself."""
    return sd_profile(
        widths=(320, 640, 1280, 1280),
        attention_blocks=3,
        layers_per_block=2,
        text_width=768,
        text_layers=12,
        with_resnets=True,
    )


def linear(inputs: int, outputs: int) -> ModuleShape:
    """A linear module."""
    return ModuleShape(kind="linear", inputs=inputs, outputs=outputs)


def pointwise(inputs: int, outputs: int) -> ModuleShape:
    """A 1x1 convolution."""
    return ModuleShape(kind="conv2d", inputs=inputs, outputs=outputs)


def _add_attention(modules: dict[str, ModuleShape], prefix: str, width: int, text: int) -> None:
    modules[f"{prefix}.proj_in"] = pointwise(width, width)
    modules[f"{prefix}.proj_out"] = pointwise(width, width)
    block = f"{prefix}.transformer_blocks.0"
    for attention, inputs in (("attn1", width), ("attn2", text)):
        modules[f"{block}.{attention}.to_q"] = linear(width, width)
        modules[f"{block}.{attention}.to_k"] = linear(inputs, width)
        modules[f"{block}.{attention}.to_v"] = linear(inputs, width)
        modules[f"{block}.{attention}.to_out.0"] = linear(width, width)
    modules[f"{block}.ff.net.0.proj"] = linear(width, 8 * width)
    modules[f"{block}.ff.net.2"] = linear(4 * width, width)


def _add_resnet(modules: dict[str, ModuleShape], prefix: str, width: int) -> None:
    for name in ("conv1", "conv2"):
        modules[f"{prefix}.{name}"] = ModuleShape(
            kind="conv2d", inputs=width, outputs=width, kernel=(3, 3)
        )
    modules[f"{prefix}.time_emb_proj"] = linear(width, width)


Tensors = dict[str, "np.ndarray[tuple[int, ...], np.dtype[np.generic]]"]


def kohya_name(component: str, module: str) -> str:
    """How kohya calls a module of diffusers' naming."""
    prefix = "lora_unet_" if component == "unet" else "lora_te_"
    return prefix + module.replace(".", "_")


def kohya_tensors(
    profile: BaseProfile,
    *,
    rank: int = 2,
    alpha: float | None = 1.0,
    seed: int = 0,
    dtype: str = "float16",
    modules: Iterable[tuple[str, str]] | None = None,
    name: Callable[[str, str], str] = kohya_name,
) -> Tensors:
    """A LoRA on the pointwise modules of a profile, as kohya writes it."""
    rng = np.random.default_rng(seed)
    tensors: Tensors = {}
    for component, module in modules if modules is not None else targets_of(profile):
        shape = profile.modules[component][module]
        tail = (1, 1) if shape.kind == "conv2d" else ()
        stem = name(component, module)
        down = rng.standard_normal((rank, shape.inputs, *tail))
        up = rng.standard_normal((shape.outputs, rank, *tail))
        tensors[f"{stem}.lora_down.weight"] = down.astype(dtype)
        tensors[f"{stem}.lora_up.weight"] = up.astype(dtype)
        if alpha is not None:
            tensors[f"{stem}.alpha"] = np.asarray(alpha, dtype=dtype)
    return tensors


def targets_of(profile: BaseProfile) -> list[tuple[str, str]]:
    """Every module that an adapter can change."""
    return [
        (component, module)
        for component, modules in profile.modules.items()
        for module, shape in modules.items()
        if shape.is_pointwise
    ]


def write(path: Path, tensors: Tensors, *, metadata: Mapping[str, str] | None = None) -> Path:
    """Write a safetensors file with the safetensors package."""
    save_file(tensors, path, metadata=dict(metadata) if metadata else None)
    return path


def small_lora(folder: Path, *, seed: int = 0, name: str = "ink.safetensors") -> Path:
    """A LoRA of two layers for `sd_profile()`."""
    profile = sd_profile()
    tensors = kohya_tensors(profile, seed=seed, modules=targets_of(profile)[:2])
    return write(folder / name, tensors)


def publish(
    registry: Registry, version: str, *, folder: Path, seed: int | None = None, request_id: str = ""
) -> Published:
    """Publish a small LoRA; the seed follows from the version unless it is given."""
    seed = sum(version.encode()) if seed is None else seed
    path = small_lora(folder, seed=seed, name=f"{version}-{seed}.safetensors")
    return registry.publish(
        ReleaseDraft(adapter=NAME, version=Version.parse(version)),
        checked=check([path], profile=sd_profile()),
        files=[path],
        author=Author(actor="ann", request_id=request_id),
    )


def promote(registry: Registry, version: str, *, channel: str = "stable") -> None:
    """Promote a version of the one adapter."""
    registry.promote(ref(version), channel=channel, author=Author(actor="ann", reason="test"))


def ref(selector: str) -> AdapterRef:
    """A ref to the one adapter."""
    return AdapterRef.parse(f"{NAME}@{selector}")


def small_manifest(
    version: str, *, adapter: AdapterName = NAME, content: bytes | None = None
) -> Manifest:
    """A manifest of one file; its golden digest is that of a file which nobody has."""
    sha256 = sha256_bytes(version.encode() if content is None else content)
    size = 7 if content is None else len(content)
    blob = BlobRef(name="a.safetensors", sha256=sha256, bytes=size)
    return Manifest(
        adapter=adapter,
        version=Version.parse(version),
        kind="lora",
        base_family="sd1",
        base_fingerprint=str(sha256_bytes(b"base")),
        original=(blob,),
        canonical=blob,
        targets=(Target(component="unet", module="m", rank=2, scale=0.5),),
        rank=2,
    )


class MemoryStore:
    """Implements `Store` in a dictionary.

    Attributes:
        held: The objects; a test may look and may tamper.
        born: When each was written, by `now`.
        now: The store's clock, in seconds; a test moves it.
    """

    url = "memory:"
    needs_doctor = True
    is_swept_when_opened = False
    _creating: ClassVar = threading.Lock()

    def __init__(self) -> None:
        self.now = 0.0
        self.born: dict[str, float] = {}
        self.held: dict[str, bytes] = {}

    def copy(self) -> MemoryStore:
        """Return a store of the same objects, in which nothing changes this one."""
        copy = MemoryStore()
        copy.now, copy.born, copy.held = self.now, dict(self.born), dict(self.held)
        return copy

    def create(self, key: str, *, body: bytes) -> Outcome:
        """Create an object."""
        with self._creating:
            if key in self.held:
                return Outcome.OCCUPIED
            self._keep(key, body)
        return Outcome.CREATED

    def read(self, key: str, *, bytes_max: int) -> bytes | None:
        """Read an object."""
        content = self.held.get(key)
        if content is not None and len(content) > bytes_max:
            raise CorruptRegistry(f"{key} is larger than {bytes_max}", reason="CORRUPT_RECORD")
        return content

    def read_many(self, keys: Sequence[str], *, bytes_max: int) -> list[bytes | None]:
        """Read objects."""
        return [self.read(key, bytes_max=bytes_max) for key in keys]

    def put(self, key: str, *, chunks: Iterable[bytes]) -> None:
        """Store an object."""
        content = b"".join(chunks)
        if key not in self.held:
            self._keep(key, content)

    def replace(self, key: str, *, body: bytes) -> None:
        """Write an object over whatever was there."""
        self._keep(key, body)

    def delete(self, key: str) -> None:
        """Remove an object."""
        self.held.pop(key, None)
        self.born.pop(key, None)

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        """List objects; their age is by the hand-set clock `now`."""
        for key in sorted(self.held):
            if key.startswith(prefix) and not key.startswith("tmp/"):
                age = self.now - self.born.get(key, 0.0)
                yield StoredObject(key=key, size_bytes=len(self.held[key]), age_seconds=age)

    def size_bytes(self, key: str) -> int | None:
        """Size of an object."""
        return len(self.held[key]) if key in self.held else None

    def stream(self, key: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield an object whole."""
        if key not in self.held:
            raise NotFound(key, reason="BLOB_NOT_FOUND")
        yield self.held[key][start : None if length is None else start + length]

    def local_path(self, key: str) -> Path | None:
        """Nothing is a file here."""
        return None

    def sweep(self) -> int:
        """Nothing is ever left unfinished here."""
        return 0

    def top_level(self) -> frozenset[str]:
        """First segments."""
        return frozenset(key.split("/")[0] for key in self.held)

    def _keep(self, key: str, content: bytes) -> None:
        self.held[key] = content
        self.born[key] = self.now
