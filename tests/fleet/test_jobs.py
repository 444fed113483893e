# SPDX-License-Identifier: Apache-2.0
"""What one server keeps, asked for through one address: its jobs, its pictures, whoever asks."""

import asyncio
import base64
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tabard import AsyncClient, Client, Job, NotFound, TabardError, Unavailable
from tabard.routing import SERVER_METADATA
from tabard.rpc_errors import tabard_error
from tabard.v1 import job_service_pb2, job_service_pb2_grpc
from tests.bases import write_diffusers_lora
from tests.e2e.page.judged import REF, judge
from tests.fleet.conftest import Fleet, await_seq
from tests.fleet.envoy import run_envoy
from tests.fleet.replicas import running, server_in

pytestmark = pytest.mark.fleet

WANTED: dict[str, Any] = {"num_inference_steps": 1, "width": 16, "height": 16}
JOBS = 9


@pytest.fixture(scope="module")
def kept(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Three servers with jobs of their own, behind one address."""
    folder = tmp_path_factory.mktemp("kept")
    registry = (folder / "registry").as_uri()
    servers = [
        server_in(
            folder / f"server-{number}",
            base=tiny_base,
            registry=registry,
            cache=folder / f"cache-{number}",
        )
        for number in range(3)
    ]
    places = {"tabard": [one.address for one in servers]}
    with running(servers), run_envoy(folder / "envoy", servers=places) as envoy:
        yield Fleet(envoy=envoy, servers=servers)


def begun(fleet: Fleet, *, count: int = JOBS) -> list[Job]:
    """Begin jobs, of which no server has all, and wait for none."""
    with Client(fleet.envoy.address) as client:
        jobs = [client.start("x", seed=seed, **WANTED) for seed in range(count)]
    assert len({job.id[:8] for job in jobs}) > 1
    return jobs


def keeper(fleet: Fleet, job_id: str) -> int:
    """Return which server keeps a job: that one knows it by its own address."""
    for number, server in enumerate(fleet.servers):
        with Client(server.address, patience_seconds=0) as client:
            try:
                client.job_status(job_id)
            except (NotFound, Unavailable):
                continue
            return number
    raise AssertionError(f"nobody keeps {job_id}")


def test_jobs_are_found_from_anywhere(kept: Fleet) -> None:
    """By a client that never heard of them: waited for, looked at, fetched, ended, run again."""
    jobs = begun(kept)

    with Client(kept.envoy.address) as client:
        for seed, job in enumerate(jobs):
            result = client.job(job.id).wait()
            assert [one.seed for one in result.images] == [seed]
            assert client.job_status(job.id).state == "succeeded"
            assert client.retry_job(job.id).job_id == job.id
            assert client.cancel_job(job.id, forget=True).job_id == job.id
            with pytest.raises(NotFound):
                client.job_status(job.id)


def test_jobs_are_found_by_asyncio(kept: Fleet) -> None:
    """Of asyncio's client the same."""

    async def wait(ids: list[str]) -> list[int]:
        async with AsyncClient(kept.envoy.address) as client:
            results = [await client.job(one).wait() for one in ids]
        return [result.images[0].seed for result in results]

    jobs = begun(kept)

    assert asyncio.run(wait([one.id for one in jobs])) == list(range(JOBS))


def test_all_jobs_are_listed(kept: Fleet) -> None:
    """Those of every server, the newest first, each once; and no more than are asked for."""
    jobs = [one.id for one in begun(kept)]

    with Client(kept.envoy.address) as client:
        every = [one.job_id for one in client.jobs()]
        newest = [one.job_id for one in client.jobs(limit=4)]

    assert every[:JOBS] == jobs[::-1]
    assert len(set(every)) == len(every)
    assert newest == jobs[::-1][:4]


def test_job_waits_for_its_server(kept: Fleet) -> None:
    """A server that is killed and comes back has its jobs; who asks meanwhile is not told wrong."""
    job = begun(kept)[0]
    with Client(kept.envoy.address) as client:
        image = client.job(job.id).wait().images[0]
    number = keeper(kept, job.id)
    server = kept.servers[number]
    others = [one.address for one in kept.servers if one is not server]

    server.kill()
    kept.envoy.await_healthy(others)
    with (
        Client(kept.envoy.address, patience_seconds=0) as hasty,
        pytest.raises(Unavailable) as away,
    ):
        hasty.job_status(job.id)
    starting = threading.Thread(target=server.start)
    starting.start()
    with Client(kept.envoy.address, patience_seconds=600) as client:
        again = client.job_image(job.id)
    starting.join()
    kept.envoy.await_healthy(kept.addresses)

    assert away.value.reason == "JOB_ELSEWHERE"
    assert again.content == image.content


def test_draining_server_still_has_its_pictures(kept: Fleet) -> None:
    """It is given nothing new, and is asked for what it has."""
    job = begun(kept)[0]
    with Client(kept.envoy.address) as client:
        client.job(job.id).wait()
    server = kept.servers[keeper(kept, job.id)]
    with Client(server.address) as operator:
        operator.drain(wait_seconds=60)
    kept.envoy.await_healthy([one.address for one in kept.servers if one is not server])

    with Client(kept.envoy.address, patience_seconds=0) as client:
        found = client.job_image(job.id)

    server.stop()
    server.start()
    kept.envoy.await_healthy(kept.addresses)
    assert found.content


def test_complaints_reach_who_drew(kept: Fleet) -> None:
    """By the job, which nobody waited for long ago; a digest is known to one server alone."""
    with Client(kept.envoy.address) as client:
        drawn = [client.generate("x", seed=seed, **WANTED) for seed in range(JOBS)]

    with Client(kept.envoy.address) as stranger:
        for one in drawn:
            stranger.report_image("artifact", job=one.job_id)

    assert len({one.job_id[:8] for one in drawn}) > 1


def test_votes_go_on_at_any_server(kept: Fleet, tiny_base: Path, tmp_path: Path) -> None:
    """A pair of one server, its pictures of another, a vote at a third: no server keeps a voter."""
    files = [
        write_diffusers_lora(tiny_base, tmp_path / f"{seed}.safetensors", seed=seed)
        for seed in (1, 2)
    ]
    first, second, third = kept.servers
    # What is written at one server is known to the others after their next poll.
    with Client(first.address) as author:
        judge(author, files=files, folder=tmp_path)
    with (
        Client(first.address, actor="eve") as asking,
        Client(second.address, actor="eve") as looking,
        Client(third.address, actor="eve") as voting,
    ):
        await_seq(kept, max(one.status().registry_seq for one in (asking, looking, voting)))
        pair = asking.next_pair(REF)
        assert pair is not None
        shown = {side: looking.pair_picture(REF, pair=pair.pair, side=side) for side in ("a", "b")}
        told = voting.vote(REF, "a", pair=pair.pair)
        await_seq(kept, voting.status().registry_seq)
        with pytest.raises(TabardError) as twice:
            looking.vote(REF, "b", pair=pair.pair)
        following = asking.next_pair(REF)

    assert shown["a"] != shown["b"]
    assert told.voted_count == 1
    assert twice.value.reason == "VOTE_UNBLINDED"
    assert following is not None
    assert following.pair != pair.pair


def test_named_server_is_who_answers(kept: Fleet) -> None:
    """Every call that names a server of the address reaches that one at once, never by luck."""
    request = job_service_pb2.ListJobsRequest()
    with grpc.insecure_channel(kept.envoy.address) as channel:
        stub = job_service_pb2_grpc.JobServiceStub(channel)
        known = {stub.ListJobs(request).server for _ in range(60)}
        answered = {
            name: {
                stub.ListJobs(request, metadata=((SERVER_METADATA, name),)).server
                for _ in range(20)
            }
            for name in known
        }

    assert len(known) == len(kept.servers)
    assert answered == {name: {name} for name in known}


@pytest.mark.parametrize("forged", ["10.9.8.7:50051", "127.0.0.1:1", "", "\\x"])
def test_forged_server_changes_nothing(kept: Fleet, forged: str) -> None:
    """What names no server of this address is no address; and Envoy tells nobody of any."""
    named = base64.b64encode(forged.encode()).decode()
    request = job_service_pb2.GetJobRequest(job_id="0" * 40)
    with grpc.insecure_channel(kept.envoy.address) as channel:
        stub = job_service_pb2_grpc.JobServiceStub(channel)
        listed, call = stub.ListJobs.with_call(
            job_service_pb2.ListJobsRequest(), metadata=((SERVER_METADATA, named),)
        )
        with pytest.raises(grpc.RpcError) as refused:
            stub.GetJob(request, metadata=((SERVER_METADATA, named),))

    assert listed.server != named
    keys = {key for key, _value in (*call.initial_metadata(), *call.trailing_metadata())}
    assert SERVER_METADATA not in keys
    assert tabard_error(refused.value, address="").reason == "JOB_UNKNOWN"
