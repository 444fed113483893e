# SPDX-License-Identifier: Apache-2.0
"""A Livery server that lives in memory: the three services on a real socket, with painted images.

Releases are told apart by the bytes of their files. `FakeServer.fail_with` makes every call fail.
"""

from __future__ import annotations

import hashlib
import io
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from PIL import Image

from livery.v1 import (
    adapter_pb2,
    generation_service_pb2,
    generation_service_pb2_grpc,
    operations_service_pb2_grpc,
    registry_service_pb2_grpc,
)
from livery.v1 import operations_service_pb2 as operations_pb2
from livery.v1 import registry_service_pb2 as registry_pb2

BAD_FILE = b"BAD"
NO_EFFECT_FILE = b"NO EFFECT"
PAGE = 2


@dataclass
class FakeStatus:
    """A rich status, as the real server sends it."""

    code: int
    message: str
    reason: str = ""
    hint: str = ""
    violations: tuple[tuple[str, str], ...] = ()
    retry_seconds: int = 0

    def message_pb(self) -> status_pb2.Status:
        """Give the google.rpc message."""
        info = error_details_pb2.ErrorInfo(domain="livery", reason=self.reason)
        if self.hint:
            info.metadata["hint"] = self.hint
        details: list[Any] = [info]
        if self.violations:
            request = error_details_pb2.BadRequest()
            for name, description in self.violations:
                request.field_violations.add(field=name, description=description)
            details.append(request)
        if self.retry_seconds:
            delay = duration_pb2.Duration(seconds=self.retry_seconds)
            details.append(error_details_pb2.RetryInfo(retry_delay=delay))
        status = status_pb2.Status(code=self.code, message=self.message)
        for detail in details:
            packed = any_pb2.Any()
            packed.Pack(detail)
            status.details.append(packed)
        return status

    def abort(self, context: grpc.ServicerContext) -> Any:
        """End the call with this status."""
        code = next(code for code in grpc.StatusCode if code.value[0] == self.code)
        data = self.message_pb().SerializeToString()
        context.set_trailing_metadata((("grpc-status-details-bin", data),))
        context.abort(code, self.message)


@dataclass
class FakeState:
    """Everything the fake knows."""

    releases: dict[str, list[adapter_pb2.Release]] = field(default_factory=dict)
    channels: dict[tuple[str, str], list[adapter_pb2.Release]] = field(default_factory=dict)
    effects: dict[str, bool] = field(default_factory=dict)
    records: list[adapter_pb2.Record] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    fail_with: FakeStatus | None = None
    is_rollback_broken: bool = False
    step_seconds: float = 0.0
    draining: bool = False
    cancelled: threading.Event = field(default_factory=threading.Event)

    def enter(self, request: Any, context: grpc.ServicerContext) -> None:
        """Note a call; fail it when told to."""
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        if self.fail_with is not None:
            self.fail_with.abort(context)

    def record(self, *, actor: str, reason: str, **action: Any) -> int:
        """Append a record and give its seq."""
        seq = len(self.records) + 1
        self.records.append(
            adapter_pb2.Record(
                seq=seq,
                id=f"id-{seq}",
                time=f"2030-01-01T00:00:{seq:02d}Z",
                actor=actor,
                reason=reason,
                actions=[adapter_pb2.Action(effective=True, **action)],
            )
        )
        return seq

    def resolve(self, ref: str, context: grpc.ServicerContext) -> adapter_pb2.Release:
        """Find what a ref without weight means."""
        name, _, selector = ref.partition("@")
        if name not in self.releases:
            near = ", ".join(sorted(self.releases)) or "nothing yet"
            status = FakeStatus(
                5, f"there is no adapter {name}", "ADAPTER_NOT_FOUND", f"try {near}"
            )
            return status.abort(context)
        for release in self.releases[name]:
            if selector in (release.version, release.digest):
                return release
        moves = self.channels.get((name, selector or "stable"))
        if not moves:
            status = FakeStatus(
                5, f"{name} has no {selector}", "CHANNEL_NOT_FOUND", "promote first"
            )
            return status.abort(context)
        return moves[-1]


