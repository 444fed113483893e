# SPDX-License-Identifier: Apache-2.0
"""A line of releases whose pictures differ as those of real styles do, and canaries of them."""

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from tabard_registry import AdapterName, AdapterRef, Author
from tabard_registry.acts.canaries import CanaryStep, start_canary
from tabard_registry.release.canary import Canary
from tabard_registry.release.gates import Gate
from tabard_server.engine_port.drawing import Pixels
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.judgement.canary.policy import CanaryPolicy
from tests.server import fakes
from tests.server.harness import Server

LINE = AdapterName.parse("acme/ink")
GOOD, LOST, BROKEN, EQUAL = "1.0.0", "1.1.0", "1.2.0", "1.3.0"
"""A style; successors that draw as the base does, in plain grey, and as well as the style."""
_COLOURS = {GOOD: (200, 40, 60), EQUAL: (198, 42, 62)}


async def prepare(server: Server, *, stable: str = GOOD, **draft: Any) -> None:
    """Publish the line, with a release in service."""
    for version in (GOOD, LOST, BROKEN, EQUAL):
        await server.publish(str(LINE), version, purpose="PURPOSE_STYLE", **draft)
    await server.promote(f"{LINE}@{GOOD}")
    if stable != GOOD:
        await server.promote(f"{LINE}@{stable}")


def paint(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the fake engine draw every release its own way."""
    line = server.app.registry.state.adapter(LINE)
    versions = {str(digest): str(one.version) for digest, one in line.by_digest.items()}

    def draw(spec: RowSpec) -> Pixels:
        worn = [versions.get(adapter.digest, "") for adapter, _weight in spec.stack]
        return _picture(spec, version=worn[0] if worn else "")

    monkeypatch.setattr(fakes, "draw", draw)


def _picture(spec: RowSpec, *, version: str) -> Pixels:
    """Return blocks that the prompt and the seed place, in the colours of a release."""
    height, width = spec.drawing.height, spec.drawing.width
    if version == BROKEN:
        return np.full((height, width, 3), 128, dtype=np.uint8)
    rng = np.random.default_rng([spec.seed, *spec.drawing.prompt.encode()])
    blocks = rng.integers(0, 256, size=(8, 8, 3)).repeat(height // 8, 0).repeat(width // 8, 1)
    if colour := _COLOURS.get(version):
        blocks = blocks * 0.6 + np.array(colour) * 0.4
    return blocks.astype(np.uint8)


def start(server: Server, ref: str, **terms: Any) -> CanaryStep:
    """Start a canary, as one of the servers of a registry would."""
    policy = asdict(CanaryPolicy(**terms.pop("policy", {})))
    act = start_canary(AdapterRef.parse(ref), channel="stable", policy=policy, salt="x", **terms)
    return server.app.registry.commit(act, author=Author(actor="tester"))


def promote_by_itself(server: Server) -> None:
    """Let the policy say that a success moves the channel."""
    gates = {"stable": Gate(promote_on_success=True)}
    namespace = AdapterRef.parse(str(LINE)).adapter.namespace
    server.app.registry.set_policy(namespace, channels=gates, author=Author(actor="tester"))


def canary_of(server: Server) -> Canary:
    """Return the newest canary of the line."""
    return server.app.registry.state.adapter(LINE).canaries[-1]


async def let_callers_draw(server: Server, *, prompts: int, begin: int = 0) -> list[Any]:
    """Draw so many different prompts through the channel; stop when the canary has ended."""
    told = []
    for number in range(begin, begin + prompts):
        if not canary_of(server).is_open:
            break
        told.append(await server.generate(f"a star {number}", adapters=[str(LINE)], seed=number))
    return told
