# SPDX-License-Identifier: Apache-2.0
"""Skip-layer guidance on the command line."""

from pathlib import Path

from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer


def test_layers_and_numbers_are_sent(tabard: Tabard, server: FakeServer, tmp_path: Path) -> None:
    """Layers as a list, the rest as numbers; what is left out is not said."""
    options = ["--skip-layers", "7,8,9", "--skip-layer-scale", 1.5, "--skip-layer-stop", 0.3]

    ran = tabard("generate", "x", *options, "--out", tmp_path)

    request = server.state.requests[-1]
    assert ran.code == 0
    assert list(request.skip_guidance_layers) == [7, 8, 9]
    assert (request.skip_layer_guidance_scale, request.skip_layer_guidance_stop) == (1.5, 0.3)
    assert not request.HasField("skip_layer_guidance_start")


def test_other_words_are_no_layers(tabard: Tabard, tmp_path: Path) -> None:
    """The message shows what layers look like."""
    ran = tabard("generate", "x", "--skip-layers", "seven", "--out", tmp_path)

    assert ran.code == 2
    assert "'seven' are not numbers of layers, like 7,8,9" in ran.err
