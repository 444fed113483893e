# SPDX-License-Identifier: Apache-2.0
"""Canary messages."""

import pytest

from tabard.v1 import canary_service_pb2 as pb
from tabard_registry.release.canary import CANARY_VERDICTS
from tabard_registry.release.health import CHECKS
from tabard_server.errors import InvalidRequest
from tabard_server.rpc.canary.messages import read_image_key, read_label


def test_labels_are_the_failure_checks() -> None:
    """All six, in their order."""
    assert tuple(read_label(number) for number in range(1, 7)) == CHECKS
    with pytest.raises(InvalidRequest, match="what is wrong"):
        read_label(0)


def test_every_verdict_has_its_member() -> None:
    """What the log may say can be told."""
    names = pb.CanaryVerdict.DESCRIPTOR.values_by_name
    members = {name.removeprefix("CANARY_VERDICT_").lower() for name in names}

    assert members - {"unspecified"} == set(CANARY_VERDICTS)


def test_complaint_names_one_thing() -> None:
    """A digest or a job."""
    assert read_image_key(pb.ReportImageRequest(job_id="a")) == "a"
    assert read_image_key(pb.ReportImageRequest(image_digest="b")) == "b"
    with pytest.raises(InvalidRequest):
        read_image_key(pb.ReportImageRequest(image_digest="b", job_id="a"))
