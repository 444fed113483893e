# SPDX-License-Identifier: Apache-2.0
"""What the engine's pieces of work took lately: measured by the engine, weighed by the policy.

Frozen values; they know neither engines nor queues.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tabard_server.engine_port.work import Work

COMPILED_BYTES_MAX = 2 << 30
"""What compiled passes of all bases may take on the disk."""
INDUCTOR, OPENVINO, CAPTURED = "inductor", "openvino", "captured"
"""What compiles them: PyTorch's own compiler, OpenVINO, or the first into graphs of CUDA."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Seconds, averaged over the last few times; 0.0, or no entry, where it never happened.

    Attributes:
        bare_steps: A step in which nobody wears anything, by rows of the batch.
        row_steps: A step in which every row gathers what it wears, by rows of the batch.
        merged_steps: A step on the merged copy, by rows of the batch.
        merge: Making the merged copy wear another stack.
        opening: Beginning one row: slots, text, latents.
        work: The same by the size of the images, for those that never happened too.
    """

    bare_steps: Mapping[int, float] = field(default_factory=dict)
    row_steps: Mapping[int, float] = field(default_factory=dict)
    merged_steps: Mapping[int, float] = field(default_factory=dict)
    merge: float = 0.0
    opening: float = 0.0
    work: Work = field(default_factory=Work)

    @property
    def step(self) -> float:
        """Seconds of the longest kind of step: what others wait for at most."""
        kinds = (self.bare_steps, self.row_steps, self.merged_steps)
        return max((seconds for kind in kinds for seconds in kind.values()), default=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextCounts:
    """Prompts of rows since the start, and those that are kept encoded.

    Attributes:
        found: How often what a row is told was there already.
        encoded: How often it was encoded.
        bytes: What is kept, on the device.
    """

    found: int = 0
    encoded: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiling:
    """How a UNet is compiled.

    Attributes:
        root: Where what is compiled of all bases is kept.
        bytes_max: What it may take there.
        compiler: `INDUCTOR` or `OPENVINO`.
    """

    root: Path
    bytes_max: int = COMPILED_BYTES_MAX
    compiler: str = INDUCTOR


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """How far the compiled passes of an engine are.

    Attributes:
        ready: Kinds of pass that run compiled.
        waiting: Kinds that are being compiled or are in line; eager meanwhile.
        slower: Kinds that stay eager, which was seen to be sooner.
        failure: Why nothing more is compiled; empty: nothing failed.
        unfit: Kinds that stay eager because no graph here runs them.
    """

    ready: int = 0
    waiting: int = 0
    slower: int = 0
    failure: str = ""
    unfit: int = 0
