# SPDX-License-Identifier: Apache-2.0
"""Which role every method needs: all of them, by reflection, with every role in every namespace."""

import asyncio
from pathlib import Path

import grpc
import pytest

from tabard_registry.identity.roles import Role
from tabard_server.rpc.door.roles import RULES
from tests.server.harness import Refusal, Server, read_refusal
from tests.server.rpc.door.known_callers import (
    ABSENT,
    METHODS,
    OTHER,
    OWN,
    PRIVATE,
    asking,
    call,
    request_for,
    token_for,
)

ALL = frozenset(Role)
REVIEW = {Role.REVIEW, Role.ADMIN}
PUBLISH, PROMOTE = {Role.PUBLISH, Role.ADMIN}, {Role.PROMOTE, Role.ADMIN}
OPERATE, ADMIN = {Role.OPERATE, Role.ADMIN}, {Role.ADMIN}
NOBODY: frozenset[Role] = frozenset()
"""A role in one namespace is not enough: it must be held in all of them."""

IN_NAMESPACE = {
    "Generate": ALL,
    "GetAdapter": ALL,
    "ListReleases": ALL,
    "Resolve": ALL,
    "GetManifest": ALL,
    "Diff": ALL,
    "GetDependents": ALL,
    "Fetch": ALL,
    "ServedAt": ALL,
    "History": ALL,
    "GetPolicy": ALL,
    "ExplainPolicy": ALL,
    "GetCanary": ALL,
    "ListCanaries": ALL,
    "ListEvidence": ALL,
    "GetEvidence": ALL,
    "GetPicture": ALL,
    "PublishReferences": PUBLISH | {Role.REVIEW},
    "PutGrid": PUBLISH,
    "GetGrid": ALL,
    "ListGrids": ALL,
    "EditEvidence": PUBLISH | {Role.REVIEW},
    "FileReview": PUBLISH | {Role.REVIEW},
    "ListReviews": ALL,
    "Review": REVIEW,
    "NextPair": REVIEW,
    "GetPairPicture": REVIEW,
    "Vote": REVIEW,
    "Publish": PUBLISH,
    "PublishRecipe": PUBLISH,
    "Edit": PUBLISH,
    "Sign": PUBLISH,
    "Evaluate": {Role.PUBLISH, Role.REVIEW, Role.ADMIN},
    "Promote": PROMOTE,
    "StartCanary": PROMOTE,
    "StopCanary": PROMOTE,
    "Rollback": PROMOTE,
    "Yank": OPERATE,
    "Unyank": OPERATE,
    "Quarantine": OPERATE,
    "Lift": OPERATE,
    "Purge": OPERATE,
    "CreateToken": ADMIN,
    "SetPolicy": ADMIN,
}
"""Who may, in the namespace of the role; in others nobody."""
ANYWHERE = {
    "GetJob": ALL,
    "WatchJob": ALL,
    "ListJobs": ALL,
    "CancelJob": ALL,
    "RetryJob": ALL,
    "GetJobImage": ALL,
    "LookupPicture": ALL,
    "ListAdapters": ALL,
    "Search": ALL,
    "ReportImage": ALL,
    "Watch": ALL,
    "GetStatus": ALL,
    "WhoAmI": ALL,
    "Check": PUBLISH,
    "ListTokens": ADMIN,
    "RevokeToken": ADMIN,
    "Verify": NOBODY,
    "ListReplicas": NOBODY,
    "Warm": NOBODY,
    "Drain": NOBODY,
}
"""Who may, whatever namespace it is about; what is shown then is another matter."""
OPEN = ("Health", "ServerReflection")
REFUSALS = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)


def is_open(path: str) -> bool:
    """Say whether a method asks nobody who they are."""
    return path.split("/")[1].rpartition(".")[2] in OPEN


OURS = sorted(path for path in METHODS if not is_open(path))


def may(path: str, role: Role, *, space: str) -> bool:
    """Say what the tables above say."""
    name = path.rpartition("/")[2]
    if name in ANYWHERE:
        return role in ANYWHERE[name]
    return role in IN_NAMESPACE[name] and space == OWN


def test_every_method_has_its_row() -> None:
    """A method that is added needs a rule, and a row here."""
    names = {path.rpartition("/")[2] for path in OURS}

    assert set(RULES) == set(METHODS)
    assert names == {*IN_NAMESPACE, *ANYWHERE}
    assert {path for path, rule in RULES.items() if rule.is_open} == set(METHODS) - set(OURS)


