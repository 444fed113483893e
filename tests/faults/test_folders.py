# SPDX-License-Identifier: Apache-2.0
"""A cache or a registry that is full, read-only or garbage: pictures are right, nothing is lost."""

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tabard import Client, TabardError
from tests.bases import make_tiny_base, write_diffusers_lora
from tests.e2e.conftest import RunningServer, run_server
from tests.oracle import Oracle, Pixels, Worn, largest_difference

pytestmark = pytest.mark.faults

LOOK = {"width": 32, "height": 32, "guidance_scale": 5.0}
PROMPT = "a red circle"
SEED = 3


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="module")
def style(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("style") / "ink.safetensors"
    return write_diffusers_lora(base, file, seed=1, rank=16, text_targets=("q_proj",))


@pytest.fixture(scope="module")
def truth(base: Path, style: Path) -> Pixels:
    """What diffusers draws of the style."""
    return Oracle(base).draw(PROMPT, worn=[Worn(file=style)], seed=SEED, steps=4, **LOOK)


@contextmanager
def mounted(folder: Path, *, size_kib: int, options: str = "rw") -> Iterator[Path]:
    """Give a file system of its own, of so many KiB; mounting needs a superuser."""
    folder.mkdir(parents=True)
    wanted = f"size={size_kib}k,{options}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", wanted, "tabard", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def serving(
    tmp_path: Path, base: Path, url: str, *, cache: Path
) -> Iterator[tuple[Client, RunningServer]]:
    """Run a server on a registry in a bucket, with a cache."""
    with (
        run_server(
            tmp_path / "server", base=base, registry=url, cache=cache, single_writer=True
        ) as server,
        Client(server.address, actor="ann") as client,
    ):
        yield client, server


def publish(client: Client, style: Path, version: str = "1.0.0") -> None:
    client.publish("acme/ink", style, version=version)
    client.promote(f"acme/ink@{version}", channel="stable")


def off_by(client: Client, truth: Pixels) -> int:
    """Draw the style and compare."""
    drawn = client.generate(
        PROMPT,
        adapters=["acme/ink"],
        seed=SEED,
        num_inference_steps=4,
        sampler="ddim",
        **LOOK,
    )
    return largest_difference(np.asarray(drawn.images[0].pil.convert("RGB")), truth)


@pytest.mark.parametrize(("size_kib", "options"), [(64, "rw"), (4096, "ro")])
def test_cache_without_room_costs_time_only(
    tmp_path: Path,
    base: Path,
    style: Path,
    truth: Pixels,
    s3_url: str,
    size_kib: int,
    options: str,
) -> None:
    """ENOSPC and EROFS in the cache: the server starts, publishes, draws and searches."""
    with (
        mounted(tmp_path / "cache", size_kib=size_kib, options=options) as cache,
        serving(tmp_path, base, s3_url, cache=cache) as (client, server),
    ):
        publish(client, style)

        assert off_by(client, truth) <= 1
        assert [hit.adapter for hit in client.search("ink")] == ["acme/ink"]
        assert server.process.poll() is None


def test_garbage_in_the_cache_is_made_again(
    tmp_path: Path, base: Path, style: Path, truth: Pixels, s3_url: str
) -> None:
    """Every file cut, bent or replaced by a link elsewhere: pictures are right, links untouched."""
    cache, victim = tmp_path / "cache", tmp_path / "victim"
    victim.write_bytes(b"not yours")
    with serving(tmp_path, base, s3_url, cache=cache) as (client, _):
        publish(client, style)
        assert off_by(client, truth) <= 1
        assert client.search("ink")
    kept = tmp_path / "kept"
    shutil.copytree(cache, kept)

    for seed, damage in enumerate((_cut, _bend, _link, _folder)):
        shutil.rmtree(cache)
        shutil.copytree(kept, cache)
        files = [path for path in cache.rglob("*") if path.is_file()]
        assert len(files) >= 2
        for path in files:
            damage(path, random.Random(seed), victim)
        with serving(tmp_path, base, s3_url, cache=cache) as (client, _):
            assert off_by(client, truth) <= 1
            assert [hit.adapter for hit in client.search("ink")] == ["acme/ink"]
    assert victim.read_bytes() == b"not yours"


def test_full_registry_refuses_and_goes_on(
    tmp_path: Path, base: Path, style: Path, truth: Pixels
) -> None:
    """What does not fit is refused with a reason; what was there is served; room heals it."""
    with mounted(tmp_path / "registry", size_kib=2048) as folder:
        ballast = folder / "ballast"
        with serving(tmp_path, base, folder.as_uri(), cache=tmp_path / "cache") as (client, _):
            publish(client, style)
            _fill(ballast)

            with pytest.raises(TabardError) as caught:
                publish(client, style, "2.0.0")
            assert caught.value.reason not in {"", "INTERNAL"}
            assert off_by(client, truth) <= 1

            ballast.unlink()
            publish(client, style, "3.0.0")
            assert off_by(client, truth) <= 1
        with serving(tmp_path, base, folder.as_uri(), cache=tmp_path / "cache") as (client, _):
            versions = {release.version for release in client.get("acme/ink").releases}
            assert {"1.0.0", "3.0.0"} <= versions


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 10, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def _cut(path: Path, rng: random.Random, _victim: Path) -> None:
    os.truncate(path, rng.randrange(max(1, path.stat().st_size)))


def _bend(path: Path, rng: random.Random, _victim: Path) -> None:
    body = bytearray(path.read_bytes())
    for _ in range(min(64, len(body))):
        body[rng.randrange(len(body))] ^= 1 + rng.randrange(255)
    path.write_bytes(body)


def _link(path: Path, _rng: random.Random, victim: Path) -> None:
    path.unlink()
    path.symlink_to(victim)


def _folder(path: Path, _rng: random.Random, _victim: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "x").write_bytes(b"x")
