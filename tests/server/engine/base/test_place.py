# SPDX-License-Identifier: Apache-2.0
"""Where a base is, and what is said when it is nowhere: in our words, and before anything slow."""

from collections.abc import Callable
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import errors

from tabard_server.engine.base.place import DEMO_BASE, find_base, require_base
from tabard_server.engine_port.errors import BaseNotLoadable

Answer = Callable[[Exception | None], None]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Answer:
    """Give what puts a hub into the place of the real one: it answers, or fails as it is told."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)

    def use(failure: Exception | None) -> None:
        def model_info(_hub: object, _id: str, *, timeout: float) -> None:
            assert timeout > 0
            if failure is not None:
                raise failure

        monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)

    return use


def _http(kind: type[Exception]) -> Exception:
    # Its constructor wants an answer of whichever transport the library uses just now.
    error = kind.__new__(kind)
    error.args = ("404 Client Error. Repository Not Found for url",)
    return error


def test_links_are_followed_and_circles_named(tmp_path: Path) -> None:
    """A link to a base is the base; one that leads nowhere or in a circle says so."""
    (tmp_path / "base").symlink_to(DEMO_BASE)
    (tmp_path / "circle").symlink_to(tmp_path / "other")
    (tmp_path / "other").symlink_to(tmp_path / "circle")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")

    assert find_base(str(tmp_path / "base")).samefile(DEMO_BASE)
    for name in ("circle", "nowhere"):
        with pytest.raises(BaseNotLoadable, match="cannot be opened") as caught:
            find_base(str(tmp_path / name))
        assert "links" in caught.value.hint


@pytest.mark.parametrize("word", ["demo", str(DEMO_BASE)])
def test_what_is_here_is_required_in_peace(word: str) -> None:
    """Nothing is asked of anybody."""
    require_base(word)


def test_offline_hub_id_is_refused_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither here nor to be fetched: the variable that forbids it is named."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(BaseNotLoadable, match="acme/absent") as caught:
        require_base("acme/absent")

    assert "HF_HUB_OFFLINE" in caught.value.hint


def test_known_hub_id_is_taken(hub: Answer) -> None:
    """The hub has it; it is fetched later."""
    hub(None)

    require_base("acme/tiny")


@pytest.mark.parametrize(
    ("failure", "says", "hint"),
    [
        (_http(errors.RepositoryNotFoundError), "is not on the hub, or is private", "HF_TOKEN"),
        (_http(errors.GatedRepoError), "accepted its terms", "HF_TOKEN"),
        (_http(errors.RemoteEntryNotFoundError), "no diffusers pipeline", "check the id"),
        (ConnectionError("[Errno 111] Connection refused"), "cannot be fetched", "connection"),
        (OSError("check out the root cause in the stacktrace above."), "cannot be", "room"),
    ],
)
def test_hub_is_told_in_our_words(hub: Answer, failure: Exception, says: str, hint: str) -> None:
    """Whatever its library says, the base, what is wrong and the way out are ours."""
    hub(failure)

    with pytest.raises(BaseNotLoadable, match=says) as caught:
        require_base("acme/tiny")

    assert "'acme/tiny'" in str(caught.value)
    assert hint in caught.value.hint
    assert str(failure) not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("word", ["", " "])
def test_empty_word_is_not_this_folder(word: str) -> None:
    """A path of no characters means the folder of the process, which nobody meant."""
    with pytest.raises(BaseNotLoadable, match="no base is named") as refusal:
        require_base(word)

    assert "`demo`" in refusal.value.hint
