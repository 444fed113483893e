# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from tabard_registry import (
    ABSENT,
    AdapterRef,
    Author,
    ByDigest,
    ByVersion,
    Registry,
    Version,
)
from tabard_registry.errors import (
    InvalidField,
    NotFound,
    PreconditionFailed,
    RegistryError,
)
from tests.registry.fakes import (
    NAME,
    promote,
    publish,
    ref,
)


def roll_back(registry: Registry, *, to: str | None = None) -> str:
    """Roll stable back; return the version it then has."""
    version = Version.parse(to) if to else None
    move = registry.roll_back(
        NAME, channel="stable", to=version, author=Author(actor="bob", reason="bad colours")
    )
    return str(move.current.version)


def test_promotion_moves_the_channel(registry: Registry, tmp_path: Path) -> None:
    """A move names where the channel was and is."""
    publish(registry, "1.0.0", folder=tmp_path)
    second = publish(registry, "1.1.0", folder=tmp_path).release
    promote(registry, "1.0.0")

    move = registry.promote(
        ref("1.1.0"), channel="stable", author=Author(actor="ann", reason="better")
    )

    assert move.moved and move.previous is not None
    assert (str(move.previous.version), move.current, move.seq) == ("1.0.0", second, 4)
    assert registry.state.resolve(AdapterRef.parse("acme/ink")) == second


def test_promotion_to_same_is_no_move(registry: Registry, tmp_path: Path) -> None:
    """Promoting what is there already writes nothing."""
    publish(registry, "1.0.0", folder=tmp_path)
    promote(registry, "1.0.0")

    move = registry.promote(
        ref("1.0.0"), channel="stable", author=Author(actor="ann", reason="again")
    )

    assert (move.moved, move.seq, registry.seq) == (False, 2, 2)


def test_promotion_copies_a_channel(registry: Registry, tmp_path: Path) -> None:
    """A channel can be promoted to another one."""
    publish(registry, "1.0.0", folder=tmp_path)
    promote(registry, "1.0.0", channel="canary")

    move = registry.promote(
        ref("canary"), channel="stable", author=Author(actor="ann", reason="fine")
    )

    assert str(move.current.version) == "1.0.0"


def test_expectation_guards_the_channel(registry: Registry, tmp_path: Path) -> None:
    """A promotion happens only where its author thought the channel was."""
    first = publish(registry, "1.0.0", folder=tmp_path).release
    publish(registry, "1.1.0", folder=tmp_path)
    registry.promote(ref("1.0.0"), channel="stable", author=Author(actor="a"), expect=ABSENT)

    with pytest.raises(PreconditionFailed) as caught:
        registry.promote(ref("1.1.0"), channel="stable", author=Author(actor="a"), expect=ABSENT)
    move = registry.promote(
        ref("1.1.0"), channel="stable", author=Author(actor="a"), expect=first.digest
    )

    assert caught.value.reason == "EXPECT_MISMATCH"
    assert move.moved


def test_expectation_may_name_a_version_or_the_first_digits(
    registry: Registry, tmp_path: Path
) -> None:
    """As a ref does; where nobody is called so, the channel stays."""
    first = publish(registry, "1.0.0", folder=tmp_path).release
    publish(registry, "1.1.0", folder=tmp_path)
    promote(registry, "1.0.0", channel="stable")
    wrong = [ByVersion(Version.parse("1.1.0")), ByVersion(Version.parse("7.0.0"))]
    right = [ByVersion(Version.parse("1.0.0")), ByDigest(first.digest.hex[:12])]
    author = Author(actor="a", reason="r")

    for expect, reason in zip(wrong, ("EXPECT_MISMATCH", "RELEASE_NOT_FOUND"), strict=True):
        with pytest.raises(RegistryError) as caught:
            registry.promote(ref("1.1.0"), channel="stable", author=author, expect=expect)
        assert caught.value.reason == reason
    for expect in right:
        assert registry.promote(ref("1.1.0"), channel="stable", author=author, expect=expect).moved
        back = registry.roll_back(
            NAME, channel="stable", author=author, expect=ByVersion(Version.parse("1.1.0"))
        )
        assert back.moved


def test_rollback_restores_previous_digest(registry: Registry, tmp_path: Path) -> None:
    """One rollback brings back the release before, in one record with actor and reason."""
    first = publish(registry, "1.0.0", folder=tmp_path).release
    publish(registry, "1.1.0", folder=tmp_path)
    promote(registry, "1.0.0")
    promote(registry, "1.1.0")

    assert roll_back(registry) == "1.0.0"

    assert registry.state.resolve(AdapterRef.parse("acme/ink")).digest == first.digest
    last = registry.queries.history(NAME)[-1]
    assert (last.actor, last.reason, last.type) == (
        "bob",
        "bad colours",
        "rollback",
    )


