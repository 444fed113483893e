# SPDX-License-Identifier: Apache-2.0
"""What a word after `--base` means, and what is said when it means nothing."""

import shutil
from pathlib import Path

import pytest

from tabard_server.engine.base.loading import load_base
from tabard_server.engine.base.profile import profile_of
from tabard_server.engine_port.errors import BaseNotLoadable


@pytest.mark.parametrize(
    ("base", "says"),
    [
        ("/nowhere/at all", "neither a folder"),
        ("plainword", "neither a folder"),
    ],
)
def test_missing_base_says_what_to_give(base: str, says: str) -> None:
    """A word that is no base is refused with the forms that are."""
    with pytest.raises(BaseNotLoadable, match=says) as caught:
        profile_of(base)

    assert "diffusers folder" in caught.value.hint


def test_hub_id_is_loaded_from_cache(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An id like `owner/name` is found in the hub's cache, without asking the network."""
    commit = "0" * 40
    repository = tmp_path / "models--acme--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    shutil.copytree(tiny_base, repository / "snapshots" / commit)
    # Read from the environment when the library is imported.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    assert profile_of("acme/tiny").fingerprint == profile_of(str(tiny_base)).fingerprint


def test_missing_hub_id_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An id that is neither cached nor reachable is an error, not a traceback."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(BaseNotLoadable, match="acme/absent"):
        profile_of("acme/absent")


@pytest.mark.parametrize("word", ["x" * 5_000, "a\0b"])
def test_impossible_path_is_refused(word: str) -> None:
    """A name that no system takes."""
    with pytest.raises(BaseNotLoadable):
        load_base(word)


def test_base_says_how_it_is_walked(tiny_base: Path) -> None:
    """Prediction and noise schedule, and nothing to remark of a sound folder."""
    base = load_base(str(tiny_base))

    assert (base.prediction, base.is_zero_snr, base.remarks) == ("epsilon", False, ())
