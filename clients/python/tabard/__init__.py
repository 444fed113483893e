# SPDX-License-Identifier: Apache-2.0
"""Tabard's SDK: publish styles like releases, wear them per request, roll them back at once.

`Client` and `AsyncClient` are the doors; everything they give back and raise is exported here, and
imported when it is asked for: the command line, which begins here too, shows help without gRPC.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tabard.access.identity import (
        CreatedToken,
        Gate,
        Identity,
        Policy,
        PolicyChange,
        Token,
        TokenChange,
    )
    from tabard.aio import AsyncClient
    from tabard.calls.options import GenerateOptions
    from tabard.calls.uploads import UploadProgress
    from tabard.client import Client
    from tabard.enums import (
        Decision,
        EvidenceKind,
        FileFormat,
        ImageFormat,
        ImageLabel,
        Kind,
        PairSide,
        Priority,
        PromptSyntax,
        Purpose,
        Sampler,
        Schedule,
        TimestepSpacing,
        TokenMatch,
        VoteChoice,
    )
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
    from tabard.health.canary import Canary, CanaryPair, CanaryStream, ImageReport
    from tabard.health.compared import (
        ComparedImage,
        ComparisonCell,
        ComparisonPlan,
        ComparisonSide,
    )
    from tabard.health.comparison import AsyncComparison, Comparison
    from tabard.health.evaluation import (
        AsyncEvaluation,
        Evaluation,
        EvaluationCell,
        EvaluationEvent,
        EvaluationPicture,
        EvaluationProgress,
        EvaluationResult,
        EvaluationScores,
        EvaluationStarted,
        EvaluationVerdict,
        Score,
    )
    from tabard.health.evidence import (
        EvidenceDocument,
        EvidenceEdit,
        EvidenceNote,
        Grid,
        GridChange,
        GridDocument,
        Lookup,
        PictureMatch,
        PublishedReferences,
        ReviewFiling,
    )
    from tabard.health.review import (
        BlindPair,
        MissingForGate,
        PolicyExplanation,
        Review,
        Reviewed,
        Reviews,
        StoredVote,
    )
    from tabard.history import Action, History, Record, ServedAt, Serving
    from tabard.jobs.handles import AsyncJob, Job
    from tabard.jobs.replay import Replay, ReplayDifference
    from tabard.jobs.status import JobEvent, JobImage, JobState, JobStatus, JobWebhook
    from tabard.operations import (
        Cause,
        Compiled,
        ContentCredentials,
        Drained,
        MemoryPlan,
        Replica,
        Replicas,
        Resident,
        SafetyCheck,
        SafetyLabel,
        SamplerOptions,
        ScheduleNames,
        ServerStatus,
        TenantLoad,
        Verification,
        VerifiedComponent,
    )
    from tabard.pictures.difference import PixelDifference
    from tabard.pictures.region import Region
    from tabard.pictures.sources import PictureSource
    from tabard.releases.acts import ChannelMove, PublishedRecipe, ReleaseChange
    from tabard.releases.comparison import Diff, FieldDiff, LayerDiff, LayerSide
    from tabard.releases.findings import Dependents, Manifest, SearchHit
    from tabard.releases.pulled import Pulled, PulledFile
    from tabard.releases.release import Adapter, Channel, Member, Release, ReleaseSignature
    from tabard.releases.report import CheckReport, Coverage, Problem, Published
    from tabard.releases.wear import Wear
    from tabard.result import (
        Accepted,
        Done,
        GeneratedImage,
        GenerateEvent,
        GenerateResult,
        Preview,
        Progress,
        SamplingWarning,
        WornRecipe,
        WornRelease,
    )

__version__ = "0.1.0.dev0"

__all__ = [
    "Aborted",
    "Accepted",
    "Action",
    "Adapter",
    "AlreadyExists",
    "AsyncClient",
    "AsyncComparison",
    "AsyncEvaluation",
    "AsyncJob",
    "BlindPair",
    "Canary",
    "CanaryPair",
    "CanaryStream",
    "Cancelled",
    "Cause",
    "Channel",
    "ChannelMove",
    "CheckReport",
    "Client",
    "ComparedImage",
    "Comparison",
    "ComparisonCell",
    "ComparisonPlan",
    "ComparisonSide",
    "Compiled",
    "ContentCredentials",
    "Coverage",
    "CreatedToken",
    "DeadlineExceeded",
    "Decision",
    "Dependents",
    "Diff",
    "Done",
    "Drained",
    "Evaluation",
    "EvaluationCell",
    "EvaluationEvent",
    "EvaluationPicture",
    "EvaluationProgress",
    "EvaluationResult",
    "EvaluationScores",
    "EvaluationStarted",
    "EvaluationVerdict",
    "EvidenceDocument",
    "EvidenceEdit",
    "EvidenceKind",
    "EvidenceNote",
    "FailedPrecondition",
    "FieldDiff",
    "FieldViolation",
    "FileFormat",
    "Gate",
    "GenerateEvent",
    "GenerateOptions",
    "GenerateResult",
    "GeneratedImage",
    "Grid",
    "GridChange",
    "GridDocument",
    "History",
    "Identity",
    "ImageFormat",
    "ImageLabel",
    "ImageReport",
    "Internal",
    "InvalidArgument",
    "Job",
    "JobEvent",
    "JobImage",
    "JobState",
    "JobStatus",
    "JobWebhook",
    "Kind",
    "LayerDiff",
    "LayerSide",
    "Lookup",
    "Manifest",
    "Member",
    "MemoryPlan",
    "MissingForGate",
    "NotFound",
    "PairSide",
    "PermissionDenied",
    "PictureMatch",
    "PictureSource",
    "PixelDifference",
    "Policy",
    "PolicyChange",
    "PolicyExplanation",
    "Preview",
    "Priority",
    "Problem",
    "Progress",
    "PromptSyntax",
    "Published",
    "PublishedRecipe",
    "PublishedReferences",
    "Pulled",
    "PulledFile",
    "Purpose",
    "Record",
    "Region",
    "Release",
    "ReleaseChange",
    "ReleaseSignature",
    "Replay",
    "ReplayDifference",
    "Replica",
    "Replicas",
    "Resident",
    "ResourceExhausted",
    "Review",
    "ReviewFiling",
    "Reviewed",
    "Reviews",
    "SafetyCheck",
    "SafetyLabel",
    "Sampler",
    "SamplerOptions",
    "SamplingWarning",
    "Schedule",
    "ScheduleNames",
    "Score",
    "SearchHit",
    "ServedAt",
    "ServerStatus",
    "Serving",
    "StoredVote",
    "TabardError",
    "TenantLoad",
    "TimestepSpacing",
    "Token",
    "TokenChange",
    "TokenMatch",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "UploadProgress",
    "Verification",
    "VerifiedComponent",
    "VoteChoice",
    "Wear",
    "WornRecipe",
    "WornRelease",
]

_MODULES = (
    "errors",
    "enums",
    "access.identity",
    "releases.release",
    "releases.acts",
    "releases.report",
    "releases.findings",
    "releases.pulled",
    "releases.comparison",
    "health.canary",
    "health.compared",
    "health.evaluation",
    "health.evidence",
    "health.review",
    "history",
    "operations",
    "result",
    "releases.wear",
    "pictures.difference",
    "pictures.region",
    "jobs.replay",
    "jobs.status",
    "jobs.handles",
    "health.comparison",
    "calls.uploads",
    "calls.options",
    "client",
    "aio",
)
"""Where the public names are, those that import little before those that import much."""


def __dir__() -> list[str]:
    """List what is imported when it is asked for, so that editors and notebooks complete it."""
    return sorted({*globals(), *__all__})


if not TYPE_CHECKING:  # a name that is not there is an error for type checkers, too

    def __getattr__(name: str) -> Any:
        if name in __all__:
            for module in (import_module(f"tabard.{one}") for one in _MODULES):
                if hasattr(module, name):
                    return getattr(module, name)
        raise AttributeError(f"module 'tabard' has no attribute {name!r}")
