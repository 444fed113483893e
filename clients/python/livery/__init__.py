# SPDX-License-Identifier: Apache-2.0
"""Livery's SDK: publish styles like releases, wear them per request, roll them back at once.

`Client` and `AsyncClient` are the doors; everything they give back and raise is exported here.
"""

from livery.aio import AsyncClient
from livery.calls.options import GenerateOptions
from livery.calls.pictures import PictureSource
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
from livery.history import Action, Record, ServedAt, Serving
from livery.operations import Drained, MemoryPlan, Resident, ServerStatus
from livery.releases import (
    Adapter,
    Channel,
    ChannelMove,
    CheckReport,
    Coverage,
    Manifest,
    Member,
    Problem,
    Published,
    PublishedRecipe,
    Pulled,
    PulledFile,
    Release,
    ReleaseSignature,
    SearchHit,
)
from livery.result import (
    Accepted,
    Done,
    GeneratedImage,
    GenerateEvent,
    GenerateResult,
    Preview,
    Progress,
    WornRecipe,
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
    "Coverage",
    "DeadlineExceeded",
    "Done",
    "Drained",
    "FailedPrecondition",
    "FieldViolation",
    "GenerateEvent",
    "GenerateOptions",
    "GenerateResult",
    "GeneratedImage",
    "Internal",
    "InvalidArgument",
    "LiveryError",
    "Manifest",
    "Member",
    "MemoryPlan",
    "NotFound",
    "PermissionDenied",
    "PictureSource",
    "Preview",
    "Problem",
    "Progress",
    "Published",
    "PublishedRecipe",
    "Pulled",
    "PulledFile",
    "Record",
    "Release",
    "ReleaseSignature",
    "Resident",
    "ResourceExhausted",
    "SearchHit",
    "ServedAt",
    "ServerStatus",
    "Serving",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "UploadProgress",
    "WornRecipe",
    "WornRelease",
]
