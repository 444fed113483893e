# SPDX-License-Identifier: Apache-2.0
"""Every verb of the blocking client, over a socket."""

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import tabard
from tabard import Client
from tabard.routing import stack_hash
from tests.clients.fakes.server import FakeServer
from tests.clients.fakes.state import FakeStatus

STYLE = "acme/watercolor@1.0.0"


def test_watch_yields_and_cancels(
    client: Client, server: FakeServer, stable: tabard.Release
) -> None:
    """Records come as they happen; closing the iterator ends the call on the server."""
    records = client.watch(from_seq=1)

    seen = [next(records).seq, next(records).seq]
    records.close()

    assert seen == [1, 2]
    assert server.state.cancelled.wait(60)


def test_generate_returns_typed_images(
    client: Client, stable: tabard.Release, tmp_path: Path
) -> None:
    """Images come with their seed and provenance, and are saved as the server made them."""
    result = client.generate(
        "a red circle", adapters=["acme/watercolor:0.8"], seed=7, num_images=2, width=32, height=16
    )

    first, second = result.images
    assert (first.seed, second.seed) == (7, 8)
    assert first.provenance["adapters"] == ["acme/watercolor:0.8"]
    assert first.pil.size == (32, 16)
    assert first.save(tmp_path / "circle.png").read_bytes() == first.content
    assert result.worn[0].digest == stable.digest
    assert (result.worn[0].weight, result.total_ms) == (0.8, 20.0)


def test_generate_sends_every_parameter(client: Client, server: FakeServer) -> None:
    """What the caller says arrives; what is left out stays out."""
    client.generate(
        "p",
        seed=0,
        num_inference_steps=2,
        guidance_scale=0.0,
        negative_prompt="n",
        sampler="Euler a",
        deterministic=True,
    )
    client.generate("q")

    full, bare = server.state.requests
    assert (full.HasField("seed"), full.num_inference_steps, full.sampler) == (True, 2, "Euler a")
    assert (full.HasField("guidance_scale"), full.negative_prompt) == (True, "n")
    assert full.deterministic
    unset = ("seed", "num_inference_steps", "guidance_scale", "width", "height", "num_images")
    assert not any(bare.HasField(name) for name in unset)


def test_stream_yields_typed_events(client: Client) -> None:
    """The life of a job comes in order."""
    events = list(client.stream("x", num_inference_steps=2, preview_every=1))

    assert [type(event) for event in events] == [
        tabard.Accepted,
        tabard.Progress,
        tabard.Preview,
        tabard.GeneratedImage,
        tabard.Done,
    ]


def test_closed_stream_cancels_job(client: Client, server: FakeServer) -> None:
    """The server hears that nobody listens any more."""
    server.state.step_seconds = 0.02
    events = client.stream("x", num_inference_steps=1000)
    next(events)

    events.close()

    assert server.state.cancelled.wait(60)


def test_timeout_raises_deadline_exceeded(client: Client, server: FakeServer) -> None:
    """The deadline is the caller's, and the error says how to get more."""
    server.state.step_seconds = 0.05

    with pytest.raises(tabard.DeadlineExceeded) as caught:
        client.generate("x", num_inference_steps=1000, timeout_seconds=0.2)

    assert "timeout_seconds" in caught.value.hint


def test_metadata_carries_token_and_stack(
    server: FakeServer, client: Client, stable: tabard.Release
) -> None:
    """A proxy can keep a stack together, and the server can know who calls."""
    adapters = ["acme/watercolor@1.0.0:0.5", "acme/watercolor:-1"]

    with Client(server.address, token="secret") as named:
        named.generate("x", adapters=adapters)

    metadata = server.state.metadata[-1]
    assert metadata["authorization"] == "Bearer secret"
    assert metadata["tabard-stack"] == stack_hash(["acme/watercolor", "acme/watercolor@1.0.0"])


