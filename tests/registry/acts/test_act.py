# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from tabard_registry import Author, Registry
from tabard_registry.errors import InvalidField
from tests.registry.fakes import NAME, publish, ref


def test_acts_need_actor_and_reason(registry: Registry, tmp_path: Path) -> None:
    """Who and why are never empty where history needs them."""
    publish(registry, "1.0.0", folder=tmp_path)

    with pytest.raises(InvalidField, match="actor"):
        registry.promote(ref("1.0.0"), channel="stable", author=Author(actor=" "))
    with pytest.raises(InvalidField, match="reason"):
        registry.roll_back(NAME, channel="stable", to=None, author=Author(actor="bob", reason=" "))
    with pytest.raises(InvalidField, match="reason"):
        registry.yank(ref("1.0.0"), author=Author(actor="bob"))
