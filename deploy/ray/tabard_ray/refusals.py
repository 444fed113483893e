# SPDX-License-Identifier: Apache-2.0
"""What this application cannot run with, said before anything is started.

In: arguments, and the environment of Ray's processes. Out: what `serve` needs, or all that is wrong
with it, each with its reason. Knows neither Ray nor torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError

HAPROXY_MODE = "RAY_SERVE_ENABLE_HA_PROXY"
BALANCE = "RAY_SERVE_HAPROXY_BALANCE_ALGORITHM"
AFFINITY = "hdr(tabard-stack)"


class Refused(Exception):
    """The application is not started; the text says all of why."""


class Arguments(BaseModel):
    """What `serve.yaml` says under `args`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    settings: dict[str, Any] = Field(default_factory=dict)
    """Settings of the servers, by their dotted names; variables `TABARD_*` count as well."""
    gpus_per_replica: Annotated[float, Field(ge=0.0)] = 1.0
    """GPUs that Ray keeps for a replica: 1, or 0 with `device: cpu`."""
    replicas_min: PositiveInt = 1
    """Fewest replicas."""
    replicas_max: PositiveInt = 1
    """Most replicas."""
    on_one_machine: bool = False
    """Whether all replicas run where the same folder is: then a folder may be the registry."""
    queue_work_seconds: PositiveFloat = 30.0
    """Seconds of work that a replica may have in its queue before there is one more."""
    upscale_delay_seconds: Annotated[float, Field(ge=0.0)] = 10.0
    """How long that has to last."""
    downscale_delay_seconds: Annotated[float, Field(ge=0.0)] = 600.0
    """How long there has to be less before there is one fewer."""
    job_seconds_max: PositiveFloat = 600.0
    """How long a replica that is taken away goes on with what it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Of the settings, what more than one replica must agree on.

    Attributes:
        registry: Where the registry is.
        device: What the engine runs on.
    """

    registry: str
    device: str


def read_arguments(said: Mapping[str, Any]) -> Arguments:
    """Read the arguments.

    Raises:
        Refused: A name is unknown, or a value is wrong.
    """
    try:
        return Arguments.model_validate(dict(said))
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise Refused("args of the application: " + "; ".join(wrong)) from error


def require_haproxy(environment: Mapping[str, str]) -> None:
    """Refuse to run behind Ray's own gRPC proxy.

    Raises:
        Refused: HAProxy mode is off.
    """
    if wrong := list(_without_haproxy(environment)):
        raise Refused("; ".join(wrong))


def require_sound(arguments: Arguments, *, places: Places, environment: Mapping[str, str]) -> None:
    """Refuse what would draw nothing, or lose what it drew.

    Raises:
        Refused: With everything that is wrong.
    """
    wrong = [
        *_without_haproxy(environment),
        *_sharing_a_gpu(arguments, device=places.device),
        *_without_a_bucket(arguments, registry=places.registry),
    ]
    if arguments.replicas_min > arguments.replicas_max:
        wrong.append(
            f"replicas_min is {arguments.replicas_min}, above replicas_max, "
            f"{arguments.replicas_max}"
        )
    if wrong:
        raise Refused("; ".join(wrong))


def _without_haproxy(environment: Mapping[str, str]) -> Iterator[str]:
    if environment.get(HAPROXY_MODE) != "1":
        yield (
            f"{HAPROXY_MODE} is not 1: Ray Serve's own gRPC proxy loses cancels and statuses in "
            f"the middle of a stream, so Tabard runs behind its HAProxy only; set it for every "
            "`ray start` of the cluster and for this command"
        )
    balance = environment.get(BALANCE, "")
    if balance != AFFINITY:
        yield (
            f"{BALANCE} is {balance or 'not set'}: set it to {AFFINITY}, or every replica loads "
            "every adapter"
        )


def _sharing_a_gpu(arguments: Arguments, *, device: str) -> Iterator[str]:
    gpus = arguments.gpus_per_replica
    if gpus == 0.0 and device != "cpu":
        yield (
            f"gpus_per_replica is 0 and device is {device}: Ray would put several replicas on one "
            "GPU, and each plans for all of its memory; say gpus_per_replica: 1, or device: cpu"
        )
    elif gpus not in (0.0, 1.0):
        yield (
            f"gpus_per_replica is {gpus:g}: a server has one GPU for itself, for it plans for all "
            "of its memory; say 1"
        )


def _without_a_bucket(arguments: Arguments, *, registry: str) -> Iterator[str]:
    if registry.startswith("s3://") or arguments.replicas_max == 1 or arguments.on_one_machine:
        return
    yield (
        f"the registry is {registry}, and up to {arguments.replicas_max} replicas may run on "
        "several machines: each would have one of its own; name a bucket (s3://…), or say "
        "on_one_machine: true where all of them see this folder"
    )
