# SPDX-License-Identifier: Apache-2.0
"""Puts the services of release health together for one server. In: its rooms. Out: servicers."""

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import TypedDict

from tabard_registry import Registry, State
from tabard_registry.evidence.grid import Grid
from tabard_server.canary.canaries import Canaries
from tabard_server.canary.served import ServedImages
from tabard_server.detached.assembly import detached_for
from tabard_server.detached.detached import Detached
from tabard_server.detached.drawing import Walk, Words
from tabard_server.evaluation.evaluation import Evaluation
from tabard_server.evaluation.looks import Encoders
from tabard_server.followers.others import Others
from tabard_server.jobs.job import Event, ImageReady, Job, JobSpec
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
from tabard_server.rpc.generation.messages import read_again, write_accepted
from tabard_server.rpc.pages import Pages
from tabard_server.rpc.review.assembly import review_service_for
from tabard_server.rpc.review.service import ReviewServicer
from tabard_server.settings import Settings
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
    others: Others,
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
            others=others,
            questions=questions,
        ),
    )


def jobs_for(
    settings: Settings,
    *,
    address: str,
    generate: Callable[[JobSpec], AsyncGenerator[Event, None]],
    on_image: Callable[[Job, ImageReady], None],
    stop_where: Callable[..., int],
    rows_before: Callable[[str], int],
    state: Callable[[], State],
) -> Detached:
    """Return what keeps detached jobs, as this door writes them.

    Args:
        settings: Those of the server.
        address: Where it listens.
        generate: The walk of a request, past the canaries.
        on_image: Told of each image that is kept.
        stop_where: Ends running jobs.
        rows_before: Images that wait before a job.
        state: The newest snapshot of the registry.
    """
    return detached_for(
        settings,
        address=address,
        walk=Walk(
            generate=generate,
            stop_where=stop_where,
            rows_before=rows_before,
            on_image=on_image,
        ),
        words=Words(write_accepted=write_accepted, read_request=read_again),
        state=state,
    )
