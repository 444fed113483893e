# SPDX-License-Identifier: Apache-2.0
"""Parts of a change are handed out in shapes that fit, and none is left over."""

from typing import Any

import pytest
import torch

from tabard_server.engine.merged.change_parts import ChangeParts
from tabard_server.engine.merged.changes import materialise
from tabard_server.engine_port.errors import AdapterMismatch
from tests.server.engine.merged.lycoris_changes import CASES, changes_of, tensors_of
from tests.server.engine.merged.random_changes import change_of


@pytest.mark.parametrize("case", [case for case in CASES if case.startswith(("linear", "conv"))])
def test_parts_are_applied_whole_or_not_at_all(case: str) -> None:
    """A missing part, one too many, or an unknown option is refused by name."""
    base = tensors_of(f"{case.split('/', maxsplit=1)[0]}/base.")["weight"]
    change = changes_of(case)["weight"]
    method, options = change.method, dict(change.options)

    for name in change.parts:
        fewer = {key: value for key, value in change.parts.items() if key != name}
        if name == "rescale" or (name == "mid" and base.dim() == 2):
            continue
        with pytest.raises(AdapterMismatch):
            materialise(change_of(method, fewer, **options), base)
    with pytest.raises(AdapterMismatch, match="surplus"):
        more = {**change.parts, "surplus": torch.ones(1)}
        materialise(change_of(method, more, **options), base)
    with pytest.raises(AdapterMismatch, match="sideways"):
        materialise(change_of(method, change.parts, **options, sideways=True), base)


def parts_of(base: torch.Tensor, parts: dict[str, torch.Tensor], **options: Any) -> ChangeParts:
    return ChangeParts(change_of("lora", parts, **options), base=base)


def test_parameter_says_its_sides() -> None:
    """A convolution has its kernel unrolled in its columns."""
    parts = parts_of(torch.zeros(6, 4, 3, 2), {})

    assert (parts.outputs, parts.inputs, parts.columns, parts.kernel) == (6, 4, 24, (3, 2))
    assert parts.rows.shape == (6, 24)


def test_vector_has_no_columns() -> None:
    """Who needs a matrix is refused a norm or a bias."""
    with pytest.raises(AdapterMismatch, match="only change a matrix"):
        _ = parts_of(torch.zeros(6), {}).inputs


@pytest.mark.parametrize(
    ("shape", "fits"),
    [
        ((2, 4, 3, 3), True),
        ((2, 36), True),
        ((2, 4, 9), False),
        ((2, 4, 2, 2), False),
        ((72,), False),
    ],
)
def test_matrix_has_its_kernel_or_none(shape: tuple[int, ...], fits: bool) -> None:
    """The parameter's own kernel is unrolled; another one of that many numbers is refused."""
    parts = parts_of(torch.zeros(6, 4, 3, 3), {"down": torch.ones(shape)})

    if fits:
        assert parts.matrix("down", 2, 36).shape == (2, 36)
        return
    with pytest.raises(AdapterMismatch, match="has down of shape"):
        parts.matrix("down", 2, 36)


def test_parts_are_as_wide_as_computed() -> None:
    """Stored halves come in the dtype of the base; wrong shapes do not come at all."""
    parts = parts_of(torch.zeros(6, 4).double(), {"diff": torch.ones(6, 4).half()})

    assert parts.take("diff", 6, None).dtype == torch.float64
    assert parts.vector("diff", 24).shape == (24,)
    for shape in ((6, 5), (6,), (6, 4, 1)):
        with pytest.raises(AdapterMismatch, match="diff of shape"):
            parts.take("diff", *shape)


def test_rest_is_what_nobody_asked_for() -> None:
    """Parts and options that were read are no rest; a magnitude is read elsewhere."""
    tensors = {"up": torch.ones(6, 1), "magnitude": torch.ones(6)}
    parts = parts_of(torch.zeros(6, 4), tensors, constraint=2.0, magnitude_axis="outputs")

    with pytest.raises(AdapterMismatch, match="has constraint, up, which"):
        parts.refuse_rest()
    parts.matrix("up", 6, None)
    assert parts.number("constraint") == 2.0
    assert (parts.number("terms"), parts.says("on_input")) == (0.0, False)

    parts.refuse_rest()