def test_client_is_safe_between_threads(client: Client) -> None:
    """One client serves several threads at once."""
    seeds: list[int] = []

    def draw(seed: int) -> None:
        seeds.append(client.generate("x", seed=seed).images[0].seed)

    threads = [threading.Thread(target=draw, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(seeds) == [0, 1, 2, 3]


def test_watch_goes_on_after_a_break(
    client: Client, stable: tabard.Release, server: FakeServer
) -> None:
    """The stream breaks after every record; none is missed, none comes twice."""
    client.promote(STYLE)
    client.promote(STYLE, channel="canary")
    server.state.watch_breaks = 2

    with contextlib.closing(client.watch(from_seq=1)) as records:
        seen = [next(records).seq for _ in range(3)]

    assert seen == [1, 2, 3]
    assert server.state.watch_breaks == 0


def test_watch_gives_up(client: Client, stable: tabard.Release, server: FakeServer) -> None:
    """Without patience the break is told."""
    server.state.watch_breaks = 1

    with contextlib.closing(client.watch(from_seq=1, patience_seconds=0.0)) as records:
        next(records)
        with pytest.raises(tabard.Unavailable) as caught:
            next(records)

    assert caught.value.reason == "WATCH_ENDED"


BUSY = FakeStatus(8, "full", reason="UPLOADS_BUSY", retry_seconds=0.01)


@pytest.mark.parametrize("verb", ["publish", "generate", "resolve", "pull"])
def test_busy_server_is_waited_for(
    verb: str, server: FakeServer, stable: tabard.Release, style_file: Path, tmp_path: Path
) -> None:
    """Every kind of call is sent again, whole, and the caller is told of every wait."""
    waits: list[str] = []
    with Client(server.address, on_wait=lambda _s, refusal: waits.append(refusal.reason)) as client:
        server.state.fail_with, server.state.fail_times = BUSY, 3
        calls: dict[str, Callable[[], object]] = {
            "publish": lambda: client.publish("acme/ink", style_file, version="1.0.0").created,
            "generate": lambda: client.generate("x").images,
            "resolve": lambda: client.resolve(STYLE).digest,
            "pull": lambda: client.pull(STYLE, out=tmp_path).files,
        }
        assert calls[verb]()

    assert waits == ["UPLOADS_BUSY"] * 3


def test_result_says_how_often_it_was_asked_for(server: FakeServer) -> None:
    """The request that was taken included."""
    server.state.fail_with, server.state.fail_times = BUSY, 2

    with Client(server.address) as client:
        assert (client.generate("x").attempts, client.generate("x").attempts) == (3, 1)


def test_deadline_holds_all_tries(server: FakeServer) -> None:
    """A server that stays busy is a refusal when the time of the call is over."""
    server.state.fail_with = BUSY
    waits: list[float] = []

    with (
        Client(server.address, on_wait=lambda seconds, _refusal: waits.append(seconds)) as client,
        pytest.raises(tabard.ResourceExhausted),
    ):
        client.generate("x", timeout_seconds=0.2)

    assert waits
    assert sum(waits) <= 0.2


def test_job_that_began_is_not_begun_again(server: FakeServer) -> None:
    """Without a request id a failure after the first event is told, whatever it asks for."""
    server.state.fail_accepted_with = BUSY

    with Client(server.address) as client, pytest.raises(tabard.ResourceExhausted):
        client.generate("x", request_id="")

    assert len(server.state.requests) == 1


def test_closed_client_says_so(server: FakeServer) -> None:
    """Whatever is asked of it, and however often it is closed."""
    client = Client(server.address)
    client.close()
    client.close()

    asked: list[Callable[[], object]] = [
        client.status,
        client.list,
        lambda: client.generate("x"),
        lambda: next(client.stream("x")),
        lambda: next(client.watch()),
    ]
    for ask in asked:
        with pytest.raises(tabard.FailedPrecondition) as caught:
            ask()
        assert (caught.value.reason, bool(caught.value.hint)) == ("CLIENT_CLOSED", True)
