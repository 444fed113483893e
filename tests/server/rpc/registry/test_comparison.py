# SPDX-License-Identifier: Apache-2.0
"""What is not known of a layer is absent, and no zero."""

from tabard.v1 import adapter_pb2
from tabard_registry.content.comparison import Comparison, LayerPair, Side
from tabard_server.rpc.registry.comparison import write_comparison


def test_unknown_figures_are_absent() -> None:
    """A side that is not there, a norm and a distance that nobody knows."""
    side = Side(method="OFT", rank=0, norm=None)
    pair = LayerPair(component="unet", name="a", left=side, right=None)
    found = Comparison(layers=(pair,), fields={"notes": ("soft", "")})

    message = write_comparison(adapter_pb2.Release(), adapter_pb2.Release(), found)

    [layer] = message.layers
    assert (layer.HasField("left"), layer.HasField("right")) == (True, False)
    assert (layer.left.HasField("norm"), layer.HasField("distance")) == (False, False)
    assert (message.fields[0].name, message.fields[0].left) == ("notes", "soft")
