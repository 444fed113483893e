# SPDX-License-Identifier: Apache-2.0

from pathlib import Path

import pytest

from tabard_registry import Author, Registry, ReleaseDraft, Version, check
from tabard_registry.errors import CorruptRegistry, InvalidField
from tests.registry.content.canonical_files import PROFILE, canonicalise
from tests.registry.fakes import NAME, kohya_tensors, sd_profile, small_lora, write


def test_file_changed_after_check(registry: Registry, tmp_path: Path) -> None:
    """What is published is what was checked."""
    path = small_lora(tmp_path, seed=1)
    checked = check([path], profile=sd_profile())
    path.unlink()
    small_lora(tmp_path, seed=2)
    draft = ReleaseDraft(adapter=NAME, version=Version.parse("1.0.0"))

    with pytest.raises(CorruptRegistry):
        registry.publish(draft, checked=checked, files=[path], author=Author(actor="ann"))

    assert registry.seq == 0


def test_author_may_say_dreambooth(tmp_path: Path) -> None:
    """A LoRA becomes DreamBooth by word of its author, and never a textual inversion."""
    path = write(tmp_path / "x.safetensors", kohya_tensors(PROFILE))

    assert canonicalise(path, tmp_path / "c", kind="dreambooth").kind == "dreambooth"
    with pytest.raises(InvalidField, match="not a textual_inversion"):
        canonicalise(path, tmp_path / "d", kind="textual_inversion")


def test_exactly_checked_files_are_stored(registry: Registry, tmp_path: Path) -> None:
    """A file more or less than was checked is refused before anything is stored."""
    path = small_lora(tmp_path)
    draft = ReleaseDraft(adapter=NAME, version=Version.parse("1.0.0"))

    with pytest.raises(InvalidField, match="1 file was checked, 2 to be published"):
        registry.publish(
            draft,
            checked=check([path], profile=sd_profile()),
            files=[path, path],
            author=Author(actor="ann"),
        )

    assert list(registry.store.objects("blob/")) == []
