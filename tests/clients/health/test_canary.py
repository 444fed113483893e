# SPDX-License-Identifier: Apache-2.0
"""The values of canaries hold all that a server says of them."""

from __future__ import annotations

import dataclasses

from tabard.health.canary import Canary, CanaryPair, CanaryStream, ImageReport
from tabard.v1 import canary_service_pb2 as pb


def test_values_have_the_fields_of_their_messages() -> None:
    """But that times are called as everywhere in the SDK."""
    renamed = {"start_time": "started_at", "judge_time": "judged_at"}
    for value, message in (
        (Canary, pb.Canary),
        (CanaryPair, pb.CanaryPair),
        (CanaryStream, pb.CanaryStream),
        (ImageReport, pb.ReportImageResponse),
    ):
        names = {renamed.get(one.name, one.name) for one in message.DESCRIPTOR.fields}
        assert {one.name for one in dataclasses.fields(value)} == names
