# SPDX-License-Identifier: Apache-2.0
"""The events of a drawing in OpenAI's shape: unfinished looks, then every image, or what failed.

In: events of the SDK. Out: server-sent events. Knows nothing of how they are sent.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tabard import GeneratedImage, GenerateEvent, Preview, Progress, TabardError
from tabard_web.openai.errors import openai_failure
from tabard_web.pictures.formats import Format

Kind = Literal["image_generation", "image_edit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """How a drawing is told.

    Attributes:
        kind: How events are called.
        created: Seconds since 1970.
        size: As it was asked for.
        output_format: How images are written.
        partial_images: Unfinished looks at every image.
    """

    kind: Kind
    created: int
    size: str
    output_format: Format
    partial_images: int


@dataclass(slots=True, kw_only=True)
class Looks:
    """Chooses the unfinished looks at one image that are told, evenly over its steps."""

    wanted: int
    steps: int = 0
    told: int = 0

    def is_due(self, step: int) -> bool:
        """Say whether the look after a step is told."""
        if self.told >= self.wanted or step * (self.wanted + 1) < (self.told + 1) * self.steps:
            return False
        self.told += 1
        return True


@dataclass(slots=True, kw_only=True)
class _AllLooks:
    wanted: int
    steps: int = 0
    by_image: dict[int, Looks] = field(default_factory=dict)

    def of(self, index: int) -> Looks:
        looks = self.by_image.setdefault(index, Looks(wanted=self.wanted))
        looks.steps = self.steps
        return looks


async def tell(events: AsyncIterator[GenerateEvent], *, telling: Telling) -> AsyncIterator[bytes]:
    """Yield what is sent, piece by piece; a failure is the last of it."""
    looks = _AllLooks(wanted=telling.partial_images)
    try:
        async for event in events:
            match event:
                case Progress(steps=steps):
                    looks.steps = steps
                case Preview(index=index, step=step, content=content) if looks.steps:
                    if (look := looks.of(index)).is_due(step):
                        picture = base64.b64encode(content).decode()
                        also = {"partial_image_index": look.told - 1, "image_index": index}
                        yield _event("partial_image", telling, b64_json=picture, **also)
                case GeneratedImage(index=index, seed=seed, content=content):
                    picture = base64.b64encode(content).decode()
                    also = {"image_index": index, "seed": seed}
                    yield _event("completed", telling, b64_json=picture, **also)
                case _:
                    pass
    except TabardError as error:
        yield _written("error", {"type": "error", **openai_failure(error)})


def _event(name: str, telling: Telling, **said: Any) -> bytes:
    kind = f"{telling.kind}.{name}"
    told = {
        "type": kind,
        "created_at": telling.created,
        "size": telling.size,
        "quality": "auto",
        "background": "opaque",
        "output_format": telling.output_format,
    }
    return _written(kind, told | said)


def _written(name: str, told: Mapping[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(told, separators=(',', ':'))}\n\n".encode()
