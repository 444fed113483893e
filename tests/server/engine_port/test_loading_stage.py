# SPDX-License-Identifier: Apache-2.0
"""A base says how far its loading is, model by model."""

from pathlib import Path

import pytest

from tabard_server.engine.base.loading import load_base
from tabard_server.engine_port.loading_stage import Stage, tell_nobody
from tests.bases import make_tiny_base


@pytest.fixture
def tiny_base(tmp_path: Path) -> Path:
    return make_tiny_base(tmp_path / "tiny")


def test_stages_count_up_to_the_whole(tiny_base: Path) -> None:
    """Each model's weights in turn; what was done before and what is to do always fit."""
    told: list[Stage] = []

    load_base(str(tiny_base), tell=told.append)

    models = [stage for stage in told if stage.name.startswith("loading ")]
    assert [one.name for one in models] == ["loading unet", "loading vae", "loading text_encoder"]
    assert [one.done_bytes for one in models[1:]] == [
        one.done_bytes + one.size_bytes for one in models[:-1]
    ]
    last = models[-1]
    assert last.done_bytes + last.size_bytes == last.total_bytes > 0
    assert told.index(models[0]) > 0


def test_nobody_needs_to_watch(tiny_base: Path) -> None:
    """Without a watcher nothing is told."""
    assert load_base(str(tiny_base), tell=tell_nobody).family == "sd1"
