# SPDX-License-Identifier: Apache-2.0
"""Two releases side by side, as a message."""

from tabard.v1 import adapter_pb2
from tabard.v1 import registry_service_pb2 as pb
from tabard_registry.content.comparison import Comparison, Side


def write_comparison(
    left: adapter_pb2.Release, right: adapter_pb2.Release, found: Comparison
) -> pb.DiffResponse:
    """Write what is different between two releases."""
    return pb.DiffResponse(
        release=left,
        other_release=right,
        layers=[
            pb.LayerDiff(
                component=one.component,
                name=one.name,
                left=_side(one.left),
                right=_side(one.right),
                distance=one.distance,
            )
            for one in found.layers
        ],
        fields=[
            pb.FieldDiff(name=name, left=texts[0], right=texts[1])
            for name, texts in found.fields.items()
        ],
    )


def _side(side: Side | None) -> pb.LayerSide | None:
    if side is None:
        return None
    return pb.LayerSide(method=side.method, rank=side.rank, norm=side.norm)
