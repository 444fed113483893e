# SPDX-License-Identifier: Apache-2.0
"""What goes to a device goes out of memory that it can fetch by itself."""

from collections.abc import Sequence

import pytest
import torch

from tabard_server.engine import sending
from tabard_server.engine.sending import new_sendable, send

CPU, META = torch.device("cpu"), torch.device("meta")


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """Page-locked memory that was taken, on a machine where the meta device lies apart."""
    taken: list[torch.Tensor] = []

    def new_locked(shape: Sequence[int], *, dtype: torch.dtype) -> torch.Tensor:
        taken.append(torch.empty(tuple(shape), dtype=dtype))
        return taken[-1]

    monkeypatch.setattr(sending, "lies_apart", lambda device: device == META)
    monkeypatch.setattr(sending, "new_locked", new_locked)
    return taken


def test_nothing_is_copied_on_a_cpu(locked: list[torch.Tensor]) -> None:
    """There it lies already."""
    there = torch.arange(3)

    assert send(there, CPU) is there
    assert new_sendable((2, 3), dtype=torch.float16, device=CPU).shape == (2, 3)
    assert not locked


def test_values_pass_through_locked_memory(locked: list[torch.Tensor]) -> None:
    """Whatever way they lie: a view of one value seen everywhere among them."""
    sent = send(torch.tensor([7.0]).expand(2, 3), META)

    assert sent.device == META and sent.shape == (2, 3)
    assert [one.tolist() for one in locked] == [[[7.0] * 3] * 2]


def test_memory_to_write_is_locked(locked: list[torch.Tensor]) -> None:
    """Who writes into it first copies once less."""
    found = new_sendable((4,), dtype=torch.float64, device=META)

    assert found is locked[0] and found.dtype == torch.float64


def test_only_other_memory_is_apart() -> None:
    """That of a CUDA device is; a CPU's is not."""
    assert sending.lies_apart(torch.device("cuda:1"))
    assert not sending.lies_apart(CPU)
