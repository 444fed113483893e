# SPDX-License-Identifier: Apache-2.0
"""What a caller of a Tabard server waits for, timed through gRPC and nothing else.

In: a client, the demo's catalogue, a clock. Out: seconds, one per round. Knows no tensor.
"""

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from tabard import Client
from tabard.cli.demo.catalog import Catalog, DemoRelease
from tabard.result import Accepted
from tests.bench.workload import GUIDANCE_SCALE, STEPS, Picture

Clock = Callable[[], float]


def publish_first(client: Client, catalog: Catalog) -> None:
    """Publish and promote both styles, so that there is something to swap."""
    for release in (catalog.style, catalog.partner):
        _publish(client, release, version=release.version)
        client.promote(f"{release.adapter}@{release.version}", channel="stable")


def image_seconds(client: Client, picture: Picture, *, clock: Clock) -> float:
    """Return how long one image takes when nothing changes."""
    begun = clock()
    _draw(client, picture)
    return clock() - begun


def swap_seconds(client: Client, release: DemoRelease, *, rounds: int, clock: Clock) -> list[float]:
    """Publish a release the server has never seen, promote it, and wait for its first image."""
    picture = Picture(prompt=release.prompt, adapter=release.adapter, seed=0)
    seconds = []
    for number in range(rounds):
        begun = clock()
        version = f"2.{number}.0"
        _publish(client, release, version=version)
        client.promote(f"{release.adapter}@{version}", channel="stable", reason="bench")
        _draw(client, picture)
        seconds.append(clock() - begun)
    return seconds


def rollback_seconds(
    client: Client, release: DemoRelease, *, rounds: int, clock: Clock
) -> list[float]:
    """Roll the channel back and wait until a new request is pinned to the release before.

    Raises:
        AssertionError: A request after the rollback wore another release.
    """
    seconds = []
    for _ in range(rounds):
        begun = clock()
        move = client.rollback(release.adapter, reason="bench")
        with contextlib.closing(client.stream(release.prompt, adapters=[release.adapter])) as job:
            accepted = next(event for event in job if isinstance(event, Accepted))
        seconds.append(clock() - begun)
        assert [worn.digest for worn in accepted.worn] == [move.digest]
    return seconds


def crowd_seconds(client: Client, pictures: Sequence[Picture], *, clock: Clock) -> float:
    """Return how long all pictures take when every one is asked for at once."""
    with ThreadPoolExecutor(max_workers=len(pictures)) as callers:
        begun = clock()
        for done in [callers.submit(_draw, client, picture) for picture in pictures]:
            done.result()
        return clock() - begun


def _publish(client: Client, release: DemoRelease, *, version: str) -> None:
    client.publish(release.adapter, release.file, version=version, kind=release.kind)


def _draw(client: Client, picture: Picture) -> None:
    client.generate(
        picture.prompt,
        adapters=[picture.adapter],
        seed=picture.seed,
        num_inference_steps=STEPS,
        guidance_scale=GUIDANCE_SCALE,
        sampler="ddim",
    )
