# SPDX-License-Identifier: Apache-2.0
"""Who calls is known at the door: what does not count is refused, and what is secret stays so."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from tabard.v1 import identity_service_pb2 as pb
from tabard.v1 import operations_service_pb2, registry_service_pb2
from tabard_registry import Registry
from tabard_registry.identity.roles import EVERYTHING, Grants, Role
from tabard_registry.identity.tokens import new_secret
from tests.registry.fakes import MemoryStore
from tests.server.harness import (
    PATIENCE_SECONDS,
    Refusal,
    Server,
    lora_file,
    publish_parts,
    read_page,
    read_refusal,
)
from tests.server.rpc.door.known_callers import (
    OTHER,
    OWN,
    PRIVATE,
    ROOT,
    as_bearer,
    asking,
    call,
    request_for,
    token_for,
)

WHO = "/tabard.v1.IdentityService/WhoAmI"
STATUS = "/tabard.v1.OperationsService/GetStatus"


async def refusal_by(server: Server, metadata: list[tuple[str, str]]) -> Refusal:
    """Return how a call with this metadata is refused."""
    ask: Any = server.channel.unary_unary(WHO)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await ask(b"", metadata=metadata)
    return read_refusal(refused.value)


def test_what_does_not_count_says_what_to_do(tmp_path: Path) -> None:
    """Each kind of wrong token has a reason and a hint of its own, and is repeated nowhere."""
    other = Registry.open(MemoryStore())
    foreign = other.create_token("ann", grants=EVERYTHING, author=ROOT).secret

    async def walk() -> dict[str, Refusal]:
        async with asking(tmp_path) as server:
            home = server.app.registry
            good = token_for(server, "good", **{OWN: (Role.GENERATE,)})
            revoked = token_for(server, "gone", **{OWN: (Role.GENERATE,)})
            home.revoke_token("gone", author=ROOT)
            guessed = new_secret(home.id).text
            bent = good[:-1] + ("0" if good[-1] != "0" else "1")
            shown: dict[str, list[tuple[str, str]]] = {
                "TOKEN_MISSING": [],
                "TOKEN_OF_ANOTHER_REGISTRY": as_bearer(foreign),
                "TOKEN_REVOKED": as_bearer(revoked),
                "TOKEN_UNKNOWN": as_bearer(guessed),
                "TOKEN_UNKNOWN by one character": as_bearer(bent),
                "TOKEN_MALFORMED cut": as_bearer(good[:-1]),
                "TOKEN_MALFORMED other": as_bearer("a.b.c"),
                "TOKEN_MALFORMED scheme": [("authorization", f"Basic {good}")],
                "TOKEN_MALFORMED twice": as_bearer(good) * 2,
                "TOKEN_MALFORMED empty": [("authorization", "Bearer ")],
                "TOKEN_MALFORMED long": as_bearer("tabard_" + "a" * 7_000),
            }
            return {name: await refusal_by(server, said) for name, said in shown.items()}

    found = asyncio.run(walk())
    other.close()

    assert {name: one.reason for name, one in found.items()} == {
        name: name.partition(" ")[0] for name in found
    }
    assert {one.code for one in found.values()} == {grpc.StatusCode.UNAUTHENTICATED}
    assert all(one.hint for one in found.values())
    assert not [one for one in found.values() if re.search(r"tabard_[0-9a-f]{8}_", str(one))]


def test_megabyte_of_token_is_refused_by_grpc(tmp_path: Path) -> None:
    """GRPC takes no metadata of that size: it is not even read, and the server goes on."""

    async def walk() -> tuple[Any, str]:
        async with asking(tmp_path) as server:
            ask: Any = server.channel.unary_unary(WHO)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await ask(b"", metadata=as_bearer("a" * 1_000_000))
            good = token_for(server, "good", **{OWN: (Role.GENERATE,)})
            found, _error = await call(server, WHO, [pb.WhoAmIRequest()], secret=good)
            return refused.value.code(), found[0].name

    code, name = asyncio.run(walk())

    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert name == "good"


def test_who_am_i(tmp_path: Path) -> None:
    """Name, tenant, roles, proof and expiry of a token; health and reflection ask nobody."""
    ends = datetime.now(UTC) + timedelta(days=1)

    async def walk() -> pb.WhoAmIResponse:
        async with asking(tmp_path) as server:
            made = server.app.registry.create_token(
                "ann",
                grants=Grants({OWN: frozenset({Role.PUBLISH})}),
                author=ROOT,
                tenant="studio",
                expires_at=ends,
            )
            found, _error = await call(server, WHO, [pb.WhoAmIRequest()], secret=made.secret)
            return found[0]

    found = asyncio.run(walk())

    assert (found.name, found.tenant, found.proof) == ("ann", "studio", 1)
    assert [(one.namespace, one.role) for one in found.grants] == [(OWN, pb.Role.ROLE_PUBLISH)]
    assert datetime.fromisoformat(found.expires_at) == ends.replace(microsecond=0)


@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_stream_ends_with_its_token(tmp_path: Path, how: str) -> None:
    """A watch ends once its token counts no longer, and says why."""
    ends = datetime.now(UTC) + timedelta(seconds=1.5) if how == "expired" else None

    async def walk() -> tuple[Refusal, int]:
        async with asking(tmp_path) as server:
            home = server.app.registry
            made = home.create_token("ann", grants=EVERYTHING, author=ROOT, expires_at=ends)
            watching = server.registry.Watch(
                registry_service_pb2.WatchRequest(from_seq=1), metadata=as_bearer(made.secret)
            )
            await watching.read()
            if how == "revoked":
                home.revoke_token(made.token.id, author=ROOT)
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    while await watching.read() is not grpc.aio.EOF:
                        pass
                    await _raise_status(watching)
            return read_refusal(ended.value), server.app._front.sessions.held

    refusal, held = asyncio.run(walk())

    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.UNAUTHENTICATED,
        f"TOKEN_{how.upper()}",
    )
    assert held == 0


async def _raise_status(call: Any) -> None:
    raise grpc.aio.AioRpcError(
        await call.code(),
        await call.initial_metadata(),
        await call.trailing_metadata(),
        await call.details(),
    )


def test_job_ends_with_its_token(tmp_path: Path) -> None:
    """An image that is being drawn is drawn no further for a token that was revoked."""

    async def walk() -> tuple[Refusal, int]:
        async with asking(tmp_path) as server:
            secret = token_for(server, "ann", **{OWN: (Role.GENERATE,)})
            request = request_for("/tabard.v1.GenerationService/Generate", OWN)[0]
            request.num_inference_steps = 100  # type: ignore[attr-defined]
            server.engine.hold_steps()
            drawing = server.generation.Generate(request, metadata=as_bearer(secret))
            await drawing.read()
            server.app.registry.revoke_token("ann", author=ROOT)
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    while await drawing.read() is not grpc.aio.EOF:
                        pass
                    await _raise_status(drawing)
            server.engine.let_go()
            return read_refusal(ended.value), server.app.generation.jobs_left

    refusal, left = asyncio.run(walk())

    assert refusal.reason == "TOKEN_REVOKED"
    assert left == 0


def test_record_has_who_was_shown(tmp_path: Path) -> None:
    """The actor is the identity; what the caller says of itself is beside it."""

    async def walk() -> Any:
        async with asking(tmp_path) as server:
            secret = token_for(server, "ci/nightly", **{OWN: (Role.PUBLISH,)})
            parts = publish_parts(f"{OWN}/new", "1.0.0", content=lora_file(seed_text="new"))
            publish = "/tabard.v1.RegistryService/Publish"
            await call(server, publish, list(parts), secret=secret)
            history = "/tabard.v1.RegistryService/History"
            asked = registry_service_pb2.HistoryRequest(adapter=f"{OWN}/new")
            found, _error = await call(server, history, [asked], secret=secret)
            return found[0].records[0].actions[0]

    action = asyncio.run(walk())

    assert (action.actor, action.on_behalf_of, action.proof) == ("ci/nightly", "tester", 1)


def test_second_draft_is_no_way_in(tmp_path: Path) -> None:
    """Who may publish in one namespace cannot say another one later in the stream."""

    async def walk() -> list[Refusal]:
        async with asking(tmp_path) as server:
            secret = token_for(server, "ann", **{OWN: (Role.PUBLISH,)})
            own = publish_parts(f"{OWN}/new", "1.0.0", content=lora_file())
            other = publish_parts(f"{OTHER}/new", "1.0.0", content=lora_file())
            streams = [[own[0], other[0], *own[1:]], own[1:]]
            found = []
            for stream in streams:
                _answers, error = await call(
                    server, "/tabard.v1.RegistryService/Publish", stream, secret=secret
                )
                assert error is not None
                found.append(read_refusal(error))
            return found

    second, none = asyncio.run(walk())

    assert second.code is grpc.StatusCode.PERMISSION_DENIED
    assert (none.code, none.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UPLOAD_BROKEN")


def test_private_names_are_nowhere(tmp_path: Path) -> None:
    """Who may not generate there finds no word of it: lists, search, history, status, watch."""

    async def walk() -> tuple[dict[str, bytes], dict[str, bytes], str]:
        async with asking(tmp_path, metrics_listen="127.0.0.1:0") as server:
            mine = token_for(server, "ann", **{OWN: (Role.GENERATE,)})
            theirs = token_for(server, "eve", **{PRIVATE: tuple(Role), OWN: tuple(Role)})
            draw = "/tabard.v1.GenerationService/Generate"
            _found, error = await call(server, draw, request_for(draw, PRIVATE), secret=theirs)
            assert error is None
            recipe = "/tabard.v1.RegistryService/PublishRecipe"
            request: Any = request_for(recipe, OWN)[0]
            request.members.add(ref=f"{PRIVATE}/ink@1.0.0")
            _found, error = await call(server, recipe, [request], secret=theirs)
            assert error is None
            page = await asyncio.to_thread(read_page, server.metrics_address)
            return await tell(server, mine), await tell(server, theirs), page

    mine, theirs, page = asyncio.run(walk())

    word = PRIVATE.encode()
    assert {path for path, told in mine.items() if word in told} == set()
    assert {path for path, told in theirs.items() if word in told} == set(theirs)
    assert PRIVATE not in page
    assert 'tabard_rows_total{adapter="private"' in page


async def tell(server: Server, secret: str) -> dict[str, bytes]:
    """Return all that somebody is told where no namespace is named."""
    registry = "/tabard.v1.RegistryService"
    status = operations_service_pb2.GetStatusRequest()
    asked: dict[str, list[Any]] = {
        f"{registry}/{name}": request_for(f"{registry}/{name}", "")
        for name in ("ListAdapters", "Search", "ServedAt", "History")
    } | {STATUS: [status]}
    told = {}
    for path, messages in asked.items():
        found, error = await call(server, path, messages, secret=secret)
        assert error is None, (path, error)
        told[path] = b"".join(one.SerializeToString() for one in found)
    watching = server.registry.Watch(
        registry_service_pb2.WatchRequest(from_seq=1), metadata=as_bearer(secret)
    )
    told["watch"] = b""
    last = f"{OWN}/ink" if PRIVATE.encode() not in told[STATUS] else f"{OWN}/mix"
    newest = server.app.registry.seq
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            message = await watching.read()
            told["watch"] += message.SerializeToString()
            is_last = any(action.adapter == last for action in message.record.actions)
            if message.record.seq == newest or (is_last and message.record.seq >= 4):
                break
    watching.cancel()
    return told


def test_near_names_are_not_those_of_private_ones(tmp_path: Path) -> None:
    """A slip of the hand within one's own namespace brings no private name to light."""

    async def walk() -> list[str]:
        async with asking(tmp_path) as server:
            secret = token_for(server, "ann", **{OWN: tuple(Role)})
            found = []
            for kind, path in (
                (registry_service_pb2.ResolveRequest, "Resolve"),
                (registry_service_pb2.PromoteRequest, "Promote"),
                (registry_service_pb2.YankRequest, "Yank"),
            ):
                asked = kind(ref=f"{OWN}/secret-ink@1.0.0")
                if path != "Resolve":
                    asked.reason = "why"  # type: ignore[union-attr]
                _answers, error = await call(
                    server, f"/tabard.v1.RegistryService/{path}", [asked], secret=secret
                )
                assert error is not None
                found.append(read_refusal(error).hint)
            return found

    assert not [hint for hint in asyncio.run(walk()) if f"{PRIVATE}/" in hint]


