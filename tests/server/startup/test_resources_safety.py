# SPDX-License-Identifier: Apache-2.0
"""A safety classifier is loaded with the server, before its base, and looks at real pixels."""

import logging
from pathlib import Path

import pytest

from tabard_server.errors import BadSettings
from tabard_server.safety.verdict import judge
from tabard_server.settings import Settings
from tabard_server.startup import resources
from tabard_server.telemetry.metrics import Metrics
from tests.bases import make_tiny_base
from tests.server.safety.classifiers import noise, safety, save_vit
from tests.server.telemetry.logged import logged


def settings(folder: Path, **said: object) -> Settings:
    """Return the settings of a small server."""
    return Settings(
        registry=(folder / "registry").as_uri(),
        cache=str(folder / "cache"),
        base=str(make_tiny_base(folder / "base")),
        device="cpu",
        slot_rank_total=8,
        merged_copy=False,
        **said,  # type: ignore[arg-type]
    )


def test_classifier_is_loaded_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the name of its folder, with what counts."""
    monkeypatch.setattr(logging.getLogger("tabard"), "propagate", True)
    said = safety("blur", path=str(save_vit(tmp_path / "eye", lifts="nsfw")))

    with caplog.at_level(logging.INFO, logger="tabard"):
        loaded = resources.load_resources(settings(tmp_path, safety=said), Metrics())

    loaded.registry.close()
    assert loaded.classify is not None
    assert judge(loaded.classify(noise()), settings=said).action == "blurred"
    (told,) = logged(caplog, "safety.loaded")
    assert (told["model"], told["policy"], told["labels"]) == ("eye", "blur", "nsfw,gore")


def test_classifier_that_cannot_look_ends_the_start(tmp_path: Path) -> None:
    """Rather than a server that sends nothing, or everything."""
    folder = save_vit(tmp_path / "eye")
    (folder / "model.safetensors").write_bytes(b"{}")

    with pytest.raises(BadSettings) as refusal:
        resources.load_resources(settings(tmp_path, safety=safety(path=str(folder))), Metrics())

    assert refusal.value.reason == "SAFETY_MODEL_UNREADABLE"
