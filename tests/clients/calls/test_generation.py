# SPDX-License-Identifier: Apache-2.0
"""The generate request carries its stack, and a job knows its deadline."""

import pytest

import tabard
from tabard.calls import generation
from tabard.calls.call import Caller
from tabard.calls.generation import GENERATE_TIMEOUT_SECONDS, STACK_METADATA, stack_key
from tabard.v1 import generation_service_pb2 as pb

CALLER = Caller(actor="alice", new_id=lambda: "id")


@pytest.mark.parametrize(
    ("adapters", "key"),
    [
        (["b/b", "a/a:0.5"], "a/a,b/b"),
        (["a/a@1.2.0:-1", "a/a@1.2.0:0.5"], "a/a@1.2.0"),
        (["a/a@sha256:abcdef012345"], "a/a@sha256:abcdef012345"),
        (["a/a@sha256:abcdef012345:0.5"], "a/a@sha256:abcdef012345"),
        (["a/a@sha256:abcdef012345:0.5@0,1@0.6:te=1"], "a/a@sha256:abcdef012345"),
        (["a/a:0.5@0,1@0.6"], "a/a"),
        ([tabard.Wear(ref="b/b", unet=1), "a/a"], "a/a,b/b"),
        (tabard.Wear(ref="b/b@1.0.0"), "b/b@1.0.0"),
        (["a/é,"], "a/%C3%A9%2C"),
    ],
)
def test_stack_key_ignores_weights(adapters: list[str | tabard.Wear], key: str) -> None:
    """Requests that wear the same releases go to the same server."""
    assert stack_key(adapters) == key


def test_stack_is_sent_when_there_is_one() -> None:
    """A proxy finds it in the metadata; without adapters there is nothing to keep together."""
    wearing = generation.stream(CALLER, "x", adapters=["b/b:0.5", "a/a"])
    plain = generation.stream(CALLER, "x")

    assert wearing.metadata == ((STACK_METADATA, "a/a,b/b"),)
    assert plain.metadata == ()


def test_job_has_a_deadline() -> None:
    """Ten minutes, unless the caller says otherwise."""
    assert generation.generate(CALLER, "x").call.timeout_seconds == GENERATE_TIMEOUT_SECONDS
    assert generation.generate(CALLER, "x", timeout_seconds=3).call.timeout_seconds == 3


def test_newer_events_are_passed_over() -> None:
    """A server that is newer may say what this SDK does not know."""
    call = generation.stream(CALLER, "x")

    assert call.knows is generation.knows_event
    assert not call.knows(pb.GenerateResponse())


def test_previews_are_asked_for() -> None:
    """Only a stream can show them."""
    request = generation.stream(CALLER, "x", preview_every=5).request

    assert isinstance(request, pb.GenerateRequest)
    assert request.preview_every == 5


def test_recipe_worn_is_told_with_its_member() -> None:
    """And is None where a release is worn by itself."""
    recipe = pb.WornRecipe(adapter="acme/mix", version="1.0.0", digest="d", weight=0.5)
    accepted = pb.Accepted(worn=[pb.WornRelease(ref="a", recipe=recipe), pb.WornRelease(ref="b")])

    event = generation.read_event(pb.GenerateResponse(accepted=accepted))

    assert isinstance(event, tabard.Accepted)
    assert event.worn[0].recipe == tabard.WornRecipe(
        adapter="acme/mix", version="1.0.0", digest="d", weight=0.5
    )
    assert event.worn[1].recipe is None
