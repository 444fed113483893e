# SPDX-License-Identifier: Apache-2.0
"""Every verb of the blocking client, over a socket."""

import threading
from pathlib import Path

import pytest

import tabard
from tabard import Client
from tests.clients.fakes import FakeServer


@pytest.fixture
def stable(client: Client, style_file: Path) -> tabard.Release:
    """Publish 1.0.0 of a style and promote it to stable."""
    published = client.publish("acme/watercolor", style_file, version="1.0.0")
    client.promote("acme/watercolor@1.0.0")
    return published.release


def test_publish_sends_draft_and_bytes(
    client: Client, server: FakeServer, style_file: Path
) -> None:
    """What the author says arrives, and so does every byte."""
    sent: list[tabard.UploadProgress] = []

    published = client.publish(
        "acme/watercolor",
        style_file,
        version="1.0.0",
        notes="soft",
        licence="CC0-1.0",
        purpose="style",
        trigger_words=["wtr"],
        kind="dreambooth",
        on_progress=sent.append,
    )

    release = published.release
    assert (published.created, published.report.accepted) == (True, True)
    assert (release.kind, release.purpose, release.notes) == ("dreambooth", "style", "soft")
    assert (release.licence, release.trigger_words) == ("CC0-1.0", ("wtr",))
    assert release.published_by == "alice"
    assert release.original_bytes == sent[-1].sent_bytes == style_file.stat().st_size
    assert server.state.requests[0].request_id


def test_publish_twice_creates_once(client: Client, style_file: Path) -> None:
    """The same bytes under the same version are the same release."""
    first = client.publish("acme/watercolor", style_file, version="1.0.0")

    second = client.publish("acme/watercolor", style_file, version="1.0.0")

    assert (second.created, second.release) == (False, first.release)


def test_publish_other_bytes_refused(client: Client, style_file: Path, other_file: Path) -> None:
    """A version never changes its bytes."""
    client.publish("acme/watercolor", style_file, version="1.0.0")

    with pytest.raises(tabard.AlreadyExists) as caught:
        client.publish("acme/watercolor", other_file, version="1.0.0")

    assert (caught.value.reason, caught.value.hint) == ("VERSION_EXISTS", "use a new version")


def test_refused_file_names_problem(client: Client, refused_file: Path) -> None:
    """The violations of a refused file reach the author."""
    with pytest.raises(tabard.InvalidArgument) as caught:
        client.publish("acme/watercolor", refused_file, version="1.0.0")

    assert caught.value.reason == "UNKNOWN_KEYS"
    assert "fit no module" in caught.value.violations[0].description


@pytest.mark.parametrize(
    ("files", "options", "reason"),
    [
        ((), {}, "NO_FILES"),
        (("nowhere.safetensors",), {}, "FILE_NOT_FOUND"),
        ((__file__,), {"kind": "poem"}, "UNKNOWN_KIND"),
        ((__file__,), {"purpose": "fun"}, "UNKNOWN_PURPOSE"),
    ],
)
def test_publish_refuses_before_sending(
    client: Client,
    server: FakeServer,
    files: tuple[str, ...],
    options: dict[str, str],
    reason: str,
) -> None:
    """What the SDK can see for itself never reaches the server."""
    with pytest.raises(tabard.InvalidArgument) as caught:
        client.publish("a/b", *files, version="1.0.0", **options)  # type: ignore[arg-type]

    assert (caught.value.reason, server.state.requests) == (reason, [])


def test_check_reports_without_raising(client: Client, refused_file: Path) -> None:
    """A bad file is an answer, not an error."""
    report = client.check(refused_file)

    assert not report.accepted
    assert report.problems[0].remedy == "train it on sd1"


def test_promote_moves_channel(client: Client, stable: tabard.Release) -> None:
    """A promotion to another channel says where it came from and where it is."""
    move = client.promote("acme/watercolor@stable", channel="canary", reason="try", expect="none")

    assert (move.channel, move.version, move.previous_version) == ("canary", "1.0.0", "")
    assert move.moved
    assert client.resolve("acme/watercolor@canary") == stable


