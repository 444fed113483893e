# SPDX-License-Identifier: Apache-2.0
"""Parts of a change are handed out in shapes that fit, and none is left over."""

import pytest
import torch

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
