# SPDX-License-Identifier: Apache-2.0
"""The verb that lays two releases side by side: diff."""

from __future__ import annotations

from tabard.calls.call import Call, Caller
from tabard.comparison import Diff, FieldDiff, LayerDiff, LayerSide
from tabard.convert import read_release, same_fields
from tabard.v1 import registry_service_pb2 as pb


def diff(caller: Caller, ref: str, other_ref: str) -> Call[Diff]:
    """Compare two releases: layers, ranks, how long their changes are, and what they say.

    Raises:
        NotFound: No such release.
        FailedPrecondition: One was purged.
    """
    del caller
    return Call(request=pb.DiffRequest(ref=ref, other_ref=other_ref), read=read_diff)


def read_diff(message: pb.DiffResponse) -> Diff:
    """Give the value of two releases side by side."""
    return Diff(
        release=read_release(message.release),
        other_release=read_release(message.other_release),
        layers=tuple(map(_read_layer, message.layers)),
        fields=tuple(same_fields(FieldDiff, one) for one in message.fields),
    )


def _read_layer(message: pb.LayerDiff) -> LayerDiff:
    sides = {name: _read_side(message, name) for name in ("left", "right")}
    distance = message.distance if message.HasField("distance") else None
    return same_fields(LayerDiff, message, distance=distance, **sides)


def _read_side(message: pb.LayerDiff, name: str) -> LayerSide | None:
    if not message.HasField(name):
        return None
    side = getattr(message, name)
    return same_fields(LayerSide, side, norm=side.norm if side.HasField("norm") else None)
