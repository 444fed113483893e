# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tabard_registry import Version
from tabard_registry.log.records import Action
from tabard_registry.state.meanings import ROLLBACK_DEPTH_MAX
from tests.registry.fakes import NAME
from tests.registry.state.short_logs import DIGESTS, VERSIONS, act, good_actions, publication, run


@settings(max_examples=200)
@given(st.lists(good_actions, max_size=30))
def test_channels_point_to_known_releases(actions: list[Action]) -> None:
    """Whatever happens, a channel points to a release, and its pile holds what it served."""
    state, _ = run(*actions)

    for adapter in state.adapters.values():
        for channel in adapter.channels.values():
            assert adapter.by_digest[channel.digest].version == channel.version
            assert {*channel.below, channel.digest} <= channel.served <= set(adapter.by_digest)


def test_promotions_pile_up() -> None:
    """Rolling back twice goes two back; rolling back to the top of the pile is the inverse."""
    state, _ = run(
        *map(publication, VERSIONS[:3]),
        *(act("promote", version) for version in VERSIONS[:3]),
        act("rollback", "1.1.0"),
        act("rollback", "1.0.0"),
    )

    channel = state.adapters[NAME].channels["stable"]
    assert (str(channel.version), channel.below) == ("1.0.0", ())


def test_promotion_after_rollback_piles_on() -> None:
    """After a rollback, the bad release is not what lies below the next promotion."""
    state, _ = run(
        *map(publication, VERSIONS[:3]),
        act("promote", "1.0.0"),
        act("promote", "1.1.0"),
        act("rollback", "1.0.0"),
        act("promote", "1.2.0"),
    )

    below = state.adapters[NAME].channels["stable"].below
    assert [str(digest) for digest in below] == [DIGESTS["1.0.0"]]


def test_repeated_promotion_is_no_move() -> None:
    """A promotion to where the channel points stays in history without effect."""
    _, applied = run(publication("1.0.0"), act("promote", "1.0.0"), act("promote", "1.0.0"))

    assert [record.effects[0].effective for record in applied] == [True, True, False]
    assert "already" in applied[-1].effects[0].note


def test_unknown_digest_is_no_move() -> None:
    """A promotion of a release that does not exist is visible and harmless."""
    state, applied = run(publication("1.0.0"), act("promote", "1.1.0"))

    assert not applied[-1].effects[0].effective
    assert state.adapters[NAME].channels == {}


def test_version_is_published_once() -> None:
    """The first publication of a version holds."""
    again = replace(publication("1.1.0"), version="1.0.0")

    state, applied = run(publication("1.0.0"), again)

    assert applied[-1].effects[0].note == "acme/ink@1.0.0 exists"
    assert str(state.adapters[NAME].by_version[Version.parse("1.0.0")].digest) == DIGESTS["1.0.0"]


def test_pile_of_a_channel_is_bounded() -> None:
    """A channel that moves for ever remembers its last moves."""
    moves = [act("promote", VERSIONS[i % 2]) for i in range(ROLLBACK_DEPTH_MAX + 50)]

    state, _ = run(publication("1.0.0"), publication("1.1.0"), *moves)

    assert len(state.adapters[NAME].channels["stable"].below) == ROLLBACK_DEPTH_MAX
