# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabard_registry import Proof, Record, sha256_bytes
from tabard_registry.errors import (
    CorruptRegistry,
    InvalidField,
    RegistryError,
    UnusableRegistry,
)
from tabard_registry.log import records
from tabard_registry.log.records import RECORD_VERSION_MAX, TOKEN, Action
from tests.registry.log.json_values import json_values

YANK = Action(
    type="yank",
    adapter="acme/ink",
    actor="ann",
    reason="why",
    request_id="r",
    expect={"acme/ink@stable": None},
)


def record(*actions: Action) -> Record:
    """A record of some actions."""
    return Record(
        seq=1,
        prev=sha256_bytes(b"format"),
        id="a",
        time="2026-01-01T00:00:00Z",
        actions=actions or (YANK,),
    )


@pytest.mark.parametrize("count", [1, 2, 64])
def test_record_survives_its_bytes(count: int) -> None:
    """A record is what its bytes say, with acts of one caller or of several."""
    actions = [replace(YANK, actor=f"caller {n}", request_id=f"r{n}") for n in range(count)]

    written = record(*actions)

    assert Record.from_bytes(written.to_bytes(), key="log/1") == written


def test_one_act_is_signed_by_the_envelope() -> None:
    """Who, why and what was expected stand in the envelope when there is one act."""
    document = json.loads(record().to_bytes())

    assert (document["actor"], document["reason"], document["request_id"]) == ("ann", "why", "r")
    assert document["expect"] == {"acme/ink@stable": None}
    assert document["actions"] == [{"type": "yank", "adapter": "acme/ink"}]


def test_unreadable_expectation_never_holds() -> None:
    """An expectation that cannot be read is not taken for none."""
    action = Action.from_json({"type": "promote", "expect": {"acme/ink@stable": 7}})

    assert action.expect
    assert None not in action.expect.values()


@given(st.binary())
def test_any_bytes_are_no_record(content: bytes) -> None:
    """Arbitrary bytes raise CorruptRegistry and nothing else."""
    with pytest.raises(CorruptRegistry, match="log/1"):
        Record.from_bytes(content, key="log/1")


@given(st.sampled_from(list(json.loads(record().to_bytes()))), json_values)
def test_any_field_reads_or_raises(field: str, value: object) -> None:
    """A record with any value in any field is read, or raises an error of the registry."""
    document = {**json.loads(record().to_bytes()), field: value}

    try:
        Record.from_bytes(json.dumps(document).encode(), key="log/1")
    except RegistryError as error:
        assert error.hint


@given(json_values)
def test_any_value_reads_as_action(value: object) -> None:
    """An action is read from any JSON value."""
    assert isinstance(Action.from_json(value), Action)


def test_deep_nesting_is_corrupt() -> None:
    """A record nested deeper than the parser goes is damage, not a crash."""
    with pytest.raises(CorruptRegistry):
        Record.from_bytes(b"[" * 100_000, key="log/1")


def test_oversized_record_is_refused() -> None:
    """A record that readers would refuse is not written."""
    with pytest.raises(InvalidField) as caught:
        record(replace(YANK, reason="x" * 600_000)).to_bytes()

    assert caught.value.reason == "FIELD_TOO_LONG"


TOKEN_ACT = Action(type=TOKEN, summary={"id": "0" * 12})


def policy(*words: str) -> Action:
    """A policy that says some words."""
    return Action(type="policy", adapter="acme", summary=dict.fromkeys(words, False))


def gate(**asks: Any) -> Action:
    """A policy that asks for something of one channel, and for nothing of another."""
    return Action(
        type="policy", adapter="acme", summary={"channels": {"stable": asks, "beta": None}}
    )


@pytest.mark.parametrize(
    ("actions", "version"),
    [
        ((), 1),
        ((policy("require_signature"),), 1),
        ((Action(type="key", adapter="acme"),), 1),
        ((replace(YANK, proof=Proof.TOKEN, on_behalf_of="bob"),), 1),
        ((TOKEN_ACT,), 2),
        ((policy("private"),), 2),
        ((policy("require_signature", "require_identity"),), 2),
        ((YANK, TOKEN_ACT, YANK), 2),
        ((policy("channels"),), 3),
        ((gate(require_success=True, reviews=1),), 3),
        ((gate(require_success=True, bounds={"style_min": 0.7}),), 5),
        ((gate(promote_on_success=True),), 5),
        ((policy("enforce_sampling"),), 5),
        ((Action(type="publish", adapter="acme/ink", summary={"kind": "lora"}),), 1),
        ((Action(type="publish", adapter="acme/ink", summary={"sampling": {"steps": 4}}),), 5),
        ((Action(type="yank", adapter="acme/ink", summary={"sampling": {}}),), 1),
    ],
)
def test_acts_that_restrict_raise_the_version(
    actions: tuple[Action, ...], version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that knows version 1 alone stops at them, and reads all others."""
    written = record(*actions).to_bytes()

    assert json.loads(written)["v"] == version
    assert Record.from_bytes(written, key="log/1").to_bytes() == written
    monkeypatch.setattr(records, "RECORD_VERSION_MAX", 1)
    if version == 1:
        Record.from_bytes(written, key="log/1")
    else:
        with pytest.raises(UnusableRegistry) as caught:
            Record.from_bytes(written, key="log/1")
        assert caught.value.reason == "NEWER_PROTOCOL"


def test_next_version_is_not_read() -> None:
    """Nor does this program guess at what comes after it."""
    document = {**json.loads(record().to_bytes()), "v": RECORD_VERSION_MAX + 1}

    with pytest.raises(UnusableRegistry) as caught:
        Record.from_bytes(json.dumps(document).encode(), key="log/1")

    assert caught.value.reason == "NEWER_PROTOCOL"


@pytest.mark.parametrize("proof", [*Proof])
def test_who_checked_survives_the_bytes(proof: Proof) -> None:
    """Of each act, also where several callers share a record."""
    acts = [replace(YANK, proof=proof, on_behalf_of="bob"), YANK]

    read = Record.from_bytes(record(*acts).to_bytes(), key="log/1")

    assert [(one.proof, one.on_behalf_of) for one in read.actions] == [(proof, "bob"), ("", "")]


@pytest.mark.parametrize("proof", ["face", 1, None, ["token"], {}])
def test_unknown_proof_is_none(proof: object) -> None:
    """What this program cannot judge does not count."""
    assert Action.from_json({"type": "yank", "proof": proof}).proof is Proof.NONE
