# SPDX-License-Identifier: Apache-2.0
"""What old configurations say is corrected as diffusers' own pipeline corrects it."""

from pathlib import Path
from typing import Any

import pytest

from tabard_server.engine.base.loading import load_base
from tabard_server.engine_port.errors import BaseNotLoadable
from tests.bases import load_pipeline
from tests.server.engine.base.changed_folders import change_config, copy_folder

_OLD = "0.8.1"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("scheduler", "unet"),
    [
        ({"steps_offset": 0}, {}),
        ({"clip_sample": True}, {}),
        ({"steps_offset": 0, "clip_sample": True}, {"_diffusers_version": _OLD}),
        ({}, {"_diffusers_version": "0.9.0"}),
    ],
)
def test_old_configurations_are_corrected(
    tiny_base: Path, tmp_path: Path, scheduler: dict[str, Any], unet: dict[str, Any]
) -> None:
    """Beside the pipeline that reads the same folder."""
    folder = copy_folder(tiny_base, tmp_path)
    change_config(folder / "scheduler" / "scheduler_config.json", **scheduler)
    change_config(folder / "unet" / "config.json", **unet)
    theirs = load_pipeline(folder)

    ours = load_base(str(folder))

    for name in ("steps_offset", "clip_sample"):
        assert ours.scheduler_config[name] == theirs.scheduler.config[name]
    assert ours.unet.config.sample_size == theirs.unet.config.sample_size
    assert ours.unet.config.sample_size == (64 if unet.get("_diffusers_version") == _OLD else 8)


def test_unet_of_no_version_is_refused(tiny_base: Path, tmp_path: Path) -> None:
    """In our words, and not when it draws."""
    folder = copy_folder(tiny_base, tmp_path)
    change_config(folder / "unet" / "config.json", _diffusers_version="a long time ago")

    with pytest.raises(BaseNotLoadable, match="a long time ago"):
        load_base(str(folder))