def test_secrets_are_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Not in the log, answers, metrics or any record; only who makes a token is shown it."""

    async def walk() -> tuple[list[str], str, str]:
        async with asking(tmp_path, metrics_listen="127.0.0.1:0", log_level="debug") as server:
            admin = token_for(server, "root", everywhere=(Role.ADMIN,))
            create = "/tabard.v1.IdentityService/CreateToken"
            found, _error = await call(server, create, request_for(create, OWN), secret=admin)
            secrets, told = [admin, found[0].secret], ""
            for name in ("ListTokens", "WhoAmI", "RevokeToken"):
                path = f"/tabard.v1.IdentityService/{name}"
                for secret in (*secrets, "tabard_planted"):
                    found, error = await call(server, path, request_for(path, OWN), secret=secret)
                    told += f"{found} {error}"
            page = await asyncio.to_thread(read_page, server.metrics_address)
            return secrets, told, page

    secrets, told, page = asyncio.run(walk())

    files = [one for one in (tmp_path / "registry").rglob("*") if one.is_file()]
    written = b"".join(one.read_bytes() for one in files).decode("latin-1")
    everything = told + page + caplog.text + written
    assert len(files) > 5
    assert not [one for one in (*secrets, "tabard_planted") if one in everything]
    assert not [one for one in secrets if one.rpartition("_")[2] in everything]


def test_operators_socket_is_trusted(tmp_path: Path) -> None:
    """Whoever can open it is who runs the server; a port of operators asks like any other."""

    async def walk(listen: str) -> Any:
        folder = tmp_path / listen.partition(":")[0]
        async with (
            asking(folder, operators_listen=listen) as server,
            grpc.aio.insecure_channel(server.operators_address) as channel,
        ):
            ask: Any = channel.unary_unary(WHO, response_deserializer=pb.WhoAmIResponse.FromString)
            return await ask(b"")

    for name in ("unix", "127.0.0.1"):
        (tmp_path / name).mkdir()
    found = asyncio.run(walk(f"unix:{tmp_path}/operators"))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        asyncio.run(walk("127.0.0.1:0"))

    assert [(one.namespace, one.role) for one in found.grants] == [("*", pb.Role.ROLE_ADMIN)]
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_event_of_a_job_has_who_asked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Identity and tenant, and nothing of the token."""
    caplog.set_level("INFO")

    async def walk() -> str:
        async with asking(tmp_path) as server:
            made = server.app.registry.create_token(
                "ann", grants=EVERYTHING, author=ROOT, tenant="studio"
            )
            draw = "/tabard.v1.GenerationService/Generate"
            _found, error = await call(server, draw, request_for(draw, OWN), secret=made.secret)
            assert error is None
        return made.secret

    secret = asyncio.run(walk())

    (told,) = (one for one in caplog.messages if "job.ended" in one)
    assert "'identity': 'ann'" in told
    assert "'tenant': 'studio'" in told
    assert secret not in caplog.text
