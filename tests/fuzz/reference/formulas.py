# SPDX-License-Identifier: Apache-2.0
"""The textbook formula of every method: parts of a layer in, the change of its weight out.

In float64, without scale; `ValueError` where the parts do not fit each other or the weight.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_OTHERS = frozenset({"alpha", "magnitude"})


def change_of(parts: dict[str, Array], *, shape: tuple[int, ...]) -> tuple[Array, int | None]:
    """Return the change in the weight's shape, and the rank that alpha is divided by.

    Args:
        parts: By name: `down`, `up`, `mid`, or those of LyCORIS.
        shape: [out, in, height, width].

    Raises:
        ValueError: They do not fit.
        KeyError: One is missing.
    """
    own = parts.keys() - _OTHERS
    if own <= {"down", "up", "mid"}:
        return _lora(parts, shape=shape)
    if own <= {f"hada_{name}" for name in ("w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2")}:
        return _loha(parts, shape=shape)
    if all(name.startswith("lokr_") for name in own):
        return _lokr(parts, shape=shape)
    raise ValueError(f"a mixture: {sorted(own)}")


def _lora(parts: dict[str, Array], *, shape: tuple[int, ...]) -> tuple[Array, int]:
    up = _matrix(parts["up"])
    rank = up.shape[1]
    down = parts["down"]
    if "mid" in parts:
        core = _kernel(parts["mid"])
        change = np.einsum("oa,abhw,bi->oihw", up, core, _matrix(down))
        return _fitted(change, shape=shape), rank
    return _fitted(np.einsum("or,rihw->oihw", up, _kernel(down)), shape=shape), rank


def _loha(parts: dict[str, Array], *, shape: tuple[int, ...]) -> tuple[Array, int]:
    if "hada_t1" in parts or "hada_t2" in parts:
        halves = [
            np.einsum(
                "ijhw,jr,ip->prhw",
                _kernel(parts[f"hada_t{n}"]),
                _matrix(parts[f"hada_w{n}_b"]),
                _matrix(parts[f"hada_w{n}_a"]),
            )
            for n in (1, 2)
        ]
    else:
        halves = [
            np.einsum(
                "or,rihw->oihw", _matrix(parts[f"hada_w{n}_a"]), _kernel(parts[f"hada_w{n}_b"])
            )
            for n in (1, 2)
        ]
    ranks = {parts[f"hada_w{n}_b"].shape[0] for n in (1, 2)}
    if halves[0].shape != halves[1].shape or len(ranks) > 1:
        raise ValueError("halves of different sizes")
    return _fitted(halves[0] * halves[1], shape=shape), ranks.pop()


def _lokr(parts: dict[str, Array], *, shape: tuple[int, ...]) -> tuple[Array, int | None]:
    ranks: set[int] = set()
    left = _half(parts, "lokr_w1", ranks)
    right = _right(parts, ranks, shape=shape)
    if len(ranks) > 1:
        raise ValueError("halves of different ranks")
    left = left.reshape(*left.shape, *(1,) * (right.ndim - left.ndim))
    return _fitted(np.kron(left, right), shape=shape), next(iter(ranks), None)


def _half(parts: dict[str, Array], name: str, ranks: set[int]) -> Array:
    if name in parts:
        if f"{name}_a" in parts or f"{name}_b" in parts:
            raise ValueError("whole and decomposed")
        found = parts[name]
        return found if found.ndim == 4 and found.shape[2:] != (1, 1) else _matrix(found)
    first, second = _matrix(parts[f"{name}_a"]), parts[f"{name}_b"]
    ranks.add(first.shape[1])
    if second.ndim == 4 and second.shape[2:] != (1, 1):
        return np.einsum("or,rihw->oihw", first, second)
    return first @ _matrix(second)


def _right(parts: dict[str, Array], ranks: set[int], *, shape: tuple[int, ...]) -> Array:
    if "lokr_t2" not in parts:
        return _half(parts, "lokr_w2", ranks)
    if "lokr_w2" in parts:
        raise ValueError("whole and decomposed")
    first, second = _matrix(parts["lokr_w2_a"]), _matrix(parts["lokr_w2_b"])
    ranks.add(second.shape[0])
    return np.einsum("ijhw,ip,jr->prhw", _kernel(parts["lokr_t2"]), first, second)


def _matrix(found: Array) -> Array:
    if found.ndim not in (2, 4) or found.shape[2:] not in ((), (1, 1)):
        raise ValueError(f"a matrix of {found.shape}")
    return found.reshape(found.shape[:2])


def _kernel(found: Array) -> Array:
    if found.ndim not in (2, 4):
        raise ValueError(f"a kernel of {found.shape}")
    return found.reshape(*found.shape[:2], *(found.shape[2:] or (1, 1)))


def _fitted(change: Array, *, shape: tuple[int, ...]) -> Array:
    """Take the change in the weight's shape; [out, in * height * width] is one way to write it."""
    unrolled = (shape[0], int(np.prod(shape[1:])))
    if change.shape in (shape, unrolled, (*unrolled, 1, 1)):
        return change.reshape(shape)
    raise ValueError(f"a change of {change.shape} for a weight of {shape}")
