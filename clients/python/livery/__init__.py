# SPDX-License-Identifier: Apache-2.0
"""Livery's SDK: publish styles like releases, wear them per request, roll them back at once.

`Client` and `AsyncClient` are the doors; everything they give back and raise is exported here.
"""

from livery.aio import AsyncClient
from livery.calls.uploads import UploadProgress
from livery.client import Client
from livery.errors import (
    Aborted,
    AlreadyExists,
    Cancelled,
    DeadlineExceeded,
    FailedPrecondition,
    FieldViolation,
    Internal,
    InvalidArgument,
    LiveryError,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
)
from livery.operations import Drained, Resident, ServerStatus
from livery.releases import (
    Action,
    Adapter,
    Channel,
    ChannelMove,
    CheckReport,
    Problem,
    Published,
    Record,
    Release,
)
from livery.result import (
    Accepted,
    Done,
    GeneratedImage,
    GenerateEvent,
    GenerateResult,
    Preview,
    Progress,
    WornRelease,
)

__version__ = "0.1.0"

__all__ = [
    "Aborted",
    "Accepted",
    "Action",
    "Adapter",
    "AlreadyExists",
    "AsyncClient",
    "Cancelled",
    "Channel",
    "ChannelMove",
    "CheckReport",
    "Client",
    "DeadlineExceeded",
    "Done",
    "Drained",
    "FailedPrecondition",
    "FieldViolation",
    "GenerateEvent",
    "GenerateResult",
    "GeneratedImage",
    "Internal",
    "InvalidArgument",
    "LiveryError",
    "NotFound",
    "PermissionDenied",
    "Preview",
    "Problem",
    "Progress",
    "Published",
    "Record",
    "Release",
    "Resident",
    "ResourceExhausted",
    "ServerStatus",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "UploadProgress",
    "WornRelease",
]
