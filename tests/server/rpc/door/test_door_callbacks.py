# SPDX-License-Identifier: Apache-2.0
"""Nothing holds up the event loop: no callback is long, with the largest messages there are.

What is measured is CPU time of the loop's own thread, so a busy machine changes nothing. Callers
are threads with connections of their own.
"""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from PIL import Image

from tabard.v1 import canary_service_pb2 as canary
from tabard.v1 import evaluation_service_pb2 as evaluation
from tabard.v1 import evidence_service_pb2 as evidence
from tabard.v1 import generation_service_pb2 as generation
from tabard.v1 import identity_service_pb2 as identity
from tabard.v1 import operations_service_pb2 as operations
from tabard.v1 import registry_service_pb2 as pb
from tabard.v1 import review_service_pb2 as reviews
from tabard_registry import AdapterName, AdapterRef, Author, Registry, ReleaseDraft, Version
from tabard_registry.evidence.codec import DOCUMENT_BYTES_MAX
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.limits import Limits
from tabard_server.rpc.door.methods import METHODS
from tests.registry.fakes import MemoryStore
from tests.server.adapters.published_lora import publish_lora
from tests.server.fakes import FakeEngine
from tests.server.harness import lora_file, publish_parts, refs, serving
from tests.server.rpc.door.watched_callbacks import watched_callbacks

LINES = 1_000
RELEASES = 800
MOVES = 200
TRIES = 3
AUTHOR = Author(actor="🎨" * 200, reason="🎨" * 2_000)
LIMITS = Limits()
REGISTRY = "/tabard.v1.RegistryService"
OPERATIONS = "/tabard.v1.OperationsService"
CANARY = "/tabard.v1.CanaryService"
EVALUATION = "/tabard.v1.EvaluationService"
EVIDENCE = "/tabard.v1.EvidenceService"
IDENTITY = "/tabard.v1.IdentityService"
REVIEW = "/tabard.v1.ReviewService"
GENERATE = "/tabard.v1.GenerationService/Generate"
SMALL = {
    f"{OPERATIONS}/Drain",
    f"{OPERATIONS}/Verify",
    f"{IDENTITY}/WhoAmI",
    f"{IDENTITY}/GetPolicy",
    f"{REVIEW}/ExplainPolicy",
    *(f"{CANARY}/{name}" for name in ("GetCanary", "ListCanaries", "ReportImage")),
    *(f"{EVIDENCE}/{name}" for name in ("ListEvidence", "GetEvidence", "GetPicture", "GetGrid")),
    *(path for path in METHODS if path.startswith("/tabard.v1.JobService/")),
    *(f"{REVIEW}/{name}" for name in ("ListReviews", "NextPair", "GetPairPicture")),
    *(path for path in METHODS if not path.startswith("/tabard.")),
}
"""Methods whose messages are empty, a number or one name."""

Requests = dict[str, tuple[str, tuple[bytes, ...], str]]
"""By name: the method, its messages, and the status that answers them."""


@dataclass(slots=True, kw_only=True)
class ReadingEngine(FakeEngine):
    """Draws nothing, and reads prompts as the demo base does."""

    reader: Callable[[], Any]

    def new_prompt_reader(self) -> Any:
        return self.reader()


@pytest.fixture(scope="module")
def reader() -> Callable[[], Any]:
    return load_engine(EngineSettings(base="demo", device="cpu")).new_prompt_reader


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> MemoryStore:
    """A registry whose lines have all that a line may have: notes, members, reasons, moves."""
    store = MemoryStore()
    registry = Registry.open(store)
    for number in range(16):
        name = f"acme/ink-{number:02d}"
        publish_lora(registry, folder=tmp_path_factory.mktemp("file"), name=name)
    members = [AdapterRef.parse(f"acme/ink-{number:02d}@1.0.0:0.5") for number in range(16)]
    for number in range(LINES):
        draft = ReleaseDraft(
            adapter=AdapterName("acme", f"mix-{number:04d}"),
            version=Version.parse("1.0.0"),
            notes="🎨" * 8_000 if number % 10 == 0 else "grain " * 50,
            trigger_words=tuple(f"{index}" * 100 for index in range(32)),
        )
        registry.publish_recipe(draft, members=members, author=AUTHOR)
    for number in range(RELEASES):
        draft = ReleaseDraft(
            adapter=AdapterName("acme", "long"), version=Version(major=1, minor=0, patch=number)
        )
        registry.publish_recipe(draft, members=members, author=AUTHOR)
    for number in range(MOVES):
        ref = AdapterRef.parse(f"acme/mix-{number:04d}@1.0.0")
        registry.promote(ref, channel="stable", author=AUTHOR)
    registry.close()
    return store


