# SPDX-License-Identifier: Apache-2.0
"""A Tabard server that lives in memory: its services on a real socket, with painted images.

`FakeServer.state` holds what it knows; `state.fail_with` makes every call fail.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import TracebackType
from typing import Any, Self
from xml.sax.saxutils import escape

import grpc
from PIL import Image, PngImagePlugin

from tabard.v1 import (
    adapter_pb2,
    generation_service_pb2,
    generation_service_pb2_grpc,
    identity_service_pb2_grpc,
    operations_service_pb2_grpc,
    registry_service_pb2_grpc,
)
from tabard.v1 import operations_service_pb2 as operations_pb2
from tests.clients.fakes.identity import FakeIdentity
from tests.clients.fakes.registry import FakeRegistry
from tests.clients.fakes.state import FakeState


class FakeGeneration(generation_service_pb2_grpc.GenerationServiceServicer):
    """Paints a square whose colour is a hash of everything that should shape the image."""

    def __init__(self, state: FakeState) -> None:
        self.state = state

    def Generate(self, request: Any, context: Any) -> Iterator[Any]:
        pb = generation_service_pb2
        self.state.enter(request, context)
        context.add_callback(self.state.cancelled.set)
        worn = [self._worn(one.ref, context) for one in request.adapters]
        seeds = [request.seed + index for index in range(request.num_images or 1)]
        request, warnings = self._heed(request, worn, context)
        steps = request.num_inference_steps
        accepted = pb.Accepted(
            job_id="job-1", worn=worn, seeds=seeds, registry_seq=4, warnings=warnings
        )
        yield pb.GenerateResponse(accepted=accepted)
        if self.state.fail_accepted_with is not None:
            self.state.fail_accepted_with.abort(context)
        for index, seed in enumerate(seeds):
            for step in range(1, steps):
                time.sleep(self.state.step_seconds)
                if not context.is_active():
                    return
                progress = pb.Progress(index=index, step=step, steps=steps)
                yield pb.GenerateResponse(progress=progress)
                if request.preview_every and step % request.preview_every == 0:
                    preview = pb.Preview(index=index, step=step, content=b"preview")
                    yield pb.GenerateResponse(preview=preview)
            yield pb.GenerateResponse(image=self._image(request, worn, index=index, seed=seed))
            if self.state.fail_image_with is not None:
                self.state.fail_image_with.abort(context)
        yield pb.GenerateResponse(
            done=pb.Done(
                queue_duration=timedelta(milliseconds=1.5),
                total_duration=timedelta(milliseconds=20),
            )
        )

    def _heed(self, request: Any, worn: list[Any], context: Any) -> tuple[Any, list[Any]]:
        """Take what is declared where a request says nothing, and warn of another spacing."""
        warnings, drawn = [], type(request)()
        drawn.CopyFrom(request)
        found = [self.state.resolve(f"{one.adapter}@{one.digest}", context) for one in worn]
        declared = [one.sampling for one in found if not self.state.is_deaf]
        for said in sorted(declared, key=lambda said: not said.steps.max):
            drawn.sampler = drawn.sampler or next(iter(said.samplers), "")
            if not drawn.num_inference_steps and said.HasField("steps"):
                drawn.num_inference_steps = int(said.steps.recommended)
            if said.spacing and drawn.timestep_spacing not in ("", said.spacing):
                field = "timestep_spacing"
                warnings.append(generation_service_pb2.SamplingWarning(field=field, message="no"))
        drawn.num_inference_steps = drawn.num_inference_steps or 3
        return drawn, warnings

    def _worn(self, ref: str, context: Any) -> Any:
        name, _, weight = ref.rpartition(":") if ref.count(":") else (ref, "", "")
        release = self.state.resolve(name, context)
        return generation_service_pb2.WornRelease(
            ref=ref,
            adapter=release.adapter,
            version=release.version,
            digest=release.digest,
            weight=float(weight or 1),
        )

    def _image(self, request: Any, worn: list[Any], *, index: int, seed: int) -> Any:
        felt = [release.digest for release in worn if self.state.effects[release.digest]]
        spacing = request.timestep_spacing
        shaped_by = repr((request.prompt, felt, seed, self.state.base_fingerprint, spacing))
        colour = hashlib.sha256(shaped_by.encode()).digest()[:3]
        data = io.BytesIO()
        size = (request.width or 64, request.height or 64)
        told = json.dumps(self._told(request, worn, seed=seed, size=size))
        chunks = PngImagePlugin.PngInfo()
        chunks.add_text("tabard", told)
        xmp = f"<tabard:provenance>{escape(told)}</tabard:provenance>".encode()
        kind = request.image_format or generation_service_pb2.IMAGE_FORMAT_PNG
        name = generation_service_pb2.ImageFormat.Name(kind).removeprefix("IMAGE_FORMAT_")
        options: dict[str, Any] = {"pnginfo": chunks}
        if name != "PNG":
            options = {"quality": request.image_quality, "xmp": xmp}
        Image.new("RGB", size, tuple(colour)).save(data, format=name, **options)
        provenance = {
            "prompt": request.prompt,
            "seed": seed,
            "steps": request.num_inference_steps,
            "sampler": request.sampler,
            "adapters": [one.ref for one in request.adapters],
        }
        return generation_service_pb2.Image(
            index=index,
            content=data.getvalue(),
            seed=seed,
            provenance_json=json.dumps(provenance),
            format=kind,
        )

    def _told(
        self, request: Any, worn: list[Any], *, seed: int, size: tuple[int, int]
    ) -> dict[str, Any]:
        return {
            "base": {"family": "sd1", "fingerprint": self.state.base_fingerprint},
            "stack": [
                {name: getattr(one, name) for name in ("adapter", "version", "digest", "weight")}
                for one in worn
            ],
            "prompt": request.prompt,
            "negative_prompt": request.negative_prompt,
            "seed": seed,
            "steps": request.num_inference_steps,
            "guidance_scale": request.guidance_scale,
            "width": size[0],
            "height": size[1],
            "sampler": request.sampler,
            "deterministic": request.deterministic,
        }


_DRAINING = operations_pb2.Cause(
    state=operations_pb2.SERVER_STATE_DRAINING,
    reason="DRAINING",
    message="it finishes what it has",
    duration=timedelta(seconds=65),
)


class FakeOperations(operations_service_pb2_grpc.OperationsServiceServicer):
    """A status with something in every field; a step is made between any two looks."""

    def __init__(self, state: FakeState) -> None:
        self.state = state
        self.steps = itertools.count(100)

    def GetStatus(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        return operations_pb2.GetStatusResponse(
            version="0.1.0",
            base_family="sd1",
            base_fingerprint=self.state.base_fingerprint,
            base_source="demo",
            device="cpu",
            registry_id="registry-1",
            registry_seq=len(self.state.records),
            rows_waiting=1,
            rows_running=2,
            draining=self.state.draining,
            state=operations_pb2.SERVER_STATE_DRAINING
            if self.state.draining
            else operations_pb2.SERVER_STATE_SERVING,
            causes=[_DRAINING] if self.state.draining else [],
            residents=[_resident(one[0]) for one in self.state.releases.values()],
            samplers=["ddim", "euler"],
            sampler_options=[
                operations_pb2.SamplerOptions(
                    name="ddim",
                    title="DDIM",
                    timestep_spacings=["leading", "trailing"],
                    schedules=["ddim_uniform"],
                    takes=["eta"],
                ),
                operations_pb2.SamplerOptions(
                    name="euler",
                    title="Euler",
                    timestep_spacings=["leading", "trailing"],
                    schedules=["karras", "ddim_uniform"],
                    takes=["timesteps", "sigmas"],
                ),
            ],
            schedules=[
                operations_pb2.ScheduleNames(name="karras", title="Karras"),
                operations_pb2.ScheduleNames(name="ddim_uniform", title="DDIM", aliases=["ddim"]),
            ],
            uptime=timedelta(seconds=3725),
            native_width=64,
            native_height=64,
            base_prediction=operations_pb2.PREDICTION_V_PREDICTION,
            base_zero_snr=True,
            base_remarks=["2 keys of no component, not read: junk, more"],
            memory_plan=self.state.memory_plan,
            c2pa=self.state.c2pa,
            safety=self.state.safety,
            compiled=self.state.compiled,
            identity=["tokens", "certificates"],
            traces=True,
            tenants=[
                operations_pb2.TenantLoad(tenant="studio", rows_waiting=1, rows_running=2),
                operations_pb2.TenantLoad(tenant="", rows_waiting=3),
            ],
            steps=next(self.steps),
            row_steps=400,
        )

    def ListReplicas(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        own, state = "1" * 32, operations_pb2.SERVER_STATE_SERVING
        said = {"version": "0.1.0", "base_family": "sd1", "state": state, "registry_seq": 7}
        one = operations_pb2.Replica(
            id=own,
            address="10.0.0.1:50051",
            base_fingerprint=self.state.base_fingerprint,
            age=timedelta(seconds=20),
            interval=timedelta(seconds=60),
            rows_running=2,
            **said,
        )
        other = operations_pb2.Replica(
            id="2" * 32,
            host="two",
            base_fingerprint="sha256:" + "e" * 64,
            age=timedelta(minutes=10),
            is_lost=True,
            clock_ahead=timedelta(seconds=-90),
            registry_lag=timedelta(seconds=70),
            **said | {"version": "0.0.9"},
        )
        return operations_pb2.ListReplicasResponse(
            replicas=[one, other], replica_id=own, registry_seq=9
        )

    def Verify(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        loaded = "sha256:" + "b" * 64
        found = {"text_encoder": loaded, "unet": self.state.unet_fingerprint or loaded}
        components = [
            operations_pb2.VerifiedComponent(
                component=name, loaded_fingerprint=loaded, found_fingerprint=fingerprint
            )
            for name, fingerprint in found.items()
        ]
        return operations_pb2.VerifyResponse(components=components, duration=timedelta(seconds=1.5))

    def Warm(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        release = self.state.resolve(request.ref, context)
        return operations_pb2.WarmResponse(resident=_resident(release))

    def Drain(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        self.state.draining = True
        return operations_pb2.DrainResponse(jobs_left=2)


class FakeServer:
    """The fake on a port of its own: `with FakeServer() as server: server.address`.

    With credentials of gRPC it speaks TLS.
    """

    def __init__(self, credentials: grpc.ServerCredentials | None = None) -> None:
        self.state = FakeState()
        self._server = grpc.server(ThreadPoolExecutor(max_workers=8))
        adders = (
            (registry_service_pb2_grpc.add_RegistryServiceServicer_to_server, FakeRegistry),
            (generation_service_pb2_grpc.add_GenerationServiceServicer_to_server, FakeGeneration),
            (operations_service_pb2_grpc.add_OperationsServiceServicer_to_server, FakeOperations),
            (identity_service_pb2_grpc.add_IdentityServiceServicer_to_server, FakeIdentity),
        )
        for add, service in adders:
            add(service(self.state), self._server)  # type: ignore[no-untyped-call]
        if credentials is None:
            port = self._server.add_insecure_port("127.0.0.1:0")
        else:
            port = self._server.add_secure_port("127.0.0.1:0", credentials)
        self.address = f"127.0.0.1:{port}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.stop(grace=0).wait()


def _resident(release: adapter_pb2.Release) -> operations_pb2.Resident:
    return operations_pb2.Resident(
        adapter=release.adapter,
        version=release.version,
        digest=release.digest,
        tier=operations_pb2.TIER_HOST,
        bytes=324_000,
        leases=1,
    )
