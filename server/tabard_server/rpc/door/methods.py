# SPDX-License-Identifier: Apache-2.0
"""What every method is, as far as its caller's places go: one table, and a test proves it total."""

from collections.abc import Mapping

from tabard_server.callers.gate import Work

_JOBS = "/tabard.v1.JobService"
_EVIDENCE = "/tabard.v1.EvidenceService"
_REGISTRY = "/tabard.v1.RegistryService"
_OPERATIONS = "/tabard.v1.OperationsService"
_IDENTITY = "/tabard.v1.IdentityService"
_REVIEW = "/tabard.v1.ReviewService"
_CANARY = "/tabard.v1.CanaryService"
_HEALTH = "/grpc.health.v1.Health"

METHODS: Mapping[str, Work] = {
    "/tabard.v1.GenerationService/Generate": Work.DRAW,
    f"{_JOBS}/GetJob": Work.LOOK,
    f"{_JOBS}/WatchJob": Work.FOLLOW,
    f"{_JOBS}/ListJobs": Work.LOOK,
    f"{_JOBS}/CancelJob": Work.LOOK,
    f"{_JOBS}/RetryJob": Work.DRAW,
    f"{_JOBS}/GetJobImage": Work.READ,
    "/tabard.v1.EvaluationService/Evaluate": Work.EVALUATE,
    f"{_EVIDENCE}/ListEvidence": Work.LOOK,
    f"{_EVIDENCE}/GetEvidence": Work.READ,
    f"{_EVIDENCE}/GetPicture": Work.READ,
    f"{_EVIDENCE}/EditEvidence": Work.ACT,
    f"{_EVIDENCE}/FileReview": Work.ACT,
    f"{_CANARY}/StartCanary": Work.ACT,
    f"{_CANARY}/GetCanary": Work.READ,
    f"{_CANARY}/ListCanaries": Work.READ,
    f"{_CANARY}/StopCanary": Work.OPERATE,
    f"{_CANARY}/ReportImage": Work.ACT,
    f"{_EVIDENCE}/LookupPicture": Work.READ,
    f"{_EVIDENCE}/PublishReferences": Work.UPLOAD,
    f"{_EVIDENCE}/PutGrid": Work.ACT,
    f"{_EVIDENCE}/GetGrid": Work.READ,
    f"{_EVIDENCE}/ListGrids": Work.READ,
    f"{_OPERATIONS}/GetStatus": Work.OPERATE,
    f"{_OPERATIONS}/Verify": Work.LOOK,
    f"{_OPERATIONS}/ListReplicas": Work.READ,
    f"{_OPERATIONS}/Drain": Work.OPERATE,
    f"{_OPERATIONS}/Warm": Work.ACT,
    f"{_REGISTRY}/Rollback": Work.OPERATE,
    f"{_REGISTRY}/Yank": Work.OPERATE,
    f"{_REGISTRY}/Unyank": Work.OPERATE,
    f"{_REGISTRY}/Quarantine": Work.OPERATE,
    f"{_REGISTRY}/Lift": Work.OPERATE,
    f"{_REGISTRY}/Purge": Work.OPERATE,
    f"{_REGISTRY}/Promote": Work.ACT,
    f"{_REGISTRY}/PublishRecipe": Work.ACT,
    f"{_REGISTRY}/Sign": Work.ACT,
    f"{_REGISTRY}/Edit": Work.ACT,
    f"{_REGISTRY}/Publish": Work.UPLOAD,
    f"{_REGISTRY}/Check": Work.UPLOAD,
    f"{_REGISTRY}/Fetch": Work.DOWNLOAD,
    f"{_REGISTRY}/GetAdapter": Work.READ,
    f"{_REGISTRY}/ListAdapters": Work.READ,
    f"{_REGISTRY}/ListReleases": Work.READ,
    f"{_REGISTRY}/GetManifest": Work.READ,
    f"{_REGISTRY}/Diff": Work.READ,
    f"{_REGISTRY}/GetDependents": Work.OPERATE,
    f"{_REGISTRY}/Search": Work.READ,
    f"{_REGISTRY}/ServedAt": Work.READ,
    f"{_REGISTRY}/History": Work.READ,
    f"{_REGISTRY}/Resolve": Work.LOOK,
    f"{_REGISTRY}/Watch": Work.WATCH,
    f"{_IDENTITY}/WhoAmI": Work.LOOK,
    f"{_IDENTITY}/CreateToken": Work.ACT,
    f"{_IDENTITY}/ListTokens": Work.READ,
    f"{_IDENTITY}/RevokeToken": Work.OPERATE,
    f"{_IDENTITY}/GetPolicy": Work.LOOK,
    f"{_IDENTITY}/SetPolicy": Work.ACT,
    f"{_REVIEW}/ExplainPolicy": Work.READ,
    f"{_REVIEW}/Review": Work.ACT,
    f"{_REVIEW}/ListReviews": Work.READ,
    f"{_REVIEW}/NextPair": Work.READ,
    f"{_REVIEW}/GetPairPicture": Work.READ,
    f"{_REVIEW}/Vote": Work.ACT,
    f"{_HEALTH}/Check": Work.OPERATE,
    f"{_HEALTH}/List": Work.OPERATE,
    f"{_HEALTH}/Watch": Work.WATCH_HEALTH,
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": Work.DESCRIBE,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": Work.DESCRIBE,
}
"""The work of every method, by its path."""