def test_rollbacks_go_further_back(registry: Registry, tmp_path: Path) -> None:
    """Each rollback goes one further, until nothing is left."""
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        publish(registry, version, folder=tmp_path)
        promote(registry, version)

    assert [roll_back(registry), roll_back(registry)] == ["1.1.0", "1.0.0"]
    with pytest.raises(PreconditionFailed) as caught:
        roll_back(registry)

    assert caught.value.reason == "NOTHING_TO_ROLL_BACK"


def test_rollback_to_named_version(registry: Registry, tmp_path: Path) -> None:
    """A rollback can name a version that was on the channel, and only such a one."""
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        publish(registry, version, folder=tmp_path)
        promote(registry, version)
    publish(registry, "1.3.0", folder=tmp_path)

    assert roll_back(registry, to="1.0.0") == "1.0.0"
    with pytest.raises(PreconditionFailed) as never:
        roll_back(registry, to="1.3.0")
    with pytest.raises(NotFound):
        roll_back(registry, to="9.9.9")

    assert never.value.reason == "NEVER_ON_CHANNEL"


def test_rollback_passes_over_yanked(registry: Registry, tmp_path: Path) -> None:
    """A yanked release is not what a rollback returns to."""
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        publish(registry, version, folder=tmp_path)
        promote(registry, version)
    registry.yank(ref("1.1.0"), author=Author(actor="bob", reason="licence"))

    assert roll_back(registry) == "1.0.0"


def test_rollback_needs_no_blobs(registry: Registry, tmp_path: Path) -> None:
    """A rollback works when every blob is gone: it needs nothing but the log."""
    for version in ("1.0.0", "1.1.0"):
        publish(registry, version, folder=tmp_path)
        promote(registry, version)
    for path in (tmp_path / "registry" / "blob").rglob("*"):
        if path.is_file():
            path.unlink()

    fresh = Registry.open(str(tmp_path / "registry"))

    assert roll_back(fresh) == "1.0.0"


def test_second_rollback_of_same_release(registry: Registry, tmp_path: Path) -> None:
    """Of two people who roll back the same bad release, one moves the channel."""
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        publish(registry, version, folder=tmp_path)
        promote(registry, version)
    bad = registry.state.resolve(AdapterRef.parse("acme/ink")).digest
    roll_back(registry)

    with pytest.raises(PreconditionFailed) as caught:
        registry.roll_back(
            NAME, channel="stable", author=Author(actor="eve", reason="bad"), expect=bad
        )

    assert caught.value.reason == "EXPECT_MISMATCH"
    assert str(registry.state.resolve(AdapterRef.parse("acme/ink")).version) == "1.1.0"


def test_yanked_release_keeps_exact_pins(registry: Registry, tmp_path: Path) -> None:
    """A yank stops resolution by channel, shows its reason, and can be undone."""
    publish(registry, "1.0.0", folder=tmp_path)
    promote(registry, "1.0.0")

    yanked = registry.yank(ref("1.0.0"), author=Author(actor="bob", reason="licence")).subject

    assert (yanked.yanked, yanked.yank_reason) == (True, "licence")
    assert registry.state.resolve(ref("1.0.0")) == yanked
    with pytest.raises(PreconditionFailed, match="licence") as caught:
        registry.state.resolve(AdapterRef.parse("acme/ink"))
    assert caught.value.reason == "RELEASE_YANKED"
    registry.unyank(ref("1.0.0"), author=Author(actor="bob", reason="cleared"))
    assert not registry.state.resolve(AdapterRef.parse("acme/ink")).yanked


def test_yanked_release_is_not_promoted(registry: Registry, tmp_path: Path) -> None:
    """A channel does not move to a yanked release."""
    publish(registry, "1.0.0", folder=tmp_path)
    registry.yank(ref("1.0.0"), author=Author(actor="bob", reason="licence"))

    with pytest.raises(PreconditionFailed, match="licence"):
        promote(registry, "1.0.0")


def test_yank_needs_an_exact_ref(registry: Registry, tmp_path: Path) -> None:
    """A channel may move between thought and act: it cannot be yanked."""
    publish(registry, "1.0.0", folder=tmp_path)
    promote(registry, "1.0.0")

    with pytest.raises(InvalidField) as caught:
        registry.yank(ref("stable"), author=Author(actor="bob", reason="licence"))

    assert caught.value.reason == "EXACT_REF_REQUIRED"
