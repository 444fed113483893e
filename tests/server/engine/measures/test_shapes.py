# SPDX-License-Identifier: Apache-2.0
"""What is known of a function's outputs is what torch works out of them."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tabard_server.engine.base.loading import load_base
from tabard_server.engine.measures import dry_run
from tabard_server.engine.measures.dry_run import walk_through
from tabard_server.engine.measures.shapes import _KNOWN, outputs_of
from tests.server.engine.base.changed_folders import FAMILIES

_aten = torch.ops.aten


def _empty(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.empty(shape, device="meta", dtype=dtype)


_TURNED = _empty(2, 6, 5, 4).permute(0, 3, 1, 2)
_ROWS = _empty(2, 3, 8)
_CALLS: tuple[tuple[Any, tuple[Any, ...]], ...] = (
    *((one, (_TURNED,)) for one in (_aten.silu, _aten.exp, _aten.cos, _aten.sin)),
    (_aten.gelu, (_empty(2, 3, 16)[..., :8],)),
    (_aten.silu, (_ROWS[:, :1].expand(2, 3, 8),)),
    (_aten.add, (_TURNED, _empty(2, 4, 6, 5))),
    (_aten.add, (_empty(2, 4, 6, 5), _TURNED)),
    (_aten.add, (_empty(2, 3, 1), _empty(8))),
    (_aten.add, (_empty(2, 0, 1), _empty(2, 1, 8))),
    (_aten.add, (_ROWS, _empty(2, 3, 8, dtype=torch.float16))),
    (_aten.add, (_TURNED, _empty(1, 4, 1, 1))),
    (_aten.mul, (_empty(4, dtype=torch.int64), 2.5)),
    (_aten.div, (_ROWS, 2.0)),
    (_aten.mul, (_ROWS, _ROWS[:, :1])),
    (_aten.native_layer_norm, (_ROWS.transpose(0, 1), [8], None, None, 1e-5)),
    (_aten.native_group_norm, (_TURNED, None, None, 2, 4, 30, 2, 1e-5)),
    (_aten.native_group_norm, (_empty(2, 4, 6, 5), _empty(4), _empty(4), 2, 4, 30, 2, 1e-5)),
    (_aten.native_layer_norm, (_ROWS.transpose(0, 1), [8], _empty(8), _empty(8), 1e-5)),
    (_aten.addmm, (_empty(5), _empty(3, 8), _empty(5, 8).t())),
    (_aten.mm, (_empty(3, 8), _empty(8, 5))),
    (_aten.bmm, (_empty(2, 3, 8), _empty(2, 8, 5))),
    (_aten.cat, ([_empty(2, 3, 8), _empty(2, 4, 8)], 1)),
    (_aten.cat, ([_empty(2, 3, 8), _empty(2, 3, 1)], -1)),
    (_aten.cat, ([_TURNED, _TURNED],)),
    (_aten.constant_pad_nd, (_empty(2, 4, 6, 5), [0, 1, 2, 3], 0.0)),
    *(
        (_aten.convolution, (one, _empty(7, 4, 3, 3), None, *walk, False, [0, 0], 1))
        for one in (_empty(2, 4, 6, 5), _TURNED)
        for walk in (([1, 1], [1, 1], [1, 1]), ([2, 2], [0, 1], [2, 1]))
    ),
    (
        _aten.convolution,
        (_TURNED, _empty(4, 7, 2, 2), None, [2] * 2, [0] * 2, [1] * 2, True, [0] * 2, 1),
    ),
    *(
        (_aten.upsample_nearest2d, (one, [12, 10], None, None))
        for one in (_empty(2, 4, 6, 5), _TURNED)
    ),
)


def _overload(packet: Any, args: tuple[Any, ...]) -> Any:
    name = "Tensor" if packet in (_aten.add, _aten.div, _aten.mul) else "default"
    return getattr(packet, name)


def _told(found: Any) -> list[Any]:
    tensors = [found] if isinstance(found, torch.Tensor) else list(found)
    return [
        (one.shape, one.dtype, one.device, one.stride() if one.numel() else None) for one in tensors
    ]


@pytest.mark.parametrize(("packet", "args"), _CALLS)
def test_outputs_are_those_of_torch(packet: Any, args: tuple[Any, ...]) -> None:
    """Shapes, dtypes and strides, or torch is asked."""
    function = _overload(packet, args)
    found = outputs_of(function, args, {})

    if found is not NotImplemented:
        assert _told(found) == _told(function(*args))


def test_every_function_has_an_answer() -> None:
    """Each one that is known is tried above, or here, and answers at least once."""
    answered = {
        _overload(packet, args)
        for packet, args in _CALLS
        if outputs_of(_overload(packet, args), args, {}) is not NotImplemented
    }
    dtype = {"dtype": torch.float32, "device": torch.device("meta")}
    steps = outputs_of(_aten.arange.start, (2, 9), dtype)

    assert answered | {_aten.arange.start} == set(_KNOWN)
    assert _told(steps) == _told(torch.arange(2, 9, **dtype))


@pytest.mark.parametrize("family", FAMILIES)
def test_passes_take_what_torch_says(
    bases: dict[str, Path], monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    """Of a whole base: the same bytes and the same attention as without any of it."""
    base = load_base(str(bases[family]))
    found = walk_through(base)

    monkeypatch.setattr(dry_run, "outputs_of", lambda *_asked: NotImplemented)

    assert found == walk_through(base)
