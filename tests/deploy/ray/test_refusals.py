# SPDX-License-Identifier: Apache-2.0
"""What the application on Ray refuses, and that it says why."""

from __future__ import annotations

from typing import Any

import pytest
from tabard_ray.refusals import (
    Arguments,
    Places,
    Refused,
    read_arguments,
    require_haproxy,
    require_sound,
)

ENVIRONMENT = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_HAPROXY_BALANCE_ALGORITHM": "hdr(tabard-stack)",
}
ON_GPU = Places(registry="s3://tabard", device="cuda")


def _refusal(
    said: dict[str, Any] | None = None,
    *,
    places: Places = ON_GPU,
    environment: dict[str, str] = ENVIRONMENT,
) -> str:
    with pytest.raises(Refused) as refused:
        require_sound(read_arguments(said or {}), places=places, environment=environment)
    return str(refused.value)


def test_sound_is_not_refused() -> None:
    """One GPU a replica, a bucket and HAProxy are taken."""
    require_sound(read_arguments({"replicas_max": 8}), places=ON_GPU, environment=ENVIRONMENT)


@pytest.mark.parametrize("said", [None, "0", "true"])
def test_own_proxy_is_refused(said: str | None) -> None:
    """Behind Ray's own proxy nothing starts: neither the application nor a replica."""
    environment = {name: value for name, value in ENVIRONMENT.items() if "ENABLE" not in name}
    if said is not None:
        environment["RAY_SERVE_ENABLE_HA_PROXY"] = said

    assert "loses cancels" in _refusal(environment=environment)
    with pytest.raises(Refused, match="RAY_SERVE_ENABLE_HA_PROXY is not 1"):
        require_haproxy(environment)


def test_no_affinity_is_refused() -> None:
    """A balance that does not look at the stack is refused, and the right one is named."""
    environment = ENVIRONMENT | {"RAY_SERVE_HAPROXY_BALANCE_ALGORITHM": "leastconn"}

    assert "is leastconn: set it to hdr(tabard-stack)" in _refusal(environment=environment)


@pytest.mark.parametrize("gpus", [0.0, 0.5, 2.0])
def test_shared_gpu_is_refused(gpus: float) -> None:
    """A part of a GPU, none on CUDA, or two for one server are refused."""
    assert f"gpus_per_replica is {gpus:g}" in _refusal({"gpus_per_replica": gpus})


def test_cpu_needs_no_gpu() -> None:
    """On a CPU no GPU is asked for."""
    arguments = read_arguments({"gpus_per_replica": 0.0})

    places = Places(registry="s3://tabard", device="cpu")
    require_sound(arguments, places=places, environment=ENVIRONMENT)


def test_no_bucket_is_refused() -> None:
    """Several replicas with a folder for a registry are refused, but where it is one folder."""
    places = Places(registry="file:///var/lib/tabard", device="cuda")

    assert "name a bucket" in _refusal({"replicas_max": 2}, places=places)
    for said in ({"replicas_max": 1}, {"replicas_max": 2, "on_one_machine": True}):
        require_sound(read_arguments(said), places=places, environment=ENVIRONMENT)


def test_all_that_is_wrong_is_told() -> None:
    """Everything that is wrong is told at once."""
    said = {"replicas_min": 3, "replicas_max": 2, "gpus_per_replica": 0.5}

    told = _refusal(said, places=Places(registry="file:///x", device="cuda"), environment={})

    for word in ("HA_PROXY", "BALANCE", "gpus_per_replica", "bucket", "replicas_min is 3"):
        assert word in told


@pytest.mark.parametrize(
    "said", [{"replica_max": 2}, {"replicas_max": 0}, {"queue_work_seconds": "ten"}]
)
def test_wrong_arguments_are_named(said: dict[str, Any]) -> None:
    """What nobody knows, and what cannot be, is refused by its name."""
    with pytest.raises(Refused, match=next(iter(said))):
        read_arguments(said)


def test_every_argument_says_its_meaning() -> None:
    """The page of the documentation names every argument."""
    from tests.root import ROOT  # noqa: PLC0415

    page = (ROOT / "docs" / "ray.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in Arguments.model_fields)
