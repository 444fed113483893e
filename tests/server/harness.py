# SPDX-License-Identifier: Apache-2.0
"""A whole server on the fake engine and a real registry in a folder, over real gRPC on loopback."""

import asyncio
import io
import json
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from google.rpc import error_details_pb2, status_pb2
from PIL import Image
from safetensors.numpy import save

from tabard.v1 import (
    adapter_pb2,
    generation_service_pb2,
    generation_service_pb2_grpc,
    job_service_pb2_grpc,
    operations_service_pb2,
    operations_service_pb2_grpc,
    registry_service_pb2,
    registry_service_pb2_grpc,
)
from tabard_registry import Digest, Registry
from tabard_registry.store.store import Store
from tabard_server.app import App
from tabard_server.engine_port.drawing import Pixels
from tabard_server.judgement.pictures.encoder import Encoder
from tabard_server.limits import Limits
from tabard_server.rpc.front import Front
from tabard_server.safety.check import Classify
from tabard_server.settings import Defaults, Settings
from tabard_server.startup.resources import Resources
from tests.server.fakes import UNET_MODULE, WIDTH, FakeEngine, FakeLoader

Request = generation_service_pb2.GenerateRequest
PATIENCE_SECONDS = 60.0


@dataclass(kw_only=True)
class Told:
    """Everything one generate call said."""

    events: list[Any] = field(default_factory=list)

    @property
    def accepted(self) -> Any:
        return next(e.accepted for e in self.events if e.HasField("accepted"))

    @property
    def images(self) -> list[Any]:
        return sorted((e.image for e in self.events if e.HasField("image")), key=lambda i: i.index)

    @property
    def kinds(self) -> list[str]:
        return [event.WhichOneof("event") for event in self.events]


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """What a failed call said."""

    code: grpc.StatusCode
    message: str
    reason: str
    hint: str
    fields: tuple[str, ...]
    retry_seconds: float | None


def refs(*texts: str) -> list[adapter_pb2.WeightedRef]:
    """Return refs as messages have them."""
    return [adapter_pb2.WeightedRef(ref=text) for text in texts]


class Server:
    """A running server and the ways to talk to it."""

    def __init__(
        self, app: App, *, engine: FakeEngine, loader: FakeLoader, address: str, metrics: str
    ) -> None:
        self.app = app
        self.engine = engine
        self.loader = loader
        self.forgotten: list[Digest] = []
        self.address = address
        self.metrics_address = metrics
        self.operators_address = app._front.operators_address
        self.channel = grpc.aio.insecure_channel(address)
        self.generation: Any = generation_service_pb2_grpc.GenerationServiceStub(self.channel)
        self.jobs: Any = job_service_pb2_grpc.JobServiceStub(self.channel)
        self.registry: Any = registry_service_pb2_grpc.RegistryServiceStub(self.channel)
        self.operations: Any = operations_service_pb2_grpc.OperationsServiceStub(self.channel)

    async def generate(self, prompt: str = "a red circle", **fields: Any) -> Told:
        """Run one request to its end."""
        fields.setdefault("num_inference_steps", 3)
        fields["adapters"] = refs(*fields.get("adapters", ()))
        told = Told()
        async for event in self.generation.Generate(Request(prompt=prompt, **fields)):
            told.events.append(event)
        return told

    async def publish(
        self, name: str, version: str = "1.0.0", *, content: bytes | None = None, **draft: Any
    ) -> Any:
        """Publish a file, by default a small LoRA that is different for every name and version."""
        content = lora_file(seed_text=name + version) if content is None else content
        parts = publish_parts(name, version, content=content, **draft)
        return await self.registry.Publish(iter_parts(parts))

    async def promote(self, ref: str, *, channel: str = "") -> Any:
        request = registry_service_pb2.PromoteRequest(ref=ref, channel=channel, actor="tester")
        return (await self.registry.Promote(request)).move

    async def roll_back(self, adapter: str) -> Any:
        request = registry_service_pb2.RollbackRequest(
            adapter=adapter, reason="looks wrong", actor="tester"
        )
        return (await self.registry.Rollback(request)).move

    async def quarantine(self, ref: str) -> Any:
        request = registry_service_pb2.QuarantineRequest(ref=ref, reason="stolen", actor="tester")
        return (await self.registry.Quarantine(request)).release

    async def lift(self, ref: str) -> Any:
        request = registry_service_pb2.LiftRequest(ref=ref, reason="cleared", actor="tester")
        return (await self.registry.Lift(request)).release

    async def purge(self, ref: str) -> Any:
        request = registry_service_pb2.PurgeRequest(ref=ref, reason="asked for", actor="tester")
        return (await self.registry.Purge(request)).release

    async def publish_recipe(self, name: str, *members: str, version: str = "1.0.0") -> Any:
        draft = registry_service_pb2.ReleaseDraft(adapter=name, version=version, actor="tester")
        request = registry_service_pb2.PublishRecipeRequest(draft=draft, members=refs(*members))
        return (await self.registry.PublishRecipe(request)).release

    def begin(self, *adapters: str, steps: int = 100) -> "asyncio.Future[Refusal]":
        """Begin a job that must end badly."""
        request = Request(prompt="x", adapters=refs(*adapters), num_inference_steps=steps)
        return asyncio.ensure_future(refusal_of(self.generation.Generate(request)))

    @property
    def stopping(self) -> int:
        """Jobs that are over, and whose rows the engine's thread has not dropped yet."""
        return sum(run.is_ended for run in self.app.loop._roster.runs())

    async def status(self) -> Any:
        return await self.operations.GetStatus(operations_service_pb2.GetStatusRequest())