async def code_of(server: Server, path: str, space: str, *, secret: str) -> grpc.StatusCode:
    """Return how a call ends."""
    _found, error = await call(server, path, request_for(path, space), secret=secret)
    return grpc.StatusCode.OK if error is None else error.code()


def test_role_by_method_and_namespace(tmp_path: Path) -> None:
    """Every method by every role in own, other and private namespace: as the tables say."""

    async def walk() -> dict[tuple[str, str, str], grpc.StatusCode]:
        found = {}
        async with asking(tmp_path) as server:
            for role in Role:
                secret = token_for(server, f"has-{role}", **{OWN: (role,)})
                for path in OURS:
                    for space in (OWN, OTHER, PRIVATE):
                        code = await code_of(server, path, space, secret=secret)
                        found[path, role.value, space] = code
        return found

    found = asyncio.run(walk())

    wrong = {
        key: code
        for key, code in found.items()
        if (code not in REFUSALS) is not may(key[0], Role(key[1]), space=key[2])
    }
    assert len(found) == len(OURS) * len(Role) * 3
    assert wrong == {}
    assert grpc.StatusCode.UNAUTHENTICATED not in found.values()
    assert grpc.StatusCode.INTERNAL not in found.values()


@pytest.mark.parametrize("role", [Role.OPERATE, Role.ADMIN])
def test_server_is_looked_after_by_roles_everywhere(tmp_path: Path, role: Role) -> None:
    """`operate` in all namespaces, which `admin` implies; `publish` in all is not enough."""

    async def walk() -> list[grpc.StatusCode]:
        async with asking(tmp_path) as server:
            may = token_for(server, "may", everywhere=(role,))
            may_not = token_for(server, "may-not", everywhere=(Role.PUBLISH, Role.PROMOTE))
            paths = [f"/tabard.v1.OperationsService/{one}" for one in ("Verify", "Warm", "Drain")]
            return [
                await code_of(server, path, OWN, secret=secret)
                for secret in (may_not, may)
                for path in paths
            ]

    denied, allowed = (found := asyncio.run(walk()))[:3], found[3:]

    assert set(denied) == {grpc.StatusCode.PERMISSION_DENIED}
    assert set(allowed) == {grpc.StatusCode.OK}


@pytest.mark.parametrize("path", sorted(METHODS))
def test_nobody_is_let_in_unknown(shared_server: "Shared", path: str) -> None:
    """Without a token every method is UNAUTHENTICATED, but for health and reflection."""
    refusal = shared_server.refusal(path)

    if is_open(path):
        assert refusal is None
    else:
        assert refusal is not None
        assert (refusal.code, refusal.reason) == (REFUSALS[0], "TOKEN_MISSING")
        assert refusal.hint


class Shared:
    """What every method says to who shows nothing."""

    def __init__(self, folder: Path) -> None:
        async def walk() -> dict[str, Refusal | None]:
            found = {}
            async with asking(folder) as server:
                for path in METHODS:
                    _answers, error = await call(server, path, request_for(path, OWN), secret=None)
                    found[path] = None if error is None else read_refusal(error)
            return found

        self._found = asyncio.run(walk())

    def refusal(self, path: str) -> Refusal | None:
        """Return how a method refuses."""
        return self._found[path]


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """One server for all methods."""
    return Shared(tmp_path_factory.mktemp("server"))


def test_private_and_absent_are_told_alike(tmp_path: Path) -> None:
    """Whatever is asked of a private namespace is refused in the words of one that is not there."""

    async def walk() -> list[tuple[str, object, object]]:
        found: list[tuple[str, object, object]] = []
        async with asking(tmp_path) as server:
            for name, spaces in {
                "in-own": {OWN: tuple(Role)},
                "nowhere": {"zeta": (Role.ADMIN,)},
            }.items():
                secret = token_for(server, name, **spaces)
                for path in OURS:
                    told = [
                        await answer_of(server, path, one, secret=secret)
                        for one in (PRIVATE, ABSENT)
                    ]
                    found.append((f"{name} {path}", told[0], told[1]))
        return found

    assert [one for one in asyncio.run(walk()) if one[1] != one[2]] == []


async def answer_of(server: Server, path: str, space: str, *, secret: str) -> object:
    """Return how a method refuses, but for the namespace; of an answer, that it is one."""
    _found, error = await call(server, path, request_for(path, space), secret=secret)
    if error is None:
        return "answered"
    refusal = read_refusal(error)
    told = (refusal.code, refusal.reason, refusal.message, refusal.hint, refusal.fields)
    return str(told).replace(space, "SPACE")
