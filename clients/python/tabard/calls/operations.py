# SPDX-License-Identifier: Apache-2.0
"""The operator's verbs: status, verify, warm, drain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration

from tabard.calls.call import Call, Caller
from tabard.convert import read_drained, read_resident, read_status, read_verification
from tabard.errors import InvalidArgument
from tabard.v1 import operations_service_pb2 as pb

if TYPE_CHECKING:
    from tabard.operations import Drained, Resident, ServerStatus, Verification

DRAIN_GRACE_SECONDS = 30.0
VERIFY_SECONDS_MAX = 3_600.0


def status(caller: Caller) -> Call[ServerStatus]:
    """Give what the server is, and how busy."""
    del caller
    return Call(
        request=pb.GetStatusRequest(),
        read=read_status,
    )


def verify(caller: Caller) -> Call[Verification]:
    """Let the server hash the weights in its memory again: seconds, for a large base minutes.

    Raises:
        ResourceExhausted: It does so already.
    """
    del caller
    return Call(
        request=pb.VerifyRequest(),
        read=read_verification,
        timeout_seconds=VERIFY_SECONDS_MAX,
    )


def warm(caller: Caller, ref: str) -> Call[Resident]:
    """Bring a release into host memory ahead of its first request.

    Raises:
        NotFound: The ref names nothing.
    """
    del caller
    return Call(
        request=pb.WarmRequest(ref=ref),
        read=read_resident,
    )


def drain(caller: Caller, *, wait_seconds: float = 0.0) -> Call[Drained]:
    """Refuse new jobs and finish the running ones, waiting at most `wait_seconds` for them."""
    del caller
    return Call(
        request=pb.DrainRequest(wait=_duration(wait_seconds)),
        read=read_drained,
        timeout_seconds=wait_seconds + DRAIN_GRACE_SECONDS,
    )


def _duration(seconds: float) -> Duration:
    try:
        return Duration(seconds=int(seconds), nanos=int(seconds % 1 * 1e9))
    except (ValueError, OverflowError) as error:
        raise InvalidArgument(
            f"{seconds} is no number of seconds",
            reason="WAIT_OUT_OF_RANGE",
            hint="give seconds from 0 up",
        ) from error
