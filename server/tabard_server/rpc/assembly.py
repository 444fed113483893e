# SPDX-License-Identifier: Apache-2.0
"""Puts the services of release health together for one server. In: its rooms. Out: servicers."""

from collections.abc import Mapping
from typing import TypedDict

from tabard_registry import Registry
from tabard_registry.evidence.grid import Grid
from tabard_server.canary.canaries import Canaries
from tabard_server.canary.served import ServedImages
from tabard_server.evaluation.evaluation import Evaluation
from tabard_server.evaluation.looks import Encoders
from tabard_server.judgement.canary.policy import CanaryPolicy
from tabard_server.limits import Limits
from tabard_server.publishing.policies import Policies
from tabard_server.publishing.publishing import Publishing
from tabard_server.publishing.questions import Questions
from tabard_server.reviewing.blindfold import Blindfold
from tabard_server.rpc.canary.service import CanaryServicer
from tabard_server.rpc.evaluation.service import EvaluationServicer
from tabard_server.rpc.evidence.assembly import evidence_service_for
from tabard_server.rpc.evidence.service import EvidenceServicer
from tabard_server.rpc.pages import Pages
from tabard_server.rpc.review.assembly import review_service_for
from tabard_server.rpc.review.service import ReviewServicer
from tabard_server.telemetry.metrics import Metrics
from tabard_server.threads import Threads


class HealthServices(TypedDict):
    """The servicers of release health, by the names that `RpcServer.serve` takes."""

    evaluation: EvaluationServicer
    evidence: EvidenceServicer
    review: ReviewServicer
    canary: CanaryServicer


def health_services_for(
    registry: Registry,
    *,
    limits: Limits,
    evaluation: Evaluation,
    grids: Mapping[str, Grid],
    encoders: Encoders,
    judging: Threads,
    policies: Policies,
    served: ServedImages,
    metrics: Metrics,
    publishing: Publishing,
    questions: Questions,
    pages: Pages,
) -> HealthServices:
    """Return what serves release health; one blindfold is between readers and voters."""
    blindfold = Blindfold(registry)
    return HealthServices(
        evaluation=EvaluationServicer(evaluation, blindfold=blindfold, questions=questions),
        evidence=evidence_service_for(
            registry,
            limits=limits,
            grids=grids,
            encoders=encoders,
            judging=judging,
            blindfold=blindfold,
            publishing=publishing,
            questions=questions,
            pages=pages,
        ),
        review=review_service_for(
            registry,
            limits=limits,
            policies=policies,
            blindfold=blindfold,
            publishing=publishing,
            questions=questions,
            pages=pages,
        ),
        canary=CanaryServicer(
            Canaries(
                registry,
                publishing=publishing,
                served=served,
                policy=CanaryPolicy(),
                metrics=metrics,
            ),
            questions=questions,
        ),
    )
