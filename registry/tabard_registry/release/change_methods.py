# SPDX-License-Identifier: Apache-2.0
"""How a change of a parameter may be written: every method once, from the intake to the engine.

The names and the order of parts stand in manifests and canonical files: part of the format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

MAGNITUDE = "magnitude"
"""The part that is DoRA's magnitude, after those of the method itself."""
MAGNITUDE_AXIS = "magnitude_axis"
"""The option that says which side of the weight a magnitude scales."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeMethod:
    """One way to write a change.

    Attributes:
        name: What manifests and the keys of canonical files call it.
        title: What people call it.
        parts: Its arrays, in the order of manifests; a change need not have all of them.
        is_product: Whether the parts are factors: a zero among them makes the change nothing, and
            its scale is alpha over rank.
        prefix: What LyCORIS puts before the names of the parts in a file.
    """

    name: str
    title: str
    parts: tuple[str, ...]
    is_product: bool = False
    prefix: str = ""

    @property
    def keys(self) -> frozenset[str]:
        """The parts as LyCORIS names them in a file."""
        return frozenset(f"{self.prefix}{part}" for part in self.parts)


DENSE = ChangeMethod(name="dense", title="full difference", parts=("diff",))
LORA = ChangeMethod(name="lora", title="LoRA", parts=("down", "mid", "up"), is_product=True)
HADAMARD = ChangeMethod(
    name="hadamard",
    title="LoHa",
    parts=("t1", "t2", "w1_a", "w1_b", "w2_a", "w2_b"),
    is_product=True,
    prefix="hada_",
)
KRONECKER = ChangeMethod(
    name="kronecker",
    title="LoKr",
    parts=("t2", "w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b"),
    is_product=True,
    prefix="lokr_",
)
GLORA = ChangeMethod(name="glora", title="GLoRA", parts=("a1", "a2", "b1", "b2"))
OFT = ChangeMethod(name="oft", title="OFT", parts=("blocks", "rescale"))
BOFT = ChangeMethod(name="boft", title="BOFT", parts=("blocks", "rescale"))
IA3 = ChangeMethod(name="ia3", title="IA3", parts=("weight",))

CHANGE_METHODS: Mapping[str, ChangeMethod] = MappingProxyType(
    {one.name: one for one in (DENSE, LORA, HADAMARD, KRONECKER, GLORA, OFT, BOFT, IA3)}
)
"""The table, by name. Intake, export and engine have a function for each of them."""
