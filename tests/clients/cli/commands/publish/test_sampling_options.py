# SPDX-License-Identifier: Apache-2.0
"""How a release wants to be sampled, from a file and from single words."""

from pathlib import Path

import pytest

from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer

TOML = """
samplers = ["lcm"]
spacing = "trailing"
[steps]
min = 1
max = 8
"""


@pytest.mark.parametrize(
    "text", [TOML, "[sampling]\n" + TOML.replace("[steps]", "[sampling.steps]")]
)
def test_file_and_words_are_sent(
    tabard: Tabard, server: FakeServer, tmp_path: Path, text: str
) -> None:
    """A word counts before the file, and leaves the rest of it."""
    file, table = tmp_path / "ink.safetensors", tmp_path / "sampling.toml"
    file.write_bytes(b"x" * 64)
    table.write_text(text)
    words = ["steps.recommended=4", "spacing=leading", "timesteps=999, 1", "clip_skip=1"]
    options = [part for word in words for part in ("--sample", word)]

    ran = tabard("publish", "acme/ink", file, "--version", "1.0.0", "--sampling", table, *options)

    assert ran.code == 0, ran.err
    said = next(one.sampling for one in server.state.requests if hasattr(one, "sampling"))
    assert (list(said.samplers), said.spacing, list(said.timesteps)) == (
        ["lcm"],
        "leading",
        [999, 1],
    )
    assert (said.steps.min, said.steps.max, said.steps.recommended) == (1, 8, 4)
    assert said.clip_skip == 1


@pytest.mark.parametrize(
    "word", ["steps=4", "spacing", "magic=1", "spacing.min=1", "steps.min=few", "timesteps=a"]
)
def test_words_that_are_none(tabard: Tabard, server: FakeServer, tmp_path: Path, word: str) -> None:
    """Are told before anything is sent."""
    file = tmp_path / "ink.safetensors"
    file.write_bytes(b"x" * 64)

    ran = tabard("publish", "acme/ink", file, "--version", "1.0.0", "--sample", word)

    assert (ran.code, server.state.requests) == (2, [])
    assert "--sample" in ran.err


@pytest.mark.parametrize("text", ["{", "= 1", "[]", "\ufffe"])
def test_file_that_is_no_table(
    tabard: Tabard, server: FakeServer, tmp_path: Path, text: str
) -> None:
    """Likewise."""
    file, table = tmp_path / "ink.safetensors", tmp_path / "sampling.json"
    file.write_bytes(b"x" * 64)
    table.write_bytes(text.encode("utf-16"))

    ran = tabard("publish", "acme/ink", file, "--version", "1.0.0", "--sampling", table)

    assert (ran.code, server.state.requests) == (2, [])
    assert "--sampling" in ran.err
