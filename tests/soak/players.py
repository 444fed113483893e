# SPDX-License-Identifier: Apache-2.0
"""Who uses a server during a soak: light callers whose images are judged, and those who do harm.

Each player is a thread that acts until the stage says stop. What it saw goes into its own notes.
"""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import grpc
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tabard import Client, TabardError
from tabard.v1 import registry_service_pb2 as registry_pb
from tabard.v1.registry_service_pb2_grpc import RegistryServiceStub
from tests.soak.faulty_proxy import MODES, FaultyProxy
from tests.soak.wardrobe import APART, SEEDS, SIZE, STEPS, Wardrobe

PROMPT = "a red circle"
CONTROLS = ("", APART, ":0.5@0,1@0.6", ":1:end=0.4", ":IN=0.5:MID=0")
"""What may stand behind the name of a style."""
PATIENCE_SECONDS = 60.0


@dataclass(slots=True, kw_only=True)
class Notes:
    """What one kind of player saw.

    Attributes:
        seconds: How long each thing took that came to a good end.
        reasons: How often it was refused, by reason; empty: nobody said one.
        wrong: Images that were not what they said they were.
    """

    seconds: list[float] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Play:
    """What all players share."""

    address: str
    wardrobe: Wardrobe
    proxy: FaultyProxy
    stop: threading.Event = field(default_factory=threading.Event)
    notes: dict[str, Notes] = field(default_factory=dict)

    def of(self, name: str) -> Notes:
        """Give the notes of one kind of player."""
        return self.notes.setdefault(name, Notes())

    def attempt(self, name: str, act: Callable[[], object]) -> None:
        """Do something that may be refused, and note what came of it."""
        notes, begun_at = self.of(name), time.monotonic()
        try:
            act()
        except TabardError as error:
            notes.reasons[error.reason] += 1
            self.stop.wait(min(error.retry_after_seconds or 0.1, 1.0))
        except grpc.RpcError as error:
            notes.reasons[f"grpc {error.code().name}"] += 1
            self.stop.wait(0.1)
        else:
            notes.seconds.append(time.monotonic() - begun_at)


def light_caller(play: Play, number: int) -> None:
    """Draw one small image after the other, and compare each with diffusers' own."""
    rng = random.Random(f"light {number}")
    with Client(play.address, actor=f"light-{number}") as client:
        while not play.stop.is_set():
            play.attempt("light", lambda: _draw(play, client, rng))


def canceller(play: Play, number: int) -> None:
    """Begin jobs and leave them after some events."""
    rng = random.Random(f"cancel {number}")

    def act(client: Client) -> None:
        events = client.stream(
            PROMPT,
            adapters=[play.wardrobe.name(rng) + rng.choice(CONTROLS)],
            num_inference_steps=20,
            num_images=rng.randint(1, 4),
            width=SIZE,
            height=SIZE,
            timeout_seconds=PATIENCE_SECONDS,
        )
        for _event, _ in zip(events, range(rng.randint(1, 30)), strict=False):
            pass
        events.close()

    with Client(play.address, actor=f"cancel-{number}") as client:
        while not play.stop.is_set():
            play.attempt("cancelling", lambda: act(client))


def abandoner(play: Play, number: int) -> None:
    """Ask for the largest images that are taken, and be gone before they are drawn."""
    rng = random.Random(f"abandon {number}")

    def act(client: Client) -> None:
        side = rng.choice((1024, 768, 512, 384, 256, 128))
        client.generate(
            PROMPT,
            adapters=[play.wardrobe.name(rng) + rng.choice(CONTROLS)],
            num_inference_steps=rng.choice((1, 50)),
            width=side,
            height=side,
            timeout_seconds=rng.uniform(0.1, 1.0),
        )

    with Client(play.address, actor=f"abandon-{number}") as client:
        while not play.stop.is_set():
            play.attempt("abandoning", lambda: act(client))
            play.stop.wait(rng.uniform(0.5, 2.0))


def author(play: Play, _number: int) -> None:
    """Publish, promote and roll back."""
    rng = random.Random("author")
    with Client(play.address, actor="author") as client:
        while not play.stop.is_set():
            if rng.random() < 0.2:
                play.attempt("publishing", lambda: play.wardrobe.publish(client, rng))
            play.attempt("promoting and rolling back", lambda: _move(play, client, rng))
            play.stop.wait(rng.uniform(3.0, 8.0))


def holder(play: Play, _number: int) -> None:
    """Hold what can be held: silent uploads and health watches."""
    while not play.stop.is_set():
        with grpc.insecure_channel(play.address) as channel:
            publish = RegistryServiceStub(channel).Publish
            held = [publish.future(_Silence(play.stop)) for _ in range(4)]
            health = health_pb2_grpc.HealthStub(channel)
            watches = [health.Watch(health_pb2.HealthCheckRequest()) for _ in range(100)]
            play.of("holding").seconds.append(float(len(held) + len(watches)))
            play.stop.wait(20.0)
            for call in (*held, *watches):
                call.cancel()


def vanishing_readers(play: Play, count: int) -> None:
    """Run slow readers in a process, kill it -9, and start it again."""
    command = [sys.executable, "-m", "tests.soak.slow_readers", play.address, str(count)]
    while not play.stop.is_set():
        process = subprocess.Popen([*command, *play.wardrobe.names])
        play.stop.wait(15.0)
        process.kill()
        process.wait()
        play.of("readers killed").seconds.append(15.0)


def bad_weather(play: Play, _number: int) -> None:
    """Let the store fail for some seconds, in each way in turn."""
    rng = random.Random("weather")
    turn = 0
    while not play.stop.wait(rng.uniform(10.0, 20.0)):
        play.proxy.mode = MODES[turn % len(MODES)]
        turn += 1
        begun_at = time.monotonic()
        play.stop.wait(rng.uniform(1.0, 4.0))
        play.of(f"store: {play.proxy.mode}").seconds.append(time.monotonic() - begun_at)
        play.proxy.mode = "pass"


class _Silence:
    """A stream of messages that never come."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def __iter__(self) -> _Silence:
        return self

    def __next__(self) -> registry_pb.PublishRequest:
        self._stop.wait(20.0)
        raise StopIteration


def _move(play: Play, client: Client, rng: random.Random) -> None:
    name = play.wardrobe.promote(client, rng)
    play.stop.wait(rng.uniform(0.1, 1.0))
    play.wardrobe.roll_back(client, name)


def _draw(play: Play, client: Client, rng: random.Random) -> None:
    seed, said = rng.choice(SEEDS), rng.choice(("", APART))
    result = client.generate(
        PROMPT,
        adapters=[play.wardrobe.name(rng) + said],
        seed=seed,
        num_inference_steps=STEPS,
        guidance_scale=5.0,
        sampler="ddim",
        width=SIZE,
        height=SIZE,
        timeout_seconds=PATIENCE_SECONDS,
    )
    pixels = np.asarray(result.images[0].pil.convert("RGB"))
    digest = result.images[0].provenance["stack"][0]["digest"]
    if (difference := play.wardrobe.difference(digest, seed=seed, said=said, pixels=pixels)) > 1:
        play.of("light").wrong.append(f"{digest}{said} seed {seed}: off by {difference}")
