# SPDX-License-Identifier: Apache-2.0
"""Tokens and policies over gRPC: who may make, see and revoke which."""

import asyncio
from pathlib import Path
from typing import Any

import grpc

from tabard.v1 import identity_service_pb2 as pb
from tabard_registry.identity.roles import Role
from tests.server.harness import read_refusal
from tests.server.rpc.door.known_callers import OTHER, OWN, asking, call, token_for

PATH = "/tabard.v1.IdentityService"


def grant(space: str, role: Any = pb.Role.ROLE_GENERATE) -> pb.Grant:
    """Return a grant."""
    return pb.Grant(namespace=space, role=role)


def test_admin_makes_and_revokes_tokens_of_its_namespace(tmp_path: Path) -> None:
    """They count at once, and no longer once they are revoked; others are not to be seen."""

    async def walk() -> tuple[Any, ...]:
        async with asking(tmp_path) as server:
            admin = token_for(server, "own-admin", **{OWN: (Role.ADMIN,)})
            token_for(server, "stranger", **{OTHER: (Role.GENERATE,)})

            async def ask(name: str, message: Any, *, secret: str = admin) -> Any:
                found, error = await call(server, f"{PATH}/{name}", [message], secret=secret)
                return found[0] if error is None else read_refusal(error)

            made = await ask("CreateToken", pb.CreateTokenRequest(name="ann", grants=[grant(OWN)]))
            known = await ask("WhoAmI", pb.WhoAmIRequest(), secret=made.secret)
            listed = await ask("ListTokens", pb.ListTokensRequest())
            page = await ask("ListTokens", pb.ListTokensRequest(page_size=1))
            rest = await ask(
                "ListTokens", pb.ListTokensRequest(page_size=1, page_token=page.next_page_token)
            )
            hidden = await ask("RevokeToken", pb.RevokeTokenRequest(token="stranger", reason="why"))
            absent = await ask("RevokeToken", pb.RevokeTokenRequest(token="absentee", reason="why"))
            await ask("RevokeToken", pb.RevokeTokenRequest(token="ann", reason="left"))
            gone = await ask("WhoAmI", pb.WhoAmIRequest(), secret=made.secret)
            ended = await ask("ListTokens", pb.ListTokensRequest(include_ended=True))
            return made, known, listed, page, rest, hidden, absent, gone, ended

    made, known, listed, page, rest, hidden, absent, gone, ended = asyncio.run(walk())

    assert (known.name, known.tenant) == ("ann", "own-admin")
    assert made.token.created_by == "own-admin"
    assert [one.name for one in listed.tokens] == ["ann", "own-admin"]
    assert [one.name for one in (*page.tokens, *rest.tokens)] == ["ann", "own-admin"]
    assert hidden.reason == absent.reason == "TOKEN_NOT_FOUND"
    assert hidden.message.replace("stranger", "absentee") == absent.message
    assert (gone.code, gone.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_REVOKED")
    assert [(one.name, one.revoked) for one in ended.tokens] == [
        ("ann", True),
        ("own-admin", False),
    ]


def test_nobody_gives_more_than_they_have(tmp_path: Path) -> None:
    """Neither in another namespace, nor in all, nor as another tenant."""
    wrong = [
        pb.CreateTokenRequest(name="a", grants=[grant(OWN), grant(OTHER)]),
        pb.CreateTokenRequest(name="b", grants=[grant("*")]),
        pb.CreateTokenRequest(name="c", grants=[grant(OWN)], tenant="another"),
    ]

    async def walk() -> tuple[list[Any], list[str]]:
        async with asking(tmp_path) as server:
            admin = token_for(server, "own-admin", **{OWN: (Role.ADMIN,)})
            root = token_for(server, "root", everywhere=(Role.ADMIN,))
            path = f"{PATH}/CreateToken"
            refused = [
                read_refusal(error)
                for message in wrong
                if (error := (await call(server, path, [message], secret=admin))[1])
            ]
            made = [
                (await call(server, path, [message], secret=root))[0][0].token.name
                for message in wrong
            ]
            return refused, made

    refused, made = asyncio.run(walk())

    assert [(one.code, one.reason) for one in refused] == [
        (grpc.StatusCode.PERMISSION_DENIED, "ROLE_MISSING")
    ] * 3
    assert made == ["a", "b", "c"]


def test_policy_changes_what_is_said(tmp_path: Path) -> None:
    """What is not said stays as it is; a namespace nobody spoke of asks for nothing."""

    async def walk() -> list[pb.Policy]:
        async with asking(tmp_path) as server:
            admin = token_for(server, "own-admin", **{OWN: (Role.ADMIN,)})
            found = []
            for name, message in (
                ("GetPolicy", pb.GetPolicyRequest(namespace=OWN)),
                ("SetPolicy", pb.SetPolicyRequest(namespace=OWN, private=True)),
                ("SetPolicy", pb.SetPolicyRequest(namespace=OWN, require_identity=True)),
                ("GetPolicy", pb.GetPolicyRequest(namespace=OWN)),
            ):
                answers, error = await call(server, f"{PATH}/{name}", [message], secret=admin)
                assert error is None
                found.append(answers[0].policy)
            return found

    before, private, both, after = asyncio.run(walk())

    assert before == pb.Policy(namespace=OWN)
    assert private == pb.Policy(namespace=OWN, private=True)
    assert both == after == pb.Policy(namespace=OWN, private=True, require_identity=True)
