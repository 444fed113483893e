# SPDX-License-Identifier: Apache-2.0
"""The blocks of a network by the names that UIs use: IN00, IN01, …, MID, OUT00, OUT01, … of a UNet.

A transformer's are D00, D01, … where text and picture have weights of their own (double), and S00,
S01, … where they share them (single). In: names of modules or parameters as diffusers has them.
Out: the blocks of that network, and in which of them a module lies. Knows no torch and no weights.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

TEXT_BLOCK = "BASE"
"""What UIs call the text encoders in a list of blocks."""
MIDDLE_BLOCK = "MID"

_INNER = re.compile(r"(down|up)_blocks\.(\d+)\.(resnets|attentions)\.(\d+)\.")
_SAMPLER = re.compile(r"(down|up)_blocks\.(\d+)\.(?:down|up)samplers\.")

_DEEP = re.compile(r"(transformer_blocks|single_transformer_blocks)\.(\d+)\.")
_LETTERS = {"transformer_blocks": "D", "single_transformer_blocks": "S"}


class Blocks:
    """The blocks of one network.

    Attributes:
        names: All of them, from the first to the last.
        attentive: Those that look at the text; what people train is mostly there.
    """

    def __init__(self, modules: Iterable[str]) -> None:
        """Find the blocks that these modules lie in."""
        found = list(modules)
        places = [(m[1], int(m[4]) + 1) for name in found if (m := _INNER.match(name))]
        # An up block has one layer more than a down block, and a down block its sampler.
        self._width = max((place + (side == "down") for side, place in places), default=1)
        indices = {name: index for name in found if (index := self._name(name))}
        inward = sorted({one for one in indices.values() if one.startswith("IN")})
        outward = sorted({one for one in indices.values() if one.startswith("OUT")})
        deep = sorted({one for one in indices.values() if one[0] in _LETTERS.values()})
        self.names: tuple[str, ...] = tuple(deep) or (*inward, MIDDLE_BLOCK, *outward)
        looking = {block for name, block in indices.items() if deep or ".attentions." in name}
        self.attentive = tuple(one for one in self.names if one in looking)
        self._index = {name: index for index, name in enumerate(self.names)}

    @property
    def lists(self) -> tuple[tuple[str, ...], ...]:
        """What a list of weights stands for, the text encoders first: the short one, the whole one.

        On SD 1.x they have 17 and 26 values, on SDXL 12 and 20; of a transformer both are one.
        """
        return (TEXT_BLOCK, *self.attentive), (TEXT_BLOCK, *self.names)

    def index_of(self, module: str) -> int:
        """Return the place of a module's block in `names`; of one outside of them, their number."""
        return self._index.get(self._name(module), len(self.names))

    def factors(self, weights: Sequence[tuple[str, float]]) -> tuple[float, ...]:
        """Return the factor of each block, and of what lies outside; empty: nothing is said."""
        said: Mapping[str, float] = {name: w for name, w in weights if name != TEXT_BLOCK}
        return (*(said.get(name, 1.0) for name in self.names), 1.0) if said else ()

    def meant(self, name: str) -> tuple[str, ...]:
        """Return the blocks that a name stands for, in any spelling; empty: it is none of them."""
        word = re.sub(r"(?a)([A-Z])(\d)$", r"\g<1>0\2", name.strip().upper())
        if word in ("IN", "OUT", *_LETTERS.values()):
            return tuple(one for one in self.names if one.startswith(word))
        word = MIDDLE_BLOCK if word in ("M00", "MID00") else word
        return (word,) if word == TEXT_BLOCK or word in self._index else ()

    def _name(self, module: str) -> str:
        if module.partition(".")[0] == "conv_in":
            return "IN00"
        if module.startswith("mid_block."):
            return MIDDLE_BLOCK
        if found := _DEEP.match(module):
            return f"{_LETTERS[found[1]]}{int(found[2]):02}"
        if found := _INNER.match(module):
            side, block, place = found[1], int(found[2]), int(found[4])
            index = block * self._width + place
            return f"IN{index + 1:02}" if side == "down" else f"OUT{index:02}"
        if found := _SAMPLER.match(module):
            last = (int(found[2]) + 1) * self._width
            return f"IN{last:02}" if found[1] == "down" else f"OUT{last - 1:02}"
        return ""
