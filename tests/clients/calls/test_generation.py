# SPDX-License-Identifier: Apache-2.0
"""The generate request carries its stack, and a job knows its deadline."""

import tabard
from tabard.calls import generation, registry
from tabard.calls.call import Caller
from tabard.calls.generation import GENERATE_TIMEOUT_SECONDS
from tabard.routing import BASE_METADATA, STACK_METADATA, base_hint, stack_hash
from tabard.v1 import adapter_pb2, registry_service_pb2
from tabard.v1 import generation_service_pb2 as pb

FINGERPRINT = "sha256:" + "0123456789abcdef" * 4
CALLER = Caller(actor="alice", new_id=lambda: "id")


def test_stack_is_sent_when_there_is_one() -> None:
    """A proxy finds it in the metadata; without adapters there is nothing to keep together."""
    wearing = generation.stream(CALLER, "x", adapters=["b/b:0.5", tabard.Wear(ref="a/a", unet=1)])
    tagged = generation.stream(CALLER, "x <lora:b/b:1>", adapters="a/a")
    plain = generation.stream(CALLER, "x")

    assert wearing.metadata == tagged.metadata == ((STACK_METADATA, stack_hash(["a/a", "b/b"])),)
    assert plain.metadata == ()


def test_base_is_sent_once_it_is_known() -> None:
    """What a server said of a release goes with the next request that wears it."""
    caller = Caller(actor="alice", new_id=lambda: "id")
    first = generation.stream(caller, "x", adapters="a/a:0.5")
    assert first.on_base is not None
    first.on_base(FINGERPRINT)

    later = generation.stream(caller, "x", adapters=["a/a@stable", "b/b"])

    assert BASE_METADATA not in dict(first.metadata)
    assert dict(later.metadata)[BASE_METADATA] == base_hint(FINGERPRINT)


def test_resolve_says_the_base() -> None:
    """Who has resolved a ref asks for its images where they can be drawn, from the first time."""
    caller = Caller(actor="alice", new_id=lambda: "id")
    release = adapter_pb2.Release(
        adapter="a/a",
        version="1.0.0",
        digest="sha256:" + "1" * 64,
        kind=adapter_pb2.RELEASE_KIND_LORA,
        base_fingerprint=FINGERPRINT,
    )
    registry.resolve(caller, "a/a").read(registry_service_pb2.ResolveResponse(release=release))

    call = generation.stream(caller, "x", adapters="a/a")

    assert dict(call.metadata)[BASE_METADATA] == base_hint(FINGERPRINT)


def test_base_that_is_said_is_asked_of_the_server() -> None:
    """Whoever names a base is drawn on no other, and nothing else steers the request."""
    caller = Caller(actor="alice", new_id=lambda: "id", base=FINGERPRINT)
    caller.bases.note(["a/a"], "sha256:" + "f" * 64)

    call = generation.stream(caller, "x", adapters="a/a")

    assert isinstance(call.request, pb.GenerateRequest)
    assert call.request.base == FINGERPRINT
    assert BASE_METADATA not in dict(call.metadata)


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
