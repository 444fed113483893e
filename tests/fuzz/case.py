# SPDX-License-Identifier: Apache-2.0
"""One bent file, made of a number alone: the same seed gives the same bytes everywhere."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random

from tests.fuzz.changes.byte_changes import BYTE_CHANGES
from tests.fuzz.changes.demand import Demand
from tests.fuzz.changes.header_changes import HEADER_CHANGES
from tests.fuzz.changes.tensor_changes import TENSOR_CHANGES
from tests.fuzz.document import Document, assemble, to_text
from tests.fuzz.seeds import SEEDS

_COUNTS = (1,) * 7 + (2, 2, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A file to check.

    Attributes:
        name: The sound file it began as, and every change in order.
        content: The file's bytes.
        config: Bytes of the `adapter_config.json` beside it, or None.
        trigger_words: What the author says.
        demand: What must come of it.
    """

    name: str
    content: bytes
    config: bytes | None
    trigger_words: tuple[str, ...]
    demand: Demand


def make_case(seed: int) -> Case:
    """Choose a sound file and one to three changes, and make the file."""
    return bend(Random(seed))


def bend(rng: Random) -> Case:
    """Make a case by the choices of a source of randomness."""
    name = rng.choice(list(SEEDS))
    stages = [rng.randrange(3) for _ in range(rng.choice(_COUNTS))]
    told = [name]
    document, demands = SEEDS[name], []
    for _ in range(stages.count(0)):
        if not document.is_plain:
            break
        change = rng.choice(TENSOR_CHANGES)
        told.append(change.__name__)
        document, demand = change(rng, document)
        demands.append(demand)
    text = to_text(document.header())
    if 1 in stages and document.tensors:
        bend_header = rng.choice(HEADER_CHANGES)
        told.append(bend_header.__name__)
        text, demand = bend_header(rng, document.header())
        demands.append(demand)
    content = assemble(text, document.data())
    for _ in range(stages.count(2)):
        bend_bytes = rng.choice(BYTE_CHANGES)
        told.append(bend_bytes.__name__)
        content, demand = bend_bytes(rng, content or b"\0")
        demands.append(demand)
    return _case(document, content, told=told, demands=demands)


def sound_case(name: str) -> Case:
    """Return the sound file of that name, unbent."""
    document = SEEDS[name]
    content = assemble(to_text(document.header()), document.data())
    return _case(document, content, told=[name], demands=[Demand.KEEPS])


def _case(document: Document, content: bytes, *, told: list[str], demands: list[Demand]) -> Case:
    config = document.config
    return Case(
        name=" > ".join(told),
        content=content,
        config=json.dumps(config).encode() if config is not None else None,
        trigger_words=document.trigger_words,
        # Two changes may undo each other; then only the reference knows.
        demand=demands[0] if len(demands) == 1 else Demand.EITHER,
    )
