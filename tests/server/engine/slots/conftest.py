# SPDX-License-Identifier: Apache-2.0
"""Two layers that can be given slots."""

import pytest
import torch

from tests.server.engine.slots.slotted_block import Block


@pytest.fixture
def block() -> Block:
    """Give the same random weights to every test."""
    torch.manual_seed(3)
    return Block().requires_grad_(False)
