# SPDX-License-Identifier: Apache-2.0
"""A whole model as it lies on disk: tensors by component under plain names, and its own words."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tabard_registry.grammar import counted
from tabard_server.engine.base.files.leftovers import quoted
from tabard_server.engine.base.files.tensor_file import Tensors


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredModel:
    """What was found; some weights may be missing, none is left over.

    Attributes:
        source: The folder or the file, for messages.
        components: Component to its tensors by plain names; scaled back when they are looked at.
        words: What the files say of themselves.
        elsewhere: Keys that belong to no component.
        alphas: The noise schedule's table, where a file holds it.
        is_eight_bit: Whether weights were kept in eight bits.
    """

    source: str
    components: Mapping[str, Tensors]
    words: Mapping[str, str] = field(default_factory=dict)
    elsewhere: tuple[str, ...] = ()
    alphas: tuple[float, ...] = ()
    is_eight_bit: bool = False

    @property
    def remarks(self) -> tuple[str, ...]:
        """What an operator should know of it."""
        found = []
        if self.elsewhere:
            found.append(
                f"{counted(len(self.elsewhere), 'key')} of no component, not read: "
                f"{quoted(self.elsewhere)}"
            )
        if self.is_eight_bit:
            found.append("its weights were kept in eight bits, and are as coarse as that")
        return tuple(found)
