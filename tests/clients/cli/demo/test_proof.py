# SPDX-License-Identifier: Apache-2.0
"""The images prove what held: how a demo notices a lie."""

from pathlib import Path

import pytest

from tests.clients.cli.demo.performance import performed
from tests.clients.fakes.server import FakeServer


def test_broken_rollback_is_noticed(server: FakeServer, adapters: Path, tmp_path: Path) -> None:
    """A rollback that does not bring the old images back fails the demo."""
    server.state.is_rollback_broken = True

    proof, summary = performed(server, adapters, tmp_path / "out")

    assert not proof.rollback_identical
    assert summary["failures"] == ["the images after the rollback differ from those before"]


@pytest.mark.parametrize(
    ("file", "failure"),
    [
        ("watercolor-1.0.0", "the style draws what the base draws"),
        ("watercolor-1.1.0", None),
    ],
)
def test_style_without_effect_is_noticed(
    server: FakeServer, adapters: Path, tmp_path: Path, file: str, failure: str | None
) -> None:
    """A style that changes nothing fails the demo; a bad release like the base is still bad."""
    (adapters / f"{file}.safetensors").write_bytes(b"NO EFFECT " + file.encode())

    proof, _ = performed(server, adapters, tmp_path / "out")

    assert proof.failures == ((failure,) if failure else ())


def test_few_steps_that_are_not_declared_are_noticed(
    server: FakeServer, adapters: Path, tmp_path: Path
) -> None:
    """A server that does not hear what a release declares draws something else in silence."""
    server.state.is_deaf = True

    proof, _ = performed(server, adapters, tmp_path / "out")

    assert proof.failures == (
        "few steps were not taken as they are declared",
        "the wrong steps draw the same, or were not warned of",
    )


def test_harmless_bad_release_is_noticed(
    server: FakeServer, adapters: Path, tmp_path: Path
) -> None:
    """A bad release that looks like the good one proves nothing."""
    for version in ("1.0.0", "1.1.0"):
        path = adapters / f"watercolor-{version}.safetensors"
        path.write_bytes(b"NO EFFECT " + version.encode())

    proof, _ = performed(server, adapters, tmp_path / "out")

    assert "the bad release draws what the good one draws" in proof.failures
