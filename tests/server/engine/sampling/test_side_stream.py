# SPDX-License-Identifier: Apache-2.0
"""Work beside the steps. What a device does of it is in `tests/gpu`."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tabard_server.engine.sampling.side_stream import SideStream


def test_cpu_does_it_at_once() -> None:
    """There is nothing to be beside of."""
    latents, found = torch.ones(2), []

    with SideStream(torch.device("cpu")).running(latents):
        found.append(latents + 1)

    assert found[0].tolist() == [2.0, 2.0]


def test_errors_pass_through() -> None:
    """An image that could not be decoded says so."""
    with pytest.raises(ValueError, match="no"), SideStream(torch.device("cpu")).running():
        raise ValueError("no")


def test_it_comes_behind_what_was_asked_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this order: it waits for the steps, keeps what it reads, and only then begins."""
    told: list[str] = []

    class Stream:
        def __init__(self, device: torch.device) -> None:
            told.append(f"a stream of {device}")

        def wait_stream(self, other: str) -> None:
            told.append(f"waits for {other}")

    @contextmanager
    def within(stream: Stream) -> Iterator[None]:
        told.append("enters")
        yield
        told.append("leaves")

    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"the steps of {device}")
    monkeypatch.setattr(torch.cuda, "stream", within)
    latents: Any = SimpleNamespace(record_stream=lambda stream: told.append("keeps latents"))

    with SideStream(torch.device("cuda:1")).running(latents):
        told.append("decodes")

    assert told == [
        "a stream of cuda:1",
        "waits for the steps of cuda:1",
        "keeps latents",
        "enters",
        "decodes",
        "leaves",
    ]
