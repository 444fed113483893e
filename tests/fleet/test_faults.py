# SPDX-License-Identifier: Apache-2.0
"""What befalls some of several servers: no store, another hour, one cache. Contained, and told."""

import itertools
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tabard import Client, Unavailable
from tests.bases import write_diffusers_lora
from tests.fleet.envoy import run_envoy
from tests.fleet.replicas import Server, running, server_in
from tests.s3 import IS_REAL
from tests.server.rpc.generation.cutting_proxy import CuttingProxy

pytestmark = pytest.mark.fleet

NOBODY = "127.0.0.1:1"
WANTED: dict[str, Any] = {"seed": 1, "num_inference_steps": 1, "deterministic": True}


def publish(
    client: Client, base: Path, folder: Path, *versions: str, name: str = "acme/ink"
) -> None:
    """Publish releases of one line, and point its channel to the first."""
    for number, version in enumerate(versions):
        file = folder / f"{name.replace('/', '-')}-{version}.safetensors"
        write_diffusers_lora(base, file, seed=hash(name + version) % 1_000 + number)
        client.publish(name, file, version=version)
    client.promote(f"{name}@{versions[0]}", channel="stable")


def await_so(found: Callable[[], bool], *, what: str) -> None:
    """Wait for something that must come."""
    for _ in range(1_200):
        if found():
            return
        Event().wait(0.1)
    raise AssertionError(what)


def worn(client: Client) -> str:
    """Return which version a request by channel wears."""
    return client.generate("x", adapters="acme/ink", **WANTED).worn[0].version


def test_disjoint_faults_split_nothing(bucket: str, tiny_base: Path, tmp_path: Path) -> None:
    """First one loses the store, then the other: one log, no stale release, and it is told."""
    store = os.environ["AWS_ENDPOINT_URL_S3"].removeprefix("http://")
    proxies = [CuttingProxy(store), CuttingProxy(store)]
    told = {
        "registry": f"{bucket}/disjoint",
        "staleness_seconds_max": 3,
        "when_stale": "refuse",
        "heartbeat_seconds": 1,
    }
    servers = [
        server_in(tmp_path / f"server-{n}", base=tiny_base, cache=tmp_path / f"cache-{n}", **told)
        for n in range(2)
    ]
    for server, proxy in zip(servers, proxies, strict=True):
        server.variables = {"AWS_ENDPOINT_URL_S3": f"http://{proxy.address}"}
    addresses = [one.address for one in servers]
    try:
        with (
            running(servers),
            run_envoy(tmp_path / "envoy", servers={"tabard": addresses}) as envoy,
            Client(envoy.address) as client,
            Client(addresses[0], patience_seconds=0) as first,
            Client(addresses[1], patience_seconds=0) as second,
        ):
            publish(client, tiny_base, tmp_path, "1.0.0", "2.0.0")
            await_so(
                lambda: first.status().registry_seq == second.status().registry_seq,
                what="both have read everything",
            )
            assert {worn(first), worn(second)} == {"1.0.0"}

            _cut(proxies[0])
            moved = second.promote("acme/ink@2.0.0", channel="stable")
            with pytest.raises(Unavailable):
                first.rollback("acme/ink", reason="cut off")
            await_so(lambda: first.status().state == "stale", what="it knows that it is behind")
            envoy.await_healthy([addresses[1]])
            assert {worn(client) for _ in range(4)} == {"2.0.0"}
            with pytest.raises(Unavailable) as refused:
                worn(first)
            assert refused.value.reason == "REGISTRY_STALE"
            lost = _await_lost(second, addresses[0])
            assert lost.registry_seq < moved.seq
            assert first.status().registry_seq < moved.seq

            _cut(proxies[1])
            _heal(proxies[0], store)
            envoy.await_healthy([addresses[0]])
            await_so(lambda: first.status().registry_seq >= moved.seq, what="it has read on")
            back = first.rollback("acme/ink", reason="colours drift")
            await_so(lambda: second.status().state == "stale", what="the other one is behind")
            assert {worn(client) for _ in range(4)} == {"1.0.0"}

            _heal(proxies[1], store)
            envoy.await_healthy(addresses)
            await_so(lambda: second.status().registry_seq >= back.seq, what="both have read on")
            assert {worn(first), worn(second)} == {"1.0.0"}
            histories = [[(one.seq, one.id) for one in each.history()] for each in (first, second)]
            assert histories[0] == histories[1]
            assert sorted(seq for seq, _id in histories[0]) == list(
                range(1, max(seq for seq, _id in histories[0]) + 1)
            )
            assert "registry.unreachable" in servers[0].log
            assert "registry.answers_again" in servers[0].log
    finally:
        for proxy in proxies:
            proxy.close()


def test_bucket_that_some_cannot_reach(bucket: str, tiny_base: Path, tmp_path: Path) -> None:
    """Who cannot open the registry does not start, and its log says why; the others serve."""
    registry = f"{bucket}/partial"
    able = server_in(tmp_path / "able", base=tiny_base, registry=registry)
    unable = server_in(tmp_path / "unable", base=tiny_base, registry=registry)
    unable.variables = {"AWS_ENDPOINT_URL_S3": f"http://{NOBODY}"}
    with running([able]):
        places = {"tabard": [able.address]}
        with (
            run_envoy(tmp_path / "envoy", servers=places) as envoy,
            Client(envoy.address) as client,
        ):
            publish(client, tiny_base, tmp_path, "1.0.0")
            with pytest.raises(AssertionError, match="did not start"):
                unable.start()
            assert worn(client) == "1.0.0"
    assert "STORE_UNAVAILABLE" in unable.log or "unreachable" in unable.log


