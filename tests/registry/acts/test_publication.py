# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from pathlib import Path

import pytest

from tabard_registry import Author, Registry, ReleaseDraft, Version, check
from tabard_registry.errors import AlreadyExists
from tests.registry.fakes import NAME, publish, ref, sd_profile, small_lora

ANN = Author(actor="ann")


def test_equal_publish_is_idempotent(registry: Registry, tmp_path: Path) -> None:
    """Publishing the same bytes again gives the same release and writes nothing."""
    first = publish(registry, "1.0.0", folder=tmp_path, seed=1)

    second = publish(registry, "1.0.0", folder=tmp_path, seed=1)

    assert (second.created, second.release, registry.seq) == (False, first.release, 1)


def test_other_bytes_are_refused(registry: Registry, tmp_path: Path) -> None:
    """A version never changes, and the error says what differs."""
    first = publish(registry, "1.0.0", folder=tmp_path, seed=1)

    with pytest.raises(AlreadyExists, match="other files") as caught:
        publish(registry, "1.0.0", folder=tmp_path, seed=2)

    assert caught.value.reason == "VERSION_EXISTS"
    assert registry.state.resolve(ref("1.0.0")) == first.release


def test_other_words_are_not_taken(registry: Registry, tmp_path: Path) -> None:
    """Equal files are the same release, whatever is said of them; the answer says what was not."""
    path = small_lora(tmp_path)
    checked = check([path], profile=sd_profile())
    draft = ReleaseDraft(
        adapter=NAME, version=Version.parse("1.0.0"), notes="dry", purpose="style", title="Ink"
    )
    first = registry.publish(draft, checked=checked, files=[path], author=ANN)
    other = replace(draft, notes="nicer", purpose="concept", licence="MIT", trigger_words=("x",))

    second = registry.publish(other, checked=checked, files=[path], author=ANN)

    assert (second.created, second.release, registry.seq) == (False, first.release, 1)
    assert second.untaken == ("notes", "licence", "purpose", "trigger_words")
    assert first.untaken == ()


def test_words_that_are_not_said_are_no_others(registry: Registry, tmp_path: Path) -> None:
    """Who leaves the notes out does not ask for empty ones."""
    path = small_lora(tmp_path)
    checked = check([path], profile=sd_profile())
    draft = ReleaseDraft(adapter=NAME, version=Version.parse("1.0.0"), notes="dry")
    registry.publish(draft, checked=checked, files=[path], author=ANN)

    again = replace(draft, notes="")

    assert registry.publish(again, checked=checked, files=[path], author=ANN).untaken == ()


def test_words_that_are_not_taken_leave_no_bytes(registry: Registry, tmp_path: Path) -> None:
    """The manifest that they would make is nobody's, and is not stored."""
    path = small_lora(tmp_path)
    checked = check([path], profile=sd_profile())
    draft = ReleaseDraft(adapter=NAME, version=Version.parse("1.0.0"))
    registry.publish(draft, checked=checked, files=[path], author=ANN)
    before = {one.key for one in registry.store.objects("blob/")}

    registry.publish(replace(draft, notes="new"), checked=checked, files=[path], author=ANN)

    assert {one.key for one in registry.store.objects("blob/")} == before
