# SPDX-License-Identifier: Apache-2.0
"""A canary on the demo base: a bad release is taken back, however often its server is killed."""

import itertools
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from tabard import Canary, Client
from tabard_registry import AdapterName, Author, Digest, Registry
from tabard_registry.acts import CanaryName, observe
from tabard_registry.evidence.grid import Grid, GridPrompt
from tabard_server.engine.base.place import DEMO_BASE
from tests.e2e.conftest import DEMO_ADAPTERS, RunningServer, run_server
from tests.registry.canary_acts import pair

LINE = "acme/watercolor"
SHAPES = ("circle", "square", "triangle", "star", "heart", "cross")
COLOURS = ("red", "blue", "green", "yellow", "purple", "orange")
GROUNDS = ("white", "black", "gray", "brown")
DEMO_FILES = {
    version: DEMO_ADAPTERS / f"watercolor-{version}.safetensors" for version in ("1.0.0", "1.1.0")
}
DRAWING = {"num_inference_steps": 8, "width": 64, "height": 64, "guidance_scale": 4.0}
PHASES: dict[str, Callable[[Canary], bool]] = {
    "before anything was judged": lambda canary: True,
    "while pairs are judged": lambda canary: canary.units >= 4,
    "shortly before the verdict": lambda canary: canary.units >= 8,
}


def prompts() -> Iterator[str]:
    """What callers ask for: no prompt twice."""
    for colour, shape, ground in itertools.product(COLOURS, SHAPES, GROUNDS):
        yield f"a large {colour} {shape} on a {ground} background, watercolor style"


def grid() -> Grid:
    """What pictures are scored by: prompts that the demo base knows."""
    pairs = list(zip(COLOURS, SHAPES, strict=True))
    texts = [f"a {colour} {shape}, {{trigger}}" for colour, shape in pairs]
    texts += [f"a small {shape} in {colour}, {{trigger}}" for colour, shape in pairs]
    return Grid(
        name="style",
        purpose="style",
        prompts=tuple(GridPrompt(text=text) for text in texts),
        seeds=(11,),
        steps=8,
        width=64,
        height=64,
        guidance_scale=4.0,
        sampler="ddim",
    )


@contextmanager
def serving(
    folder: Path, *, module: str = "tabard_server", base: Path = DEMO_BASE
) -> Iterator[tuple[RunningServer, Client]]:
    """A server on the same registry and cache, whenever it is run."""
    cache = str(folder / "cache")
    with (
        run_server(folder, base=base, module=module, is_forked=True, cache=cache) as server,
        Client(server.address) as client,
    ):
        yield server, client


def draw_until(
    client: Client, asked: Iterator[str], *, reached: Callable[[Canary], bool]
) -> Canary:
    """Draw through the channel until the canary is as wanted; whoever draws sees no more of it."""
    for prompt in asked:
        client.generate(prompt, adapters=LINE, **DRAWING)
        canary = client.canary(f"{LINE}@1.1.0")
        if reached(canary) or not canary.is_open:
            return canary
    raise AssertionError(f"the prompts are spent: {canary}")


def promote_both(client: Client, files: Mapping[str, Path] = DEMO_FILES) -> None:
    """Publish a good release and a bad one, which is in service."""
    for version, file in files.items():
        words = ["watercolor style"]
        client.publish(LINE, file, version=version, purpose="style", trigger_words=words)
        client.promote(f"{LINE}@{version}")


def test_verdict_that_was_not_written_is_written_once(
    tmp_path: Path, tiny_base: Path, tiny_files: Mapping[str, Path]
) -> None:
    """A server is killed between the two; of the next ones, which are two, one record says it."""
    # Pictures by which scores are set are drawn in no time; what they show is nothing.
    serving_tiny = partial(serving, tmp_path, base=tiny_base)
    files = {"1.0.0": tiny_files["style0"], "1.1.0": tiny_files["style1"]}
    losses = [pair(f"prompt {number}", -1.0) for number in range(20)]
    with serving_tiny(module="tests.e2e.health.killed_before_end") as (server, client):
        promote_both(client, files)
        started = client.start_canary(f"{LINE}@1.1.0", reason="tried all the same")
        with closing(Registry.open((tmp_path / "registry").as_uri())) as registry:
            candidate = Digest.parse(started.candidate_digest)
            name = CanaryName(adapter=AdapterName.parse(LINE), candidate=candidate)
            registry.commit(observe(name, observations=losses), author=Author(actor="server"))
            killed = server.process.wait(timeout=300)
            unsaid = name.find(registry.catch_up())[1]

    with serving_tiny() as (_one, client), serving_tiny() as (_other, other):
        ended = await_end(client, other)
        acts = [act for one in client.history(LINE) for act in one.actions]

    ends = [act for act in acts if act.type == "canary" and act.version == "1.0.0"]
    assert (killed, unsaid.verdict, len(unsaid.seen)) == (-signal.SIGKILL, "", 20)
    # What came after the eleventh changed nothing any more.
    assert {(one.verdict, one.units, one.losses) for one in ended} == {("rolled_back", 11, 11)}
    assert [act.previous_digest for act in ends] == [started.candidate_digest]


def await_end(*clients: Client) -> list[Canary]:
    """Wait until every server says that the canary has ended."""
    for _attempt in range(600):
        found = [client.canary(f"{LINE}@1.1.0") for client in clients]
        if not any(one.is_open for one in found):
            return found
        time.sleep(0.2)
    raise AssertionError(f"it is open: {found}")


@pytest.mark.soak
def test_killed_canary_goes_on(tmp_path: Path) -> None:
    """It is killed in each phase: every prompt counts once, one record ends it and moves back."""
    asked = prompts()
    with serving(tmp_path) as (_server, client):
        promote_both(client)
        registry = Registry.open((tmp_path / "registry").as_uri())
        registry.evidence.put_grid(grid(), place="acme", author=Author(actor="ann"))
        client.start_canary(f"{LINE}@1.1.0", reason="tried all the same")

    units = 0
    for reached in PHASES.values():
        with serving(tmp_path) as (server, client):
            canary = draw_until(client, asked, reached=reached)
            server.process.kill()
            server.process.wait()
        assert canary.units >= units, "what was judged stays judged"
        units = canary.units

    with serving(tmp_path) as (_server, client):
        ended = draw_until(client, asked, reached=lambda canary: not canary.is_open)
        stable = client.resolve(LINE).version
        acts = [act for one in client.history(LINE) for act in one.actions]

    ends = [act for act in acts if act.type == "canary" and act.version == "1.0.0"]
    drawn = sum(1 for _ in prompts()) - sum(1 for _ in asked)
    assert (ended.verdict, stable) == ("rolled_back", "1.0.0")
    assert ended.e_value >= ended.e_value_bound
    assert ended.units <= drawn
    assert len(ended.worst) == 5
    assert [act.previous_digest for act in ends] == [ended.candidate_digest]
