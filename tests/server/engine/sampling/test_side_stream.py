# SPDX-License-Identifier: Apache-2.0
"""Work beside the steps. What a device does of it is in `tests/gpu`."""

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
