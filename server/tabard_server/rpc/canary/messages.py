# SPDX-License-Identifier: Apache-2.0
"""Between canary messages and what the log and this server say of canaries."""

from typing import Any

from tabard.v1 import canary_service_pb2 as pb
from tabard_registry.release.canary import CanaryFigures, Observation
from tabard_server.canary.canaries import Reported, Standing
from tabard_server.errors import invalid
from tabard_server.rpc.names import name_of
from tabard_server.rpc.times import write_time

_LABEL = pb.ImageLabel.DESCRIPTOR


def read_label(number: int) -> str:
    """Read what is wrong with a picture.

    Raises:
        InvalidRequest: Nothing is said, or something unknown.
    """
    name = name_of(_LABEL, number)
    if not number or name is None:
        raise invalid(
            "label",
            "nothing says what is wrong with the picture",
            reason="FIELD_REQUIRED",
            hint=f"say one of: {', '.join(name_of(_LABEL, n) or '' for n in range(1, 7))}",
        )
    return name


def read_image_key(request: pb.ReportImageRequest) -> str:
    """Read which picture is meant.

    Raises:
        InvalidRequest: None, or both a digest and a job.
    """
    if bool(request.image_digest) == bool(request.job_id):
        raise invalid(
            "image_digest",
            "a complaint names the digest of a picture, or its job",
            reason="FIELD_REQUIRED",
            hint="send one of both",
        )
    return request.image_digest or request.job_id


def write_reported(reported: Reported) -> pb.ReportImageResponse:
    """Write a complaint that was taken."""
    first = next(iter(reported.served.releases), None)
    return pb.ReportImageResponse(
        counted=reported.counted,
        adapter=str(first.adapter) if first else "",
        version=str(first.version) if first else "",
    )


def write_canary(standing: Standing) -> pb.Canary:
    """Write a canary as it stands."""
    canary, terms = standing.canary, standing.canary.terms
    judged = canary.judged
    return pb.Canary(
        adapter=str(standing.adapter),
        channel=canary.channel,
        candidate_version=str(standing.candidate.version),
        candidate_digest=str(terms.candidate),
        baseline_version=str(standing.baseline.version),
        baseline_digest=str(terms.baseline),
        is_promoted=canary.is_promoted,
        is_open=canary.is_open,
        share=1.0 if canary.is_promoted and canary.is_open else canary.share,
        shares=terms.shares,
        promote_on_success=standing.promotes,
        started_by=canary.started.actor,
        start_time=write_time(canary.started.time),
        seq=canary.started.seq,
        verdict=f"CANARY_VERDICT_{(canary.verdict or 'unspecified').upper()}",
        said=canary.said,
        judged_by=judged.actor if judged else "",
        judge_time=write_time(judged.time) if judged else None,
        judged_seq=judged.seq if judged else 0,
        e_value_bound=standing.e_value_bound,
        units_max=standing.units_max,
        **_figures(standing.figures),
    )


def _figures(figures: CanaryFigures) -> dict[str, Any]:
    return {
        "e_value": figures.e_value,
        "losses": figures.losses,
        "units": figures.units,
        "streams": [
            pb.CanaryStream(name=name, losses=losses, units=units, e_value=e_value)
            for name, (losses, units, e_value) in figures.streams.items()
        ],
        "worst": [_pair(one) for one in figures.worst],
    }


def _pair(one: Observation) -> pb.CanaryPair:
    return pb.CanaryPair(
        unit=one.unit,
        difference=one.difference,
        candidate_is_broken=one.candidate_is_broken,
        baseline_is_broken=one.baseline_is_broken,
    )
