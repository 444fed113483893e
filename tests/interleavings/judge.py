# SPDX-License-Identifier: Apache-2.0
"""What an image must look like: the same row drawn alone, by an engine of its own.

In: a request, the releases that its image says it wears, and the image. Out: what is wrong with
it. The engine is emptied before every row and packs the files that were published, so it shares
neither history nor registry with the server. Runs in one worker thread.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image

from tabard_server.adapters.host_adapter import HostAdapter
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine_port.drawing import Drawing, Pixels
from tabard_server.engine_port.errors import EngineError
from tabard_server.engine_port.row_spec import RowSpec
from tests.interleavings.adapter_files import SLOT_RANKS
from tests.interleavings.model import Item, Stack
from tests.interleavings.regions import parts_of
from tests.interleavings.script import Draw
from tests.server.adapters.packing import pack_file

TOLERANCE = 1
KEPT_MAX = 512
ADAPTERS_MAX = 64

K = TypeVar("K")
V = TypeVar("V")


class Judge:
    """Draws rows alone and compares."""

    def __init__(self, base: Path, *, folder: Path) -> None:
        self._engine = load_engine(
            EngineSettings(
                base=str(base), device="cpu", dtype="float32", slot_rank_total=SLOT_RANKS
            )
        )
        self._folder = folder
        self._adapter = lru_cache(maxsize=ADAPTERS_MAX)(self._pack)
        self._known: OrderedDict[tuple[object, ...], Pixels | str] = OrderedDict()
        self._files: dict[tuple[object, ...], str] = {}
        self.drawn = 0

    def judge(self, drawn: Draw, stack: Stack, *, index: int, png: bytes) -> str:
        """Say what is wrong with an image, or nothing."""
        expected = self._expect(drawn, stack, index=index)
        if isinstance(expected, str):
            return f"alone it is no image but {expected}"
        with Image.open(io.BytesIO(png)) as image:
            found = np.asarray(image.convert("RGB"))
        if found.shape != expected.shape:
            return f"its shape is {found.shape}, alone {expected.shape}"
        difference = int(np.abs(found.astype(np.int16) - expected.astype(np.int16)).max())
        if difference > (0 if drawn.is_deterministic else TOLERANCE):
            return f"it differs by {difference}/255 from the image alone"
        return self._compare_files(drawn, stack, index=index, png=png)

    def failure(self, drawn: Draw, stack: Stack) -> str:
        """Say for what reason the images of a request fail alone; empty when none does."""
        for index in range(drawn.images):
            expected = self._expect(drawn, stack, index=index)
            if isinstance(expected, str):
                return expected
        return ""

    def _compare_files(self, drawn: Draw, stack: Stack, *, index: int, png: bytes) -> str:
        if not drawn.is_deterministic:
            return ""
        key = (*_key(drawn, stack, index=index), index, drawn.refs)
        digest = hashlib.sha256(png).hexdigest()
        if self._files.setdefault(key, digest) != digest:
            return "its file differs from that of the same deterministic request before"
        return ""

    def _expect(self, drawn: Draw, stack: Stack, *, index: int) -> Pixels | str:
        key = _key(drawn, stack, index=index)
        return _remember(self._known, key, lambda: self._draw(drawn, stack, index=index))

    @torch.inference_mode()
    def _draw(self, drawn: Draw, stack: Stack, *, index: int) -> Pixels | str:
        engine = self._engine
        engine.slots.evict_idle()
        self.drawn += 1
        spec = self._spec(drawn, stack, index=index)
        (row,) = engine.open_rows([spec])
        if isinstance(row, EngineError):
            return row.reason
        try:
            while not row.is_done and row.failure is None:
                engine.step([row], is_merged=spec.is_merged_only)
            return engine.decode(row).pixels() if row.failure is None else row.failure.reason
        except EngineError as error:
            return error.reason
        finally:
            engine.close_row(row)

    def _spec(self, drawn: Draw, stack: Stack, *, index: int) -> RowSpec:
        drawing = Drawing(
            prompt=drawn.prompt,
            negative_prompt=drawn.negative_prompt,
            steps=drawn.steps,
            guidance_scale=drawn.guidance_scale,
            width=drawn.width,
            height=drawn.height,
            sampler=drawn.sampler,
            regions=parts_of(
                drawn.parts,
                prompts=dict(drawn.region_prompts),
                prompt=drawn.prompt,
                size=(drawn.width, drawn.height),
                factor=self._engine.facts.latent_factor,
            ),
        )
        worn = tuple((self._adapter(item), weight) for item, weight in stack)
        return RowSpec(drawing=drawing, stack=worn, seed=drawn.seed + index)

    def _pack(self, item: Item) -> HostAdapter:
        assert item.file is not None, "a recipe is never worn, its members are"
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            return pack_file(
                item.file,
                profile=self._engine.profile,
                folder=Path(name),
                dtype=self._engine.dtype,
                trigger_words=[item.token] if item.token else [],
            )


def _remember(known: OrderedDict[K, V], key: K, make: Callable[[], V]) -> V:
    if key not in known:
        known[key] = make()
    known.move_to_end(key)
    while len(known) > KEPT_MAX:
        known.popitem(last=False)
    return known[key]


def _key(drawn: Draw, stack: Stack, *, index: int) -> tuple[object, ...]:
    worn = tuple((item.digest, weight) for item, weight in stack)
    words = (drawn.prompt, drawn.negative_prompt, drawn.seed + index, drawn.sampler)
    shape = (drawn.steps, drawn.guidance_scale, drawn.width, drawn.height)
    return (*words, *shape, drawn.parts, drawn.region_prompts, worn)
