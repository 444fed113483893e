# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tabard_registry import AdapterName, Record, State, Version, sha256_bytes
from tabard_registry.log.records import Action, AppliedRecord
from tabard_registry.release.release import summarise
from tabard_registry.state.fold import empty_state, fold
from tabard_registry.state.meanings import MEANINGS, ROLLBACK_DEPTH_MAX
from tests.registry.fakes import NAME, small_manifest
from tests.registry.log.json_values import json_values

VERSIONS = ("1.0.0", "1.1.0", "1.2.0", "2.0.0")
DIGESTS = {version: str(small_manifest(version).digest) for version in VERSIONS}
EMPTY = empty_state(registry_id="r", genesis=sha256_bytes(b"format"))


def publication(version: str) -> Action:
    """The publication of a version."""
    manifest = small_manifest(version)
    return Action(
        type="publish",
        adapter=str(NAME),
        digest=DIGESTS[version],
        version=version,
        summary=summarise(manifest),
    )


def act(kind: str, version: str, *, channel: str = "stable") -> Action:
    """A move or a yank of a version."""
    return Action(type=kind, adapter=str(NAME), digest=DIGESTS[version], channel=channel)


def run(*actions: Action, **fields: object) -> tuple[State, tuple[AppliedRecord, ...]]:
    """Fold one record per action; `fields` change the last one."""
    signed = [
        replace(action, actor="ann", reason=f"reason {seq}")
        for seq, action in enumerate(actions, start=1)
    ]
    if signed:
        signed[-1] = replace(signed[-1], **fields)  # type: ignore[arg-type]
    records = [
        Record(seq=seq, prev=sha256_bytes(b""), id=f"id-{seq}", time="t", actions=(action,))
        for seq, action in enumerate(signed, start=1)
    ]
    return fold(EMPTY, [(record, sha256_bytes(record.id.encode())) for record in records])


def stable_of(state: State) -> str:
    """Version on the stable channel."""
    return str(state.adapters[NAME].channels["stable"].version)


kinds = st.sampled_from([*MEANINGS, ""])
texts = st.one_of(
    st.sampled_from([str(NAME), "stable", *VERSIONS, *DIGESTS.values()]), st.text(max_size=8)
)
odd_actions = st.builds(
    Action,
    type=kinds,
    adapter=texts,
    digest=texts,
    version=texts,
    channel=texts,
    summary=st.one_of(
        st.just(publication("1.0.0").summary), st.dictionaries(st.text(), json_values, max_size=3)
    ),
)
good_actions = st.one_of(
    st.sampled_from(VERSIONS).map(publication),
    st.builds(
        act,
        st.sampled_from(["promote", "rollback", "yank", "unyank", "quarantine", "lift", "purge"]),
        st.sampled_from(VERSIONS),
    ),
)


@given(st.lists(odd_actions | json_values.map(Action.from_json), max_size=8))
def test_fold_takes_any_action(actions: list[Action]) -> None:
    """No action makes the fold raise; what has no effect says why."""
    _, applied = run(*actions)

    for record in applied:
        assert all(effect.effective != bool(effect.note) for effect in record.effects)


@settings(max_examples=200)
@given(st.lists(good_actions, max_size=30))
def test_channels_point_to_known_releases(actions: list[Action]) -> None:
    """Whatever happens, a channel points to a release, and its pile holds what it served."""
    state, _ = run(*actions)

    for adapter in state.adapters.values():
        for channel in adapter.channels.values():
            assert adapter.by_digest[channel.digest].version == channel.version
            assert {*channel.below, channel.digest} <= channel.served <= set(adapter.by_digest)


@given(st.lists(good_actions, max_size=20), st.integers(0, 20))
def test_fold_in_parts_is_fold(actions: list[Action], cut: int) -> None:
    """Folding in two parts gives the state and effects of folding at once."""
    whole, applied = run(*actions)
    records = [(a.record, sha256_bytes(a.record.id.encode())) for a in applied]

    half, first = fold(EMPTY, records[:cut])
    both, second = fold(half, records[cut:])

    assert (both, first + second) == (whole, applied)


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


def test_wrong_expectation_has_no_effect() -> None:
    """A record whose expectation does not hold changes nothing."""
    state, applied = run(
        publication("1.0.0"),
        publication("1.1.0"),
        act("promote", "1.0.0"),
        act("promote", "1.1.0"),
        expect={"acme/ink@stable": None},
    )

    assert stable_of(state) == "1.0.0"
    assert "expected acme/ink@stable at nothing" in applied[-1].effects[0].note


def test_request_acts_once() -> None:
    """A second record with a request id that has acted changes nothing."""
    first = Record(
        seq=1,
        prev=sha256_bytes(b""),
        id="a",
        time="t",
        actions=(replace(publication("1.0.0"), request_id="r"),),
    )
    second = replace(first, seq=2, id="b", actions=(replace(publication("1.1.0"), request_id="r"),))

    state, applied = fold(EMPTY, [(first, sha256_bytes(b"1")), (second, sha256_bytes(b"2"))])

    assert applied[1].effects[0].note == "request r acted in record 1"
    assert len(state.adapters[NAME].by_version) == 1


def test_newer_action_stays_visible() -> None:
    """An action of a newer Tabard is a no-op with its name."""
    _, applied = run(Action(type="embroider", adapter=str(NAME)))

    assert "embroider" in applied[0].effects[0].note


def test_pile_of_a_channel_is_bounded() -> None:
    """A channel that moves for ever remembers its last moves."""
    moves = [act("promote", VERSIONS[i % 2]) for i in range(ROLLBACK_DEPTH_MAX + 50)]

    state, _ = run(publication("1.0.0"), publication("1.1.0"), *moves)

    assert len(state.adapters[NAME].channels["stable"].below) == ROLLBACK_DEPTH_MAX


def test_other_adapters_are_untouched() -> None:
    """An act on one adapter leaves another one as it was."""
    other = AdapterName("acme", "oil")
    first, _ = run(replace(publication("1.0.0"), adapter=str(other)), publication("1.0.0"))
    second, _ = run(
        replace(publication("1.0.0"), adapter=str(other)),
        publication("1.0.0"),
        act("promote", "1.0.0"),
    )

    assert first.adapters[other] == second.adapters[other]
