# SPDX-License-Identifier: Apache-2.0
"""The application that Ray Serve runs: `tabard_ray.application:build`.

In: arguments from `serve.yaml`. Out: a deployment, each replica of which is a whole server. Refuses
what cannot serve before a replica is started.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import AsyncIterator, Mapping
from typing import Any

from ray import serve
from ray.serve.config import AutoscalingConfig, AutoscalingPolicy

from tabard_ray.forwarding import Forwarder
from tabard_ray.local_server import LocalServer, settings_for
from tabard_ray.refusals import Places, read_arguments, require_haproxy, require_sound
from tabard_ray.scaling import METRIC, QueuePolicy
from tabard_ray.services import Answer, Method, methods

_ONGOING_MAX = 100_000
"""Calls that Ray lets into a replica: the server's own gate says what is too much, in words."""


class Replica:
    """One server, and every method of its services as Ray calls them."""

    async def __init__(self, settings: Mapping[str, Any]) -> None:
        """Load the base and serve; Ray lets nobody in before.

        Raises:
            Refused: This process of Ray runs without HAProxy.
        """
        # Here as well: Ray's processes have the environment of their `ray start`.
        require_haproxy(os.environ)
        self._server = LocalServer()
        await self._server.start(settings_for(settings))
        self._forwarder = Forwarder(self._server.address)

    async def check_health(self) -> None:
        """Raise when this replica is to be replaced."""
        await self._server.require_live()

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """Tell what the number of replicas goes by."""
        return {METRIC: await self._server.queue_work_seconds()}

    async def __del__(self) -> None:
        """Let the server finish and write what it has to; Ray waits for calls before."""
        await self._forwarder.close()
        await self._server.stop()


def _forwarded(method: Method) -> Any:
    if method.streams_answers:

        async def stream(self: Any, request: Any, grpc_context: Any) -> AsyncIterator[Answer]:
            async for message in self._forwarder.answers(method, request, grpc_context):
                yield message

        return stream

    async def call(self: Any, request: Any, grpc_context: Any) -> Answer:
        answer: Answer = await self._forwarder.answer(method, request, grpc_context)
        return answer

    return call


for _method in methods():
    assert not inspect.getattr_static(Replica, _method.name, None), "two methods of one name"
    setattr(Replica, _method.name, _forwarded(_method))


def build(said: Mapping[str, Any]) -> serve.Application:
    """Make the application; Ray calls this with `args`.

    Raises:
        Refused: With all that is wrong.
        BadSettings: With all that is wrong with the settings.
    """
    arguments = read_arguments(said)
    settings = settings_for(arguments.settings)
    places = Places(registry=settings.registry, device=settings.device)
    require_sound(arguments, places=places, environment=os.environ)
    deployment = serve.deployment(
        name="tabard",
        ray_actor_options={"num_gpus": arguments.gpus_per_replica},
        max_ongoing_requests=_ONGOING_MAX,
        graceful_shutdown_timeout_s=arguments.job_seconds_max,
        autoscaling_config=AutoscalingConfig(
            min_replicas=arguments.replicas_min,
            max_replicas=arguments.replicas_max,
            upscale_delay_s=arguments.upscale_delay_seconds,
            downscale_delay_s=arguments.downscale_delay_seconds,
            policy=AutoscalingPolicy(
                policy_function=QueuePolicy,
                policy_kwargs={"queue_work_seconds": arguments.queue_work_seconds},
            ),
        ),
    )(Replica)
    return deployment.bind(dict(arguments.settings))