@asynccontextmanager
async def stocked(
    folder: Path, store: MemoryStore, reader: Callable[[], Any]
) -> AsyncIterator[Callable[..., Any]]:
    """Serve it, and give a way to send raw messages from threads."""
    engine = ReadingEngine(reader=reader, rank_total=64)
    async with serving(folder, engine=engine, store=store, limits=LIMITS) as server:
        options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        with grpc.insecure_channel(server.address, options=options) as channel:

            def send(path: str, *messages: bytes, answers_max: int) -> str:
                call = channel.stream_stream(path)(iter(messages), timeout=60)
                try:
                    for _index, _answer in zip(range(answers_max), call, strict=False):
                        pass
                except grpc.RpcError as error:
                    return str(error.code().name)  # type: ignore[attr-defined]
                finally:
                    call.cancel()
                return "OK"

            async def ask(path: str, *messages: bytes, answers_max: int = 1_200) -> str:
                return await asyncio.to_thread(send, path, *messages, answers_max=answers_max)

            yield ask


def picture(side: int = 1_024) -> bytes:
    """A picture that no compression makes small."""
    noise = np.random.default_rng(1).integers(0, 256, size=(side, side * 2, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "png")
    assert 4 << 20 < len(file.getvalue()) <= LIMITS.picture_bytes_max
    return file.getvalue()


def identity_requests() -> dict[str, Any]:
    """The largest messages about tokens and policies, by their methods."""
    return {
        f"{IDENTITY}/CreateToken": identity.CreateTokenRequest(
            name="many",
            grants=[
                identity.Grant(namespace=f"n{number}", role=identity.Role.ROLE_PUBLISH)
                for number in range(64)
            ],
            reason="🎨" * 2_000,
        ),
        f"{IDENTITY}/ListTokens": identity.ListTokensRequest(page_size=1_000),
        f"{IDENTITY}/RevokeToken": identity.RevokeTokenRequest(token="many", reason="🎨" * 2_000),
        f"{IDENTITY}/SetPolicy": identity.SetPolicyRequest(
            namespace="n1", private=True, reason="🎨" * 2_000
        ),
    }


def evidence_requests() -> Requests:
    """The largest documents and pictures; all are read to their end, and refused there."""
    notes = [{"prompt": "x" * 4_000, "seed": number} for number in range(1_000)]
    report = json.dumps({"v": 1, "kind": "report", "prompt_record": notes}).encode()
    assert 3 << 20 < len(report) < DOCUMENT_BYTES_MAX
    prompts = [{"text": "x" * 4_000} for _ in range(62)]
    grid = json.dumps({"v": 1, "kind": "grid", "name": "large", "prompts": prompts}).encode()
    assert 200_000 < len(grid) < LIMITS.grid_bytes_max
    ref = "acme/ink-00@1.0.0"
    kept = evidence.ReferencePicture(name="🎨" * 1_000, content=picture())
    messages: dict[str, tuple[Any, ...]] = {
        "PutGrid": (evidence.PutGridRequest(place="acme", grid_document=grid),),
        "ListGrids": (evidence.ListGridsRequest(page_size=1_000, page_token="x" * 500),),
        "EditEvidence": (evidence.EditEvidenceRequest(ref=ref, digest="0" * 64, document=report),),
        "PublishReferences": (
            evidence.PublishReferencesRequest(header=evidence.ReferencesHeader(ref=ref)),
            *[evidence.PublishReferencesRequest(picture=kept)] * 3,
        ),
    }
    lookup = evidence.LookupPictureRequest(image=picture()).SerializeToString()
    filed = evidence.FileReviewRequest(ref=ref, reason="🎨" * 2_000).SerializeToString()
    return {
        "lookup": (f"{EVIDENCE}/LookupPicture", (lookup,), "OK"),
        "file": (f"{EVIDENCE}/FileReview", (filed,), "NOT_FOUND"),
    } | {
        name: (
            f"{EVIDENCE}/{name}",
            tuple(one.SerializeToString() for one in sent),
            "INVALID_ARGUMENT",
        )
        for name, sent in messages.items()
    }


def evaluation_request() -> evaluation.EvaluateRequest:
    """As many pictures as there may be, as large as a message lets them be; none can be read."""
    size = LIMITS.message_bytes_max // LIMITS.evaluation_pictures_max - 64
    pictures = [bytes([number]) * size for number in range(LIMITS.evaluation_pictures_max)]
    return evaluation.EvaluateRequest(ref="acme/ink-00@1.0.0", references=pictures)


def legal_requests() -> Requests:
    """The largest message of every kind that is allowed: path, messages, what is answered."""
    draft: dict[str, Any] = {
        "notes": "🎨" * 8_000,
        "licence": "🎨" * 200,
        "trigger_words": [f"{index}" * 100 for index in range(32)],
        "reason": "🎨" * 2_000,
    }
    parts = publish_parts("acme/new", "1.0.0", content=lora_file(), **draft)
    members = [f"acme/ink-{number:02d}@1.0.0:0.5" for number in range(16)]
    recipe = pb.PublishRecipeRequest(
        draft=pb.ReleaseDraft(adapter="acme/most", version="1.0.0", actor="t", **draft),
        members=refs(*members),
    )
    prompt = "red circle " * (LIMITS.prompt_chars_max // 11)
    drawn: dict[str, Any] = {"num_inference_steps": 150, "num_images": 16, "preview_every": 1}
    inks = [f"acme/ink-{number:02d}@1.0.0:0.5" for number in range(16)]
    file = picture()
    pictographs = "🎨" * LIMITS.prompt_chars_max
    found = {
        "adapters": generation.GenerateRequest(
            prompt="a red circle", adapters=refs(*inks), **drawn
        ),
        "recipe": generation.GenerateRequest(prompt="a red circle", adapters=refs("acme/mix-0001")),
        "picture": generation.GenerateRequest(
            prompt="x", image=file, mask_image=file, width=64, height=64
        ),
        "long prompts": generation.GenerateRequest(
            prompt=prompt, negative_prompt=prompt, prompt_windows_max=4
        ),
        "pictographs": generation.GenerateRequest(prompt=pictographs, negative_prompt=pictographs),
    }
    answers = {"long prompts": "INVALID_ARGUMENT", "pictographs": "INVALID_ARGUMENT"}
    requests = {
        name: (GENERATE, (one.SerializeToString(),), answers.get(name, "OK"))
        for name, one in found.items()
    }
    for path, message in {
        f"{REGISTRY}/PublishRecipe": recipe,
        f"{REGISTRY}/ListAdapters": pb.ListAdaptersRequest(page_size=1_000),
        f"{REGISTRY}/History": pb.HistoryRequest(page_size=1_000),
        f"{REGISTRY}/ServedAt": pb.ServedAtRequest(
            time={"seconds": 4_102_444_800}, page_size=1_000
        ),
        f"{REGISTRY}/Search": pb.SearchRequest(words="mix", page_size=1_000),
        f"{REGISTRY}/ListReleases": pb.ListReleasesRequest(adapter="acme/long", page_size=1_000),
        f"{REGISTRY}/GetAdapter": pb.GetAdapterRequest(adapter="acme/long"),
        f"{REGISTRY}/Watch": pb.WatchRequest(from_seq=1),
        f"{OPERATIONS}/GetStatus": operations.GetStatusRequest(),
        f"{OPERATIONS}/ListReplicas": operations.ListReplicasRequest(),
        **identity_requests(),
    }.items():
        requests[path] = path, (message.SerializeToString(),), "OK"
    sent = tuple(part.SerializeToString() for part in parts)
    asked = evaluation_request().SerializeToString()
    requests["evaluate"] = f"{EVALUATION}/Evaluate", (asked,), "INVALID_ARGUMENT"
    requests["publish"] = f"{REGISTRY}/Publish", sent, "OK"
    options = pb.CheckOptions(trigger_words=parts[0].draft.trigger_words)
    checked = (
        pb.CheckRequest(options=options).SerializeToString(),
        *(pb.CheckRequest.FromString(part).SerializeToString() for part in sent[1:]),
    )
    requests["check"] = f"{REGISTRY}/Check", checked, "OK"
    return {**requests, **acts(), **canary_requests(), **evidence_requests()}


def canary_requests() -> Requests:
    """A canary of what was rolled back before, and a complaint of a picture nobody was sent."""
    most = {"actor": "🎨" * 200, "reason": "🎨" * 2_000}
    other = "acme/long@1.0.1"
    start = canary.StartCanaryRequest(ref=other, override="🎨" * 2_000, **most)
    stop = canary.StopCanaryRequest(ref=other, **most)
    report = canary.ReportImageRequest(image_digest=f"sha256:{'0' * 64}", label=1)
    return {
        name: (f"{CANARY}/{name}", (message.SerializeToString(),), answer)
        for name, message, answer in (
            ("StartCanary", start, "OK"),
            ("StopCanary", stop, "OK"),
            ("ReportImage", report, "NOT_FOUND"),
        )
    }


def acts() -> Requests:
    """An act of every kind with as much to say as it may, and what is asked about one release."""
    most: dict[str, str] = {"actor": "🎨" * 200, "reason": "🎨" * 2_000}
    one, other, mixed = "acme/long@1.0.0", "acme/long@1.0.1", "acme/mix-0900@1.0.0"
    signed = {"ref": one, "key_id": "k" * 64, "signature": "s" * 1_024}
    said: list[tuple[str, dict[str, str], str]] = [
        ("Promote", {"ref": one, "override": "🎨" * 2_000} | most, "OK"),
        ("Promote", {"ref": other} | most, "OK"),
        ("Rollback", {"adapter": "acme/long"} | most, "OK"),
        *((act, {"ref": mixed} | most, "OK") for act in ("Yank", "Unyank", "Quarantine", "Lift")),
        ("Purge", {"ref": mixed} | most, "OK"),
        ("Sign", signed | most, "NOT_FOUND"),
        ("Resolve", {"ref": one}, "OK"),
        ("Edit", {"ref": one, "notes": "🎨" * 8_000, "licence": "🎨" * 200} | most, "OK"),
        ("GetManifest", {"ref": one}, "OK"),
        ("GetDependents", {"ref": one}, "OK"),
        ("Diff", {"ref": one, "other_ref": other}, "OK"),
        ("Fetch", {"ref": "acme/ink-00@1.0.0"}, "OK"),
    ]
    requests: Requests = {}
    for number, (act, fields, answer) in enumerate(said):
        known = {"request_id": f"{number:02d}" + "🎨" * 198} if "reason" in fields else {}
        message = getattr(pb, f"{act}Request")(**fields, **known)
        requests[f"{act} {number}"] = f"{REGISTRY}/{act}", (message.SerializeToString(),), answer
    review = reviews.ReviewRequest(
        ref=one,
        decision=reviews.REVIEW_DECISION_APPROVE,
        note="🎨" * 2_000,
        actor="🙂" * 200,
        request_id="rv" + "🎨" * 198,
    )
    said = {"reason": "🎨" * 2_000, "actor": "🙂" * 200, "request_id": "vt" + "🎨" * 198}
    choice = reviews.VOTE_CHOICE_TIE
    vote = reviews.VoteRequest(ref=one, pair="p" * 512, choice=choice, **said)
    requests["vote"] = f"{REVIEW}/Vote", (vote.SerializeToString(),), "NOT_FOUND"
    requests["review"] = f"{REVIEW}/Review", (review.SerializeToString(),), "OK"
    warm = operations.WarmRequest(ref="acme/ink-00@1.0.0").SerializeToString()
    return {**requests, "warm": (f"{OPERATIONS}/Warm", (warm,), "OK")}


def illegal_requests() -> Requests:
    """Messages that are too much, as large as gRPC lets them in."""
    many = LIMITS.message_bytes_max // 2 - 64
    words = pb.ReleaseDraft(trigger_words=["x"] * 10**6)
    raw = {
        "a million adapters": (
            GENERATE,
            generation.GenerateRequest(adapters=refs("acme/ink@1.0.0:0.5") * 10**6),
        ),
        "one long prompt": (GENERATE, generation.GenerateRequest(prompt="<lora:" * 5_000_000)),
        "empty adapters": (GENERATE, b"\x1a\x00" * many),
        "prompt again and again": (GENERATE, b"\x0a\x00" * many),
        "unknown fields": (GENERATE, b"\xf8\x3f" * many),
        "members": (f"{REGISTRY}/PublishRecipe", b"\x12\x00" * many),
        "words of a recipe": (f"{REGISTRY}/PublishRecipe", pb.PublishRecipeRequest(draft=words)),
        "words of a release": (f"{REGISTRY}/Publish", pb.PublishRequest(draft=words)),
        "long question": (f"{REGISTRY}/Search", pb.SearchRequest(words="a " * 10**6)),
    }
    return {
        name: (path, (_raw(message),), "INVALID_ARGUMENT") for name, (path, message) in raw.items()
    }


def _raw(message: Any) -> bytes:
    return message if isinstance(message, bytes) else bytes(message.SerializeToString())


def test_every_method_is_asked() -> None:
    """A method that is added needs its largest message here, too."""
    assert {path for path, _messages, _answer in legal_requests().values()} | SMALL == set(METHODS)


@pytest.mark.parametrize("requests", [legal_requests, illegal_requests])
def test_no_callback_is_long(
    requests: Callable[[], Requests],
    tmp_path: Path,
    store: MemoryStore,
    reader: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever is counted, parsed, checked, written or drawn: none takes 80 ms of the loop.

    A core that others use takes longer for the same work: what is long must be so every time.
    """
    asked = requests()
    long: dict[str, list[tuple[float, str]]] = {}

    async def walk(folder: Path) -> tuple[dict[str, str], dict[str, list[tuple[float, str]]]]:
        answered, found = {}, {}
        async with stocked(folder, store.copy(), reader) as ask:
            for name, (path, messages, _answer) in asked.items():
                with watched_callbacks(monkeypatch) as watched:
                    answered[name] = await ask(path, *messages)
                if watched.long:
                    found[name] = watched.long
        return answered, found

    for number in range(TRIES):
        answered, found = asyncio.run(walk(tmp_path / f"{number}"))
        assert answered == {name: answer for name, (_path, _messages, answer) in asked.items()}
        long = {name: found[name] for name in (long if number else found) if name in found}
        if not long:
            break

    assert long == {}
