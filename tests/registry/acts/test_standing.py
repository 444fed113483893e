# SPDX-License-Identifier: Apache-2.0
"""Yank, quarantine and purge: who may still be served with a release."""

from pathlib import Path

import pytest

from tabard_registry import AdapterName, Author, Registry, ReleaseDraft, Version, check
from tabard_registry.errors import InvalidField, NotFound, PreconditionFailed
from tests.registry.fakes import NAME, promote, publish, ref, sd_profile, small_lora

BOB = Author(actor="bob", reason="legal")


@pytest.fixture
def two(registry: Registry, tmp_path: Path) -> Registry:
    """A registry with 1.0.0 and 1.1.0, the second one stable."""
    for version in ("1.0.0", "1.1.0"):
        publish(registry, version, folder=tmp_path)
        promote(registry, version)
    return registry


@pytest.mark.parametrize("selector", ["stable", "1.1.0", "^1.1"])
def test_quarantined_release_is_served_to_nobody(two: Registry, selector: str) -> None:
    """A quarantine refuses a release by channel and by exact version; a range passes it over."""
    two.quarantine(ref("1.1.0"), author=BOB)

    with pytest.raises((PreconditionFailed, NotFound)) as caught:
        two.state.resolve(ref(selector))

    assert caught.value.reason in ("RELEASE_QUARANTINED", "RELEASE_NOT_FOUND")
    assert caught.value.hint


def test_release_named_by_its_version_is_named_once(two: Registry) -> None:
    """By a channel it is said which release that is; by a version it was said already."""
    two.quarantine(ref("1.1.0"), author=BOB)

    told = []
    for selector in ("1.1.0", "stable"):
        with pytest.raises(PreconditionFailed) as caught:
            two.state.resolve(ref(selector))
        told.append(str(caught.value))

    assert told == [
        f"{NAME}@1.1.0 is quarantined: legal",
        f"{NAME}@stable is 1.1.0, which is quarantined: legal",
    ]


def test_lifted_release_is_served_again(two: Registry) -> None:
    """A lift undoes a quarantine, and both are in the history with their reasons."""
    two.quarantine(ref("1.1.0"), author=BOB)

    two.lift(ref("1.1.0"), author=Author(actor="bob", reason="cleared"))

    assert str(two.state.resolve(ref("stable")).version) == "1.1.0"
    told = [(entry.type, entry.reason) for entry in two.queries.history(NAME)][-2:]
    assert told == [("quarantine", "legal"), ("lift", "cleared")]


def test_rollback_passes_over_withdrawn(two: Registry, tmp_path: Path) -> None:
    """A rollback never returns to a quarantined release."""
    publish(two, "1.2.0", folder=tmp_path)
    promote(two, "1.2.0")
    two.quarantine(ref("1.1.0"), author=BOB)

    move = two.roll_back(NAME, channel="stable", author=BOB)

    assert str(move.current.version) == "1.0.0"


def test_quarantined_release_is_not_promoted(two: Registry) -> None:
    """A channel moves only to what can be served."""
    two.quarantine(ref("1.0.0"), author=BOB)

    with pytest.raises(PreconditionFailed) as caught:
        promote(two, "1.0.0", channel="canary")

    assert caught.value.reason == "RELEASE_QUARANTINED"


def test_purge_deletes_bytes_and_keeps_the_record(two: Registry) -> None:
    """After a purge the bytes are gone, the record is there, and nothing resolves to it."""
    release = two.state.resolve(ref("1.1.0"))

    purged = two.purge(ref("1.1.0"), author=BOB)

    assert purged.purged
    assert purged.purge_reason == "legal"
    for digest in release.blobs:
        with pytest.raises(NotFound):
            two.blob_path(digest)
    with pytest.raises(PreconditionFailed, match="legal"):
        two.state.resolve(ref("1.1.0"))