class FakeRegistry(registry_service_pb2_grpc.RegistryServiceServicer):
    """Releases and channels in dictionaries."""

    def __init__(self, state: FakeState) -> None:
        self.state = state

    def Publish(self, request_iterator: Any, context: Any) -> Any:
        draft, body = _gather(request_iterator)
        self.state.enter(draft, context)
        report = _report(body)
        if not report.accepted:
            problem = report.problems[0]
            text = f"{problem.message}; {problem.remedy}"
            FakeStatus(
                3, "the file is refused", problem.reason, problem.remedy, (("files[0]", text),)
            ).abort(context)
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        for release in self.state.releases.get(draft.adapter, []):
            if release.version == draft.version:
                if release.digest != digest:
                    FakeStatus(6, "other bytes", "VERSION_EXISTS", "use a new version").abort(
                        context
                    )
                return registry_pb2.PublishResponse(release=release, created=False, report=report)
        seq = self.state.record(
            actor=draft.actor,
            reason="",
            type="publish",
            adapter=draft.adapter,
            digest=digest,
            version=draft.version,
        )
        release = adapter_pb2.Release(
            adapter=draft.adapter,
            version=draft.version,
            digest=digest,
            kind=draft.kind or adapter_pb2.RELEASE_KIND_LORA,
            purpose=draft.purpose,
            base_family="sd1",
            trigger_words=draft.trigger_words,
            rank=8,
            target_count=64,
            original_bytes=len(body),
            dialect="kohya",
            notes=draft.notes,
            licence=draft.licence,
            seq=seq,
            published_at="2030-01-01T00:00:00Z",
            published_by=draft.actor,
            training={"ss_steps": "100"},
        )
        self.state.effects[digest] = not body.startswith(NO_EFFECT_FILE)
        self.state.releases.setdefault(draft.adapter, []).insert(0, release)
        return registry_pb2.PublishResponse(release=release, created=True, report=report)

    def Check(self, request_iterator: Any, context: Any) -> Any:
        draft, body = _gather(request_iterator)
        self.state.enter(draft, context)
        return registry_pb2.CheckResponse(report=_report(body))

    def GetAdapter(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        if request.adapter not in self.state.releases:
            self.state.resolve(request.adapter, context)
        return registry_pb2.GetAdapterResponse(adapter=self._adapter(request.adapter))

    def ListAdapters(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        names = sorted(self.state.releases)
        start = int(request.page_token or 0)
        following = start + PAGE
        return registry_pb2.ListAdaptersResponse(
            adapters=[self._adapter(name) for name in names[start:following]],
            next_page_token=str(following) if following < len(names) else "",
        )

    def Resolve(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        release = self.state.resolve(request.ref, context)
        return registry_pb2.ResolveResponse(release=release, registry_seq=len(self.state.records))

    def Promote(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        release = self.state.resolve(request.ref, context)
        moves = self.state.channels.setdefault((release.adapter, request.channel), [])
        previous = moves[-1] if moves else adapter_pb2.Release()
        if request.expect_digest and request.expect_digest != (previous.digest or "none"):
            FakeStatus(9, "the channel moved", "EXPECT_MISMATCH", "look again").abort(context)
        moves.append(release)
        return registry_pb2.PromoteResponse(move=self._move("promote", request, previous, release))

    def Rollback(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        moves = self.state.channels.get((request.adapter, request.channel), [])
        if len(moves) < 2:
            FakeStatus(9, "nothing before it", "NOTHING_TO_ROLL_BACK", "promote").abort(context)
        previous = moves[-1] if self.state.is_rollback_broken else moves.pop()
        move = self._move("rollback", request, previous, moves[-1])
        return registry_pb2.RollbackResponse(move=move)

    def Yank(self, request: Any, context: Any) -> Any:
        return registry_pb2.YankResponse(release=self._set_yanked(request, context, yanked=True))

    def Unyank(self, request: Any, context: Any) -> Any:
        return registry_pb2.UnyankResponse(release=self._set_yanked(request, context, yanked=False))

    def History(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        records = [
            record
            for record in self.state.records
            if request.adapter in ("", record.actions[0].adapter)
            and request.channel in ("", record.actions[0].channel)
        ]
        return registry_pb2.HistoryResponse(records=records[-(request.limit or 100) :])

    def Watch(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        position = request.from_seq - 1 if request.from_seq else len(self.state.records)
        context.add_callback(self.state.cancelled.set)
        while context.is_active():
            while position < len(self.state.records):
                yield registry_pb2.WatchResponse(record=self.state.records[position])
                position += 1
            time.sleep(0.01)

    def _set_yanked(self, request: Any, context: Any, *, yanked: bool) -> adapter_pb2.Release:
        self.state.enter(request, context)
        release = self.state.resolve(request.ref, context)
        release.yanked = yanked
        release.yank_reason = request.reason if yanked else ""
        return release

    def _adapter(self, name: str) -> adapter_pb2.Adapter:
        channels = [
            adapter_pb2.Channel(name=channel, digest=moves[-1].digest, version=moves[-1].version)
            for (adapter, channel), moves in sorted(self.state.channels.items())
            if adapter == name
        ]
        return adapter_pb2.Adapter(name=name, releases=self.state.releases[name], channels=channels)

    def _move(self, kind: str, request: Any, previous: Any, current: Any) -> Any:
        seq = self.state.record(
            actor=request.actor,
            reason=request.reason,
            type=kind,
            adapter=current.adapter,
            digest=current.digest,
            version=current.version,
            channel=request.channel,
            previous_digest=previous.digest,
        )
        return registry_pb2.ChannelMove(
            adapter=current.adapter,
            channel=request.channel,
            previous_digest=previous.digest,
            previous_version=previous.version,
            digest=current.digest,
            version=current.version,
            seq=seq,
            moved=previous.digest != current.digest,
        )


class FakeGeneration(generation_service_pb2_grpc.GenerationServiceServicer):
    """Paints a square whose colour is a hash of everything that should shape the image."""

    def __init__(self, state: FakeState) -> None:
        self.state = state

    def Generate(self, request: Any, context: Any) -> Iterator[Any]:
        pb = generation_service_pb2
        self.state.enter(request, context)
        context.add_callback(self.state.cancelled.set)
        worn = [self._worn(ref, context) for ref in request.adapters]
        seeds = [request.seed + index for index in range(request.num_images or 1)]
        steps = request.num_inference_steps or 3
        accepted = pb.Accepted(job_id="job-1", worn=worn, seeds=seeds, registry_seq=4)
        yield pb.GenerateResponse(accepted=accepted)
        for index, seed in enumerate(seeds):
            for step in range(1, steps):
                time.sleep(self.state.step_seconds)
                if not context.is_active():
                    return
                progress = pb.Progress(index=index, step=step, steps=steps)
                yield pb.GenerateResponse(progress=progress)
                if request.preview_every and step % request.preview_every == 0:
                    preview = pb.Preview(index=index, step=step, png=b"preview")
                    yield pb.GenerateResponse(preview=preview)
            yield pb.GenerateResponse(image=self._image(request, worn, index=index, seed=seed))
        yield pb.GenerateResponse(done=pb.Done(queue_ms=1.5, total_ms=20.0))

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
        colour = hashlib.sha256(repr((request.prompt, felt, seed)).encode()).digest()[:3]
        data = io.BytesIO()
        size = (request.width or 64, request.height or 64)
        Image.new("RGB", size, tuple(colour)).save(data, format="PNG")
        provenance = {"prompt": request.prompt, "seed": seed, "adapters": list(request.adapters)}
        return generation_service_pb2.Image(
            index=index, png=data.getvalue(), seed=seed, provenance_json=json.dumps(provenance)
        )


class FakeOperations(operations_service_pb2_grpc.OperationsServiceServicer):
    """A status with something in every field."""

    def __init__(self, state: FakeState) -> None:
        self.state = state

    def GetStatus(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        return operations_pb2.GetStatusResponse(
            version="0.1.0",
            base_family="sd1",
            base_fingerprint="sha256:" + "b" * 64,
            base_source="demo",
            device="cpu",
            registry_id="registry-1",
            registry_seq=len(self.state.records),
            rows_waiting=1,
            rows_running=2,
            draining=self.state.draining,
            residents=[_resident(one[0]) for one in self.state.releases.values()],
            samplers=["ddim", "euler"],
            uptime_seconds=3725.0,
            native_width=64,
            native_height=64,
        )

    def Warm(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        release = self.state.resolve(request.ref, context)
        return operations_pb2.WarmResponse(resident=_resident(release))

    def Drain(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        self.state.draining = True
        return operations_pb2.DrainResponse(jobs_left=2)


class FakeServer:
    """The fake on a port of its own: `with FakeServer() as server: server.address`."""

    def __init__(self) -> None:
        self.state = FakeState()
        self._server = grpc.server(ThreadPoolExecutor(max_workers=8))
        registry_service_pb2_grpc.add_RegistryServiceServicer_to_server(
            FakeRegistry(self.state), self._server
        )
        generation_service_pb2_grpc.add_GenerationServiceServicer_to_server(
            FakeGeneration(self.state), self._server
        )
        operations_service_pb2_grpc.add_OperationsServiceServicer_to_server(
            FakeOperations(self.state), self._server
        )
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

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


def _gather(parts: Any) -> tuple[Any, bytes]:
    draft, body = registry_pb2.ReleaseDraft(), b""
    for part in parts:
        if part.WhichOneof("part") == "draft":
            draft = part.draft
        assert len(part.chunk) <= 1024 * 1024
        body += part.chunk
    return draft, body


def _report(body: bytes) -> registry_pb2.CheckReport:
    is_good = not body.startswith(BAD_FILE)
    problem = registry_pb2.Problem(
        reason="UNKNOWN_KEYS",
        message="2 keys fit no module of the base",
        remedy="train it on sd1",
        keys=["lora_unet_x.alpha", "lora_unet_y.alpha"],
    )
    return registry_pb2.CheckReport(
        accepted=is_good,
        kind=adapter_pb2.RELEASE_KIND_LORA,
        dialect="kohya",
        rank=8,
        target_count=64,
        tensor_count=192,
        tensors_applied=192 if is_good else 190,
        problems=() if is_good else (problem,),
        resident_bytes=324_000,
    )


def _resident(release: adapter_pb2.Release) -> operations_pb2.Resident:
    return operations_pb2.Resident(
        adapter=release.adapter,
        version=release.version,
        digest=release.digest,
        tier="host",
        bytes=324_000,
        leases=1,
    )
