# SPDX-License-Identifier: Apache-2.0
"""A server of the demo base on this device: styles published, mixed, rolled back, pictures drawn.

In: sizes. Out, told as it comes: where the server ran, and what was drawn.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from tabard import Client
from tabard.cli.demo.catalog import find_material, read_catalog
from tabard.cli.demo.server_process import TABARD_SERVE, running_server
from tests.bench.served import publish_first
from tests.gpu.measure.sizes import Sizes
from tests.gpu.parts import Tell

PICTURES = 8
_LEVELS_MIN = 16
"""Different values of a channel that a picture has at least: a broken one is of one colour."""


def serve_demo(sizes: Sizes, tell: Tell) -> None:
    """Draw pictures of two styles at once, then the same again, then after a rollback.

    Raises:
        AssertionError: The server is on another device, or a picture is not what it should be.
    """
    catalog = read_catalog(find_material() / "adapters")
    styles = (catalog.style, catalog.partner)
    command = (*TABARD_SERVE, "--set", f"device={sizes.device}")
    with (
        TemporaryDirectory(prefix="tabard-gpu-") as folder,
        running_server(Path(folder), command=command) as address,
        Client(address, actor="gpu-check") as client,
    ):
        device = client.status().device
        tell({"server_device": device})
        assert device.startswith(sizes.device), device
        publish_first(client, catalog)

        def draw(number: int, *, is_deterministic: bool = False) -> bytes:
            style = styles[number % len(styles)]
            result = client.generate(
                style.prompt,
                adapters=[style.adapter],
                seed=number,
                num_inference_steps=sizes.steps,
                deterministic=is_deterministic,
            )
            image = result.images[0]
            low, high = image.pil.convert("L").getextrema()
            assert high - low >= _LEVELS_MIN, f"picture {number} is of one colour"
            return image.content

        with ThreadPoolExecutor(PICTURES) as callers:
            drawn = list(callers.map(draw, range(PICTURES)))
        assert len(set(drawn)) == PICTURES
        alike = [draw(1, is_deterministic=True) for _ in range(2)]
        tell({"pictures": len(drawn), "same_again": alike[0] == alike[1]})
        assert alike[0] == alike[1], "a deterministic picture differs when it is drawn again"
        tell({"told": f"{PICTURES} pictures of two styles at once; one again, with equal bytes"})
