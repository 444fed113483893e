# SPDX-License-Identifier: Apache-2.0
"""Tabard's SDK: publish styles like releases, wear them per request, roll them back at once.

`Client` and `AsyncClient` are the doors; everything they give back and raise is exported here.
"""

from tabard.aio import AsyncClient
from tabard.calls.options import GenerateOptions
from tabard.calls.pictures import PictureSource
from tabard.calls.uploads import UploadProgress
from tabard.client import Client
from tabard.errors import (
    Aborted,
    AlreadyExists,
    Cancelled,
    DeadlineExceeded,
    FailedPrecondition,
    FieldViolation,
    Internal,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    TabardError,
    Unauthenticated,
    Unavailable,
    Unimplemented,
)
from tabard.history import Action, Record, ServedAt, Serving
from tabard.operations import Drained, MemoryPlan, Resident, ServerStatus
from tabard.releases import (
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
from tabard.result import (
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
    "TabardError",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "UploadProgress",
    "WornRecipe",
    "WornRelease",
]