def test_purged_bytes_never_come_back(two: Registry, tmp_path: Path) -> None:
    """The same files under another version are refused, before anything of them is stored."""
    two.purge(ref("1.1.0"), author=BOB)

    with pytest.raises(PreconditionFailed) as caught:
        publish(two, "2.0.0", folder=tmp_path, seed=sum(b"1.1.0"))

    assert caught.value.reason == "BYTES_PURGED"
    assert {str(version) for version in two.state.adapter(NAME).by_version} == {"1.0.0", "1.1.0"}


def test_shared_bytes_are_not_purged(two: Registry, tmp_path: Path) -> None:
    """A purge that would take the bytes of another release is refused, and names it."""
    publish(two, "2.0.0", folder=tmp_path, seed=sum(b"1.1.0"))

    with pytest.raises(PreconditionFailed, match=r"acme/ink@2\.0\.0") as caught:
        two.purge(ref("1.1.0"), author=BOB)

    assert caught.value.reason == "BYTES_SHARED"
    assert two.state.resolve(ref("1.1.0"))


def test_repeated_purge_finishes_the_first(two: Registry) -> None:
    """A purge that was interrupted after its record deletes the rest when it is repeated."""
    release = two.state.resolve(ref("1.1.0"))
    kept = two.blob_path(release.original[0])
    assert kept is not None
    content = kept.read_bytes()
    two.purge(ref("1.1.0"), author=BOB)
    kept.write_bytes(content)
    seq = two.seq

    two.purge(ref("1.1.0"), author=BOB)

    assert not kept.exists()
    assert two.seq == seq


@pytest.mark.parametrize("act", ["yank", "unyank", "quarantine", "lift", "purge"])
@pytest.mark.parametrize("selector", ["stable", "^1.0"])
def test_standing_needs_an_exact_ref(two: Registry, act: str, selector: str) -> None:
    """What a release stands for is said of exactly one release."""
    with pytest.raises(InvalidField) as caught:
        getattr(two, act)(ref(selector), author=BOB)

    assert caught.value.reason == "EXACT_REF_REQUIRED"
    assert f"`{NAME}@1.2.0`" in caught.value.hint


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("^1.0", "1.1.0"),
        ("~1.0", "1.0.0"),
        ("1", "1.1.0"),
        (">=1.0.0,<1.1", "1.0.0"),
        ("*", "1.1.0"),
    ],
)
def test_range_chooses_the_highest(two: Registry, selector: str, found: str) -> None:
    """A range means the highest version in it."""
    assert str(two.state.resolve(ref(selector)).version) == found


def test_range_never_chooses_prereleases_unasked(two: Registry, tmp_path: Path) -> None:
    """A pre-release is chosen only by a range that names one of the same numbers."""
    publish(two, "1.2.0-rc.1", folder=tmp_path)

    assert str(two.state.resolve(ref("^1.0")).version) == "1.1.0"
    assert str(two.state.resolve(ref("^1.2.0-rc.0")).version) == "1.2.0-rc.1"


def test_range_passes_over_yanked(two: Registry) -> None:
    """A yanked release is not chosen by a range, and is still there by its version."""
    two.yank(ref("1.1.0"), author=BOB)

    assert str(two.state.resolve(ref("^1.0")).version) == "1.0.0"
    assert two.state.resolve(ref("1.1.0")).yanked


def test_private_sharer_is_not_named(two: Registry, tmp_path: Path) -> None:
    """Its bytes are safe; who purges elsewhere does not learn whose they are."""
    name = AdapterName("guild", "oil")
    path = small_lora(tmp_path, seed=sum(b"1.1.0"))
    two.publish(
        ReleaseDraft(adapter=name, version=Version.parse("1.0.0")),
        checked=check([path], profile=sd_profile()),
        files=[path],
        author=BOB,
    )
    two.set_policy("guild", private=True, author=BOB)

    for policy, named in ((True, False), (False, True)):
        two.set_policy("guild", private=policy, author=BOB)
        with pytest.raises(PreconditionFailed) as caught:
            two.purge(ref("1.1.0"), author=BOB)
        assert (caught.value.reason, "guild/oil" in str(caught.value)) == ("BYTES_SHARED", named)
