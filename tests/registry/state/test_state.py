# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from tabard_registry import AdapterRef, Registry
from tabard_registry.errors import NotFound
from tests.registry.fakes import NAME, promote, publish, ref


def test_published_release_is_found(registry: Registry, tmp_path: Path) -> None:
    """A release is found by version and by digest, in full or abbreviated."""
    published = publish(registry, "1.0.0", folder=tmp_path)

    release = published.release
    assert (published.created, published.seq, release.seq) == (True, 1, 1)
    assert registry.state.resolve(ref("1.0.0")) == release
    assert registry.state.resolve(ref(str(release.digest))) == release
    assert registry.state.resolve(ref(release.digest.short)) == release
    assert (release.published_by, release.published_at) == ("ann", "2026-01-01T00:00:00.000000Z")


def test_unknown_names_list_near_ones(registry: Registry, tmp_path: Path) -> None:
    """Each unknown thing has its reason, and the hint names what is there."""
    publish(registry, "1.0.0", folder=tmp_path)
    promote(registry, "1.0.0")

    for text, reason, hint in (
        ("acme/inc", "ADAPTER_NOT_FOUND", "acme/ink"),
        ("acme/ink@1.0.1", "RELEASE_NOT_FOUND", "1.0.0"),
        ("acme/ink@sha256:" + "0" * 12, "RELEASE_NOT_FOUND", "1.0.0"),
        ("acme/ink@stabel", "CHANNEL_NOT_FOUND", "stable"),
    ):
        with pytest.raises(NotFound) as caught:
            registry.state.resolve(AdapterRef.parse(text))
        assert caught.value.reason == reason
        assert hint in caught.value.hint


def test_adapter_without_channels_says_promote(registry: Registry, tmp_path: Path) -> None:
    """Before the first promotion, the error says what is missing."""
    publish(registry, "1.0.0", folder=tmp_path)

    with pytest.raises(NotFound) as caught:
        registry.state.resolve(AdapterRef.parse("acme/ink"))

    assert "promote acme/ink@1.0.0 to stable" in caught.value.hint


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [
        ("v1.0.0", "write @1.0.0."),
        ("stabel", "Did you mean stable?"),
        ("night", "promote acme/ink@1.0.0 to night"),
    ],
)
def test_channel_that_is_not_there_is_told_as_what_was_meant(
    registry: Registry, tmp_path: Path, wanted: str, hint: str
) -> None:
    """A version with a letter before it, the usual channel mistyped, or a channel to come."""
    publish(registry, "1.0.0", folder=tmp_path)

    with pytest.raises(NotFound) as caught:
        registry.state.resolve(AdapterRef.parse(f"acme/ink@{wanted}"))

    assert hint in caught.value.hint
    assert "to stabel" not in caught.value.hint


def test_snapshot_does_not_change(registry: Registry, tmp_path: Path) -> None:
    """A state that was taken stays what it was."""
    publish(registry, "1.0.0", folder=tmp_path)
    before = registry.state

    promote(registry, "1.0.0")

    assert before.adapters[NAME].channels == {}
    assert (before.seq, registry.seq) == (1, 2)