def test_clocks_an_hour_apart(bucket: str, tiny_base: Path, tmp_path: Path) -> None:
    """What counts is the order of the log; whose clock is wrong is shown to operators."""
    shifts = ("+1h", "-1h")
    # A real store refuses who signs by such a clock, and says so; a folder does not look.
    registry = (tmp_path / "registry").as_uri() if IS_REAL else f"{bucket}/clocks"
    servers = [
        server_in(
            tmp_path / f"server-{number}",
            base=tiny_base,
            registry=registry,
            heartbeat_seconds=1,
        )
        for number in range(3)
    ]
    for server, shift in zip(servers[1:], shifts, strict=True):
        server.variables = _shifted(shift)
    addresses = [one.address for one in servers]
    with (
        running(servers),
        run_envoy(tmp_path / "envoy", servers={"tabard": addresses}) as envoy,
        Client(envoy.address) as client,
    ):
        publish(client, tiny_base, tmp_path, "1.0.0", "2.0.0")
        seqs = []
        for address, version in zip(
            itertools.cycle(addresses), ("2.0.0", "1.0.0") * 3, strict=False
        ):
            with Client(address) as one:
                seqs.append(one.promote(f"acme/ink@{version}", channel="stable").seq)
                assert worn(one) == version
        for address in addresses:
            with Client(address) as one:
                await_so(lambda one=one: one.status().registry_seq >= seqs[-1], what="all read on")
                assert worn(one) == "1.0.0"
        with Client(addresses[0]) as one:
            ahead = sorted(
                round(each.clock_ahead_seconds / 3600) for each in one.replicas().replicas
            )

    assert seqs == sorted(set(seqs))
    assert ahead == [-1, 0, 1]


def test_servers_share_a_cache(bucket: str, tiny_base: Path, tmp_path: Path) -> None:
    """Two processes load the same into one folder, one is killed over it: nothing is harmed."""
    cache, names = tmp_path / "cache", [f"acme/style{number}" for number in range(6)]
    servers = [
        server_in(tmp_path / f"server-{n}", base=tiny_base, registry=f"{bucket}/cache", cache=cache)
        for n in range(2)
    ]
    with running(servers):
        with Client(servers[0].address) as client:
            for name in names:
                publish(client, tiny_base, tmp_path, "1.0.0", name=name)
        _drop_slabs(cache)
        for server in servers:
            server.stop()
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(Server.start, servers))
        first = _drawn_by(servers, names)
        _drop_slabs(cache)
        servers[0].stop()
        servers[0].start()
        with (
            Client(servers[0].address, patience_seconds=0) as client,
            ThreadPoolExecutor(1) as threads,
        ):
            cut = threads.submit(lambda: [_draw(client, name) for name in names])
            await_so(lambda: bool(_slabs(cache)), what="something lies in the cache")
            servers[0].kill()
            assert cut.exception() is not None or cut.done()
        servers[0].start()
        second = _drawn_by(servers, names)
        servers[1].stop()
        servers[1].start()
        third = _drawn_by(servers[1:], names)

    assert all(len(pictures) == 1 for pictures in first.values())
    assert first == second == third
    assert len(_slabs(cache)) == len(names)


def _drawn_by(servers: list[Server], names: list[str]) -> dict[str, set[bytes]]:
    """Let all servers draw all styles at once; return the pictures of each."""
    found: dict[str, set[bytes]] = {name: set() for name in names}

    def draw_all(server: Server) -> None:
        with Client(server.address) as client:
            for name in names:
                found[name].add(_draw(client, name))

    with ThreadPoolExecutor(len(servers)) as threads:
        list(threads.map(draw_all, servers))
    return found


def _draw(client: Client, name: str) -> bytes:
    return client.generate("x", adapters=name, **WANTED).images[0].content


def _slabs(cache: Path) -> list[Path]:
    return [one for one in cache.rglob("*.slab") if one.is_file()]


def _drop_slabs(cache: Path) -> None:
    for one in _slabs(cache):
        one.unlink()


def _cut(proxy: CuttingProxy) -> None:
    proxy.target = NOBODY
    proxy.cut()


def _heal(proxy: CuttingProxy, target: str) -> None:
    proxy.target = target


def _await_lost(client: Client, address: str) -> Any:
    found: list[Any] = []

    def is_told() -> bool:
        found[:] = [one for one in client.replicas().replicas if one.address == address]
        return bool(found) and found[0].is_lost

    await_so(is_told, what=f"{address} is told of as lost")
    return found[0]


def _shifted(shift: str) -> Mapping[str, str]:
    """Return the variables by which Debian's faketime moves the clocks of a process."""
    program = shutil.which("faketime")
    assert program, "install Debian's package faketime"
    said = subprocess.run(
        [program, "-f", shift, "env"], capture_output=True, text=True, check=True
    ).stdout
    pairs = (line.partition("=") for line in said.splitlines())
    wanted = {name: value for name, _, value in pairs if name in ("LD_PRELOAD", "FAKETIME")}
    return {**wanted, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
