# SPDX-License-Identifier: Apache-2.0
"""One parameter of the base beside the tuned model's: the difference in float32, or a refusal.

In: two tensors. Out: a difference, and whether it is more than rounding. Knows no files.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch

from tabard_registry.grammar import counted
from tabard_server.engine.base.weights import fits
from tabard_server.extraction.errors import TunedModelMismatch, TunedModelNotFinite

_FAMILY_OF_WIDTH = {768: "sd1", 1024: "sd2", 2048: "sdxl"}
_HALVES = (torch.float16, torch.bfloat16)
_NAMES_QUOTED = 3
_LOOKED_AT_FIRST = 4096
"""Numbers that mostly tell whether the others need a look."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Difference:
    """What a tuned model adds to one parameter.

    Attributes:
        values: Tuned minus base, in float32, of the base's shape.
        is_rounding: Whether both are one number before somebody saved it in half precision.
    """

    values: torch.Tensor
    is_rounding: bool


def difference_of(name: str, *, base: torch.Tensor, found: torch.Tensor) -> Difference | None:
    """Return the difference of two tensors of one shape, None where there is none.

    Raises:
        TunedModelNotFinite: The tuned model's holds NaN or infinity.
    """
    wide = found.float().reshape(base.shape)
    if not bool(torch.isfinite(wide).all()):
        raise TunedModelNotFinite(
            f"{name} of the checkpoint holds NaN or infinity",
            hint="its training diverged, or it was saved in a precision too small for it; "
            "take an earlier step",
        )
    if torch.equal(wide, base):
        return None
    return Difference(values=wide - base, is_rounding=_is_rounding(base, wide))


def match_names(
    shapes: Mapping[str, torch.Size], *, found: Mapping[str, torch.Tensor], component: str
) -> Iterator[str]:
    """Yield the tuned model's names that the base does not have, once the others fit.

    Raises:
        TunedModelMismatch: A parameter is missing, or has another shape.
    """
    missing = sorted(name for name in shapes if name not in found)
    if missing:
        raise TunedModelMismatch(
            f"the checkpoint lacks {counted(len(missing), 'parameter')} of the {component}: "
            f"{_quoted(missing)}",
            hint="give the full checkpoint; extract against the base it was trained from",
        )
    other = [name for name in shapes if not fits(found[name].shape, like=shapes[name])]
    if other:
        raise _other_shapes(other, shapes, found=found, component=component)
    for name, tensor in found.items():
        if name not in shapes and tensor.is_floating_point():
            yield name


def _other_shapes(
    names: list[str],
    shapes: Mapping[str, torch.Size],
    *,
    found: Mapping[str, torch.Tensor],
    component: str,
) -> TunedModelMismatch:
    first = names[0]
    message = (
        f"{counted(len(names), 'parameter', verbs=('has', 'have'))} other shapes than the base's "
        f"{component}: {first} "
        f"is {list(found[first].shape)}, here {list(shapes[first])}"
    )
    hint = "extract against the base it was trained from"
    readers = [name for name in names if "attn2.to_k" in name]
    if readers and (family := _FAMILY_OF_WIDTH.get(int(found[readers[0]].shape[1]))):
        message += f"; its text is {found[readers[0]].shape[1]} wide, as that of {family}"
    elif any("token_embedding" in name for name in names):
        hint = "words were added to its vocabulary: publish them as a textual inversion instead"
    return TunedModelMismatch(message, hint=hint)


def _is_rounding(base: torch.Tensor, found: torch.Tensor) -> bool:
    first = slice(0, _LOOKED_AT_FIRST)
    for half in _HALVES:
        if not torch.equal(base.flatten()[first].to(half), found.flatten()[first].to(half)):
            continue
        rounded, other = base.to(half), found.to(half)
        if torch.equal(rounded, other) and (
            torch.equal(rounded.float(), base) or torch.equal(other.float(), found)
        ):
            return True
    return False


def _quoted(names: list[str]) -> str:
    more = "" if len(names) <= _NAMES_QUOTED else ", …"
    return ", ".join(names[:_NAMES_QUOTED]) + more