@asynccontextmanager
async def serving(
    folder: Path,
    *,
    engine: FakeEngine | None = None,
    limits: Limits | None = None,
    store: Store | None = None,
    encoders: Sequence[Encoder] = (),
    classify: Classify | None = None,
    **changes: Any,
) -> AsyncIterator[Server]:
    """Run a server for the length of a block; nothing is left behind.

    Args:
        folder: Where its registry is, unless there is a store.
        engine: Its engine.
        limits: Its bounds.
        store: Where its registry is.
        encoders: Those that were trained.
        classify: Its safety classifier.
        changes: Settings of its own.
    """
    engine = engine or FakeEngine()
    registry = Registry.open(store or (folder / "registry").as_uri())
    loader = FakeLoader(registry)
    settings = Settings(
        listen="127.0.0.1:0",
        slot_rank_total=engine.rank_total,
        limits=limits or Limits(),
        defaults=Defaults(sampler="ddim", steps=4),
        cache=str(folder / "cache"),
        **{
            "metrics_listen": "",  # its thread takes half a second to end
            "poll_seconds": 0.05,
            "drain_seconds_max": 5.0,
            "checkpoint_records": 0,
        }
        | changes,
    )
    forgotten: list[Digest] = []
    resources = Resources(
        engine=engine,
        registry=registry,
        load_adapter=loader,
        forget_file=forgotten.append,
        encoders=tuple(encoders),
        classify=classify,
    )
    front = Front(settings)
    await front.open()
    app = App(settings, resources, front=front)
    address, metrics = await app.start()
    server = Server(app, engine=engine, loader=loader, address=address, metrics=metrics)
    server.forgotten = forgotten
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield server
    except BaseException:
        # A test that failed while it held the engine must fail, not hang.
        engine.let_go()
        raise
    finally:
        await server.channel.close()
        await app.stop()
        registry.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.002)


async def refusal_of(call: Any) -> Refusal:
    """Return how a call that must fail fails."""
    try:
        if hasattr(call, "__aiter__"):
            async for _message in call:
                pass
        else:
            await call
    except grpc.aio.AioRpcError as error:
        return read_refusal(error)
    raise AssertionError("the call succeeded")


def read_refusal(error: Any) -> Refusal:
    """Take a failure apart."""
    info = error_details_pb2.ErrorInfo()
    bad_request = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    retry_seconds = None
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = status_pb2.Status.FromString(value)
            for detail in status.details:
                detail.Unpack(info)
                detail.Unpack(bad_request)
                if detail.Unpack(retry):
                    retry_seconds = retry.retry_delay.ToTimedelta().total_seconds()
    return Refusal(
        code=error.code(),
        message=error.details() or "",
        reason=info.reason,
        hint=info.metadata.get("hint", ""),
        fields=tuple(violation.field for violation in bad_request.field_violations),
        retry_seconds=retry_seconds,
    )


def read_page(address: str) -> str:
    """Fetch the metrics page."""
    with urllib.request.urlopen(f"http://{address}/metrics") as answer:
        return str(answer.read().decode())


def publish_parts(
    name: str, version: str, *, content: bytes, **draft: Any
) -> list[registry_service_pb2.PublishRequest]:
    """Return the messages of an upload of one file."""
    pb = registry_service_pb2
    said = pb.ReleaseDraft(adapter=name, version=version, actor="tester", **draft)
    start = pb.FileStart(name="style.safetensors", bytes_total=len(content))
    chunks = [content[i : i + 65_536] for i in range(0, len(content), 65_536)]
    return [
        pb.PublishRequest(draft=said),
        pb.PublishRequest(file=start),
        *(pb.PublishRequest(chunk=chunk) for chunk in chunks),
    ]


async def iter_parts(parts: Iterable[Any]) -> AsyncIterator[Any]:
    """Stream messages."""
    for part in parts:
        yield part


def lora_file(
    *,
    seed_text: str = "",
    rank: int = 4,
    module: str = UNET_MODULE,
    metadata: dict[str, str] | None = None,
) -> bytes:
    """Return a small LoRA in diffusers' layout."""
    rng = np.random.default_rng(list(seed_text.encode()) or [0])
    return save(
        {
            f"unet.{module}.lora_A.weight": rng.normal(size=(rank, WIDTH)).astype("float32"),
            f"unet.{module}.lora_B.weight": rng.normal(size=(WIDTH, rank)).astype("float32"),
        },
        metadata,
    )


def token_file(token: str, *, vectors: int = 2) -> bytes:
    """Return a textual inversion."""
    return save({token: np.full((vectors, WIDTH), 0.5, dtype="float32")})


def pixels_of(png: bytes) -> Pixels:
    """Decode an image."""
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB"))


def chunks_of(png: bytes) -> dict[str, str]:
    """Return the text chunks of an image."""
    with Image.open(io.BytesIO(png)) as image:
        image.load()
        return dict(image.text)  # type: ignore[attr-defined]


def provenance_of(png: bytes) -> dict[str, Any]:
    """Return the JSON within an image."""
    document: dict[str, Any] = json.loads(chunks_of(png)["tabard"])
    return document


def small_limits(**changes: Any) -> Limits:
    """Return the limits with some of them changed; whoever tests may hold everything."""
    return Limits(**{"caller_share_max": 1.0} | changes)


KIND_TEXTUAL_INVERSION = adapter_pb2.RELEASE_KIND_TEXTUAL_INVERSION
