# SPDX-License-Identifier: Apache-2.0
"""What was published is there after the server died, to the byte."""

from collections.abc import Mapping
from pathlib import Path

from tabard import Client
from tests.e2e.conftest import run_server


def test_killed_server_loses_nothing(
    tmp_path: Path, tiny_base: Path, tiny_files: Mapping[str, Path]
) -> None:
    """A server killed without warning comes back with releases, channels and the same images."""
    options = {"seed": 3, "num_inference_steps": 3, "width": 32, "height": 32}
    with run_server(tmp_path, base=tiny_base) as server:
        with Client(server.address) as client:
            client.publish("acme/style", tiny_files["style0"], version="1.0.0")
            client.publish("acme/style", tiny_files["style1"], version="1.1.0")
            client.promote("acme/style@1.0.0", channel="stable")
            client.promote("acme/style@1.1.0", channel="stable")
            before = client.generate(
                "a red circle", adapters=["acme/style"], deterministic=True, **options
            )
        server.process.kill()
        server.process.wait()

    with (
        run_server(tmp_path, base=tiny_base, is_forked=True) as server,
        Client(server.address) as client,
    ):
        after = client.generate(
            "a red circle", adapters=["acme/style"], deterministic=True, **options
        )
        move = client.rollback("acme/style", reason="the bad one was live")

    assert after.images[0].content == before.images[0].content
    assert after.worn[0].version == "1.1.0"
    assert move.version == "1.0.0"