def test_promote_expectation_is_kept(client: Client, stable: tabard.Release) -> None:
    """A channel that points elsewhere than expected does not move."""
    with pytest.raises(tabard.FailedPrecondition) as caught:
        client.promote("acme/watercolor@1.0.0", expect="none")

    assert caught.value.reason == "EXPECT_MISMATCH"


def test_rollback_restores_previous_release(
    client: Client, stable: tabard.Release, other_file: Path
) -> None:
    """After a rollback the channel means what it meant before."""
    client.publish("acme/watercolor", other_file, version="1.1.0")
    client.promote("acme/watercolor@1.1.0")

    move = client.rollback("acme/watercolor", reason="muddy")

    assert (move.previous_version, move.version) == ("1.1.0", "1.0.0")
    assert client.resolve("acme/watercolor") == stable


def test_yank_and_unyank_release(client: Client, stable: tabard.Release) -> None:
    """A yank carries its reason, and can be undone."""
    yanked = client.yank("acme/watercolor@1.0.0", reason="licence")
    unyanked = client.unyank("acme/watercolor@1.0.0", reason="cleared")

    assert (yanked.yanked, yanked.yank_reason) == (True, "licence")
    assert not unyanked.yanked


def test_get_shows_releases_and_channels(client: Client, stable: tabard.Release) -> None:
    """One adapter comes with everything it has."""
    adapter = client.get("acme/watercolor")

    assert adapter.releases == (stable,)
    assert [channel.name for channel in adapter.channels] == ["stable"]
    assert adapter.releases[0].training == {"ss_steps": "100"}


def test_list_reads_every_page(client: Client, style_file: Path) -> None:
    """Pages of two are joined."""
    for name in "edcba":
        client.publish(f"acme/{name}", style_file, version="1.0.0")

    adapters = client.list()

    assert [adapter.name for adapter in adapters] == [f"acme/{name}" for name in "abcde"]


def test_history_keeps_actor_and_reason(client: Client, stable: tabard.Release) -> None:
    """History filters by adapter and channel and is cut to the newest."""
    client.promote("acme/watercolor@1.0.0", channel="canary", reason="try it")

    records = client.history("acme/watercolor", channel="canary", limit=5)

    assert [(one.actor, one.reason, one.actions[0].type) for one in records] == [
        ("alice", "try it", "promote")
    ]
    assert client.history(limit=1)[0].seq == 3


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
    assert first.save(tmp_path / "circle.png").read_bytes() == first.png
    assert result.worn[0].digest == stable.digest
    assert (result.worn[0].weight, result.total_ms) == (0.8, 20.0)


def test_save_refuses_other_formats(client: Client, tmp_path: Path) -> None:
    """A .jpg with PNG bytes would be silently wrong."""
    image = client.generate("x").images[0]

    with pytest.raises(tabard.InvalidArgument, match=r"not a \.png"):
        image.save(tmp_path / "circle.jpg")


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


def test_progress_reaches_last_step(client: Client) -> None:
    """Each image ends at its last step, though the server never says so."""
    seen: list[tabard.Progress] = []

    client.generate("x", num_inference_steps=3, num_images=2, on_progress=seen.append)

    assert [(one.index, one.step, one.steps) for one in seen] == [
        (index, step, 3) for index in (0, 1) for step in (1, 2, 3)
    ]


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


def test_operator_verbs_are_typed(client: Client, stable: tabard.Release) -> None:
    """Status, warm and drain give values."""
    resident = client.warm("acme/watercolor")
    drained = client.drain(wait_seconds=1)
    status = client.status()

    assert (resident.tier, resident.version) == ("host", "1.0.0")
    assert drained.jobs_left == 2
    assert (status.draining, status.samplers, status.device) == (True, ("ddim", "euler"), "cpu")
    assert status.residents == (resident,)


def test_metadata_carries_token_and_stack(
    server: FakeServer, client: Client, stable: tabard.Release
) -> None:
    """A proxy can keep a stack together, and the server can know who calls."""
    adapters = ["acme/watercolor@1.0.0:0.5", "acme/watercolor:-1"]

    with Client(server.address, token="secret") as named:
        named.generate("x", adapters=adapters)

    metadata = server.state.metadata[-1]
    assert metadata["authorization"] == "Bearer secret"
    assert metadata["tabard-stack"] == "acme/watercolor,acme/watercolor@1.0.0"


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
