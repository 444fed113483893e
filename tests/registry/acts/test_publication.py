# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from tabard_registry import Author, Registry, ReleaseDraft, Version, check
from tabard_registry.errors import AlreadyExists
from tests.registry.fakes import NAME, publish, ref, sd_profile, small_lora


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


def test_other_notes_are_refused(registry: Registry, tmp_path: Path) -> None:
    """Words of the author are part of the release: other ones need another version."""
    path = small_lora(tmp_path)
    checked = check([path], profile=sd_profile())
    for notes in ("", "nicer"):
        draft = ReleaseDraft(adapter=NAME, version=Version.parse("1.0.0"), notes=notes)
        if not notes:
            registry.publish(draft, checked=checked, files=[path], author=Author(actor="ann"))

    with pytest.raises(AlreadyExists, match="other notes"):
        registry.publish(draft, checked=checked, files=[path], author=Author(actor="ann"))
