# SPDX-License-Identifier: Apache-2.0
"""The stage of a soak: a store, a proxy that fails before it, a server on it, and the players."""

from __future__ import annotations

import logging
import os
import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3

from tabard import Client
from tests.bases import make_tiny_base
from tests.e2e.conftest import RunningServer, run_server
from tests.soak import players
from tests.soak.faulty_proxy import FaultyProxy
from tests.soak.players import Notes, Play
from tests.soak.process_figures import Watch
from tests.soak.wardrobe import Wardrobe

SAMPLE_SECONDS = 2.0
_STYLE_BYTES = 28 << 10
_CAST: tuple[tuple[Callable[[Play, int], None], int], ...] = (
    (players.light_caller, 0),
    (players.light_caller, 1),
    (players.canceller, 0),
    (players.canceller, 1),
    (players.abandoner, 0),
    (players.author, 0),
    (players.holder, 0),
    (players.bad_weather, 0),
)
"""Who plays, and under which number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """What was seen.

    Attributes:
        seconds: How long it lasted.
        notes: Of each kind of player.
        quiet: Seconds of each image that one light caller drew alone, before the others came.
        watch: What the server's process held.
        is_alive: Whether it was there at the end.
        exit_status: What it ended with when it was asked to; None: it had to be killed.
    """

    seconds: float
    notes: dict[str, Notes]
    quiet: list[float]
    watch: Watch
    is_alive: bool
    exit_status: int | None


def play(folder: Path, *, seconds: float, slow_readers: int) -> Show:
    """Play for so long, and stop the server as an operator does."""
    base = make_tiny_base(folder / "base")
    wardrobe = Wardrobe(base, folder)
    with _store() as (endpoint, bucket), _proxy(endpoint) as proxy:
        os.environ["AWS_ENDPOINT_URL_S3"] = proxy.url
        settings = {
            "registry": f"s3://{bucket}/soak",
            "cache": folder / "cache",
            # A style takes 28 KiB: from the start there is room for fewer than are worn, in memory
            # and on disk, so that some load is cold at any time and nothing fills up slowly.
            "limits_host_bytes_max": 8 * _STYLE_BYTES,
            "limits_disk_bytes_max": 10 * _STYLE_BYTES,
        }
        with run_server(folder / "server", base=base, **settings) as server:
            return _play(
                server,
                Play(address=server.address, wardrobe=wardrobe, proxy=proxy),
                seconds=seconds,
                slow_readers=slow_readers,
            )


def _play(server: RunningServer, play: Play, *, seconds: float, slow_readers: int) -> Show:
    with Client(play.address, actor="stage") as client:
        play.wardrobe.fill(client)
    quiet = _alone(play, seconds=max(2.0, seconds / 60))
    watch = Watch(server.process.pid, every_seconds=SAMPLE_SECONDS)
    begun_at = time.monotonic()
    cast = (*_CAST, (players.vanishing_readers, slow_readers))
    threads = [threading.Thread(target=act, args=(play, number)) for act, number in cast]
    for thread in threads:
        thread.start()
    play.stop.wait(seconds)
    play.stop.set()
    for thread in threads:
        thread.join()
    watch.stop()
    is_alive = server.process.poll() is None
    server.process.terminate()
    try:
        exit_status: int | None = server.process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        exit_status = None
    return Show(
        seconds=time.monotonic() - begun_at,
        notes=play.notes,
        quiet=quiet,
        watch=watch,
        is_alive=is_alive,
        exit_status=exit_status,
    )


def _alone(play: Play, *, seconds: float) -> list[float]:
    """Let one light caller draw while nobody else is there."""
    alone = Play(address=play.address, wardrobe=play.wardrobe, proxy=play.proxy)
    thread = threading.Thread(target=players.light_caller, args=(alone, 0))
    thread.start()
    alone.stop.wait(seconds)
    alone.stop.set()
    thread.join()
    return alone.of("light").seconds


@contextmanager
def _store() -> Iterator[tuple[str, str]]:
    """Give a store and a bucket in it: the one that TABARD_TEST_S3 names, else moto."""
    if named := os.environ.get("TABARD_TEST_S3"):
        yield named, _new_bucket(named)
        return
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - only where no store is named

    logging.getLogger("werkzeug").setLevel(logging.ERROR)

    os.environ |= {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "TABARD_SINGLE_WRITER": "true",
    }
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}", _new_bucket(f"http://{host}:{port}")
    finally:
        server.stop()


def _new_bucket(endpoint: str) -> str:
    name = f"tabard-{secrets.token_hex(8)}"
    boto3.session.Session().client("s3", endpoint_url=endpoint).create_bucket(Bucket=name)
    return name


@contextmanager
def _proxy(endpoint: str) -> Iterator[FaultyProxy]:
    proxy = FaultyProxy(endpoint)
    try:
        yield proxy
    finally:
        proxy.close()
