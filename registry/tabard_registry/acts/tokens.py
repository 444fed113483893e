# SPDX-License-Identifier: Apache-2.0
"""Tokens as acts: made once, revoked for good. Their secrets never come here.

That an author may give what a token gives is asked with all other permissions.
"""

from __future__ import annotations

from tabard_registry.acts.act import Act, Acted, Landed, Plan
from tabard_registry.errors import AlreadyExists, InvalidField, NotFound, PreconditionFailed
from tabard_registry.identity.roles import ANY_NAMESPACE, EVERYTHING, Grants, Role
from tabard_registry.identity.tokens import Token, is_token_id
from tabard_registry.log.records import TOKEN, Action
from tabard_registry.state.state import TOKENS_MAX, State


def create_token(token: Token, *, is_first: bool = False) -> Act[Token]:
    """Plan to let a token count.

    Args:
        token: The token.
        is_first: Only if no token counts, at the time it is made, that is admin everywhere.

    Raises:
        InvalidField: It would never count.

    Its plan raises:
        AlreadyExists: Another one that was not revoked has the name (TOKEN_EXISTS), or there is an
            admin already (TOKENS_EXIST).
        PreconditionFailed: There are too many that were not revoked (TOKENS_TOO_MANY).
    """
    if not token.is_live(at=token.created_at):
        raise InvalidField(
            f"a token that ends at {token.expires_at} would never count",
            reason="FIELD_INVALID",
            hint="Name a time that is still to come, for example `--expires 90d`.",
        )
    action = Action(type=TOKEN, summary=token.to_json())

    def plan(state: State) -> Plan:
        if is_first:
            _refuse_second(state, at=token.created_at)
        for one in state.tokens.values():
            if one.id == token.id or token.is_namesake(one):
                raise AlreadyExists(
                    f"there is a token {token.name}, {one.id}",
                    reason="TOKEN_EXISTS",
                    hint="Take another name, or first say "
                    f"`tabard token revoke {one.id} --reason …`.",
                )
        if sum(not one.revoked for one in state.tokens.values()) >= TOKENS_MAX:
            raise PreconditionFailed(
                f"there are {TOKENS_MAX} tokens",
                reason="TOKENS_TOO_MANY",
                hint="Revoke those that nobody needs: `tabard token list`.",
            )
        return Plan(action=action)

    return Act(
        plan=plan,
        is_same=lambda found: (found.type, found.summary) == (TOKEN, action.summary),
        answer=lambda state, landed: _answer(state, landed, name=token.id),
    )


def revoke_token(name: str, *, reason: str, grants: Grants) -> Act[Acted[Token]]:
    """Plan to let a token count no longer, for good; doing it again changes nothing.

    Args:
        name: Its id, or its name.
        reason: Why.
        grants: Those of who revokes: for them a token that gives more does not exist.

    Its plan raises NotFound when there is no such token (TOKEN_NOT_FOUND).
    """

    def plan(state: State) -> Plan:
        token = find_token(state, name, grants=grants)
        if token.revoked:
            return Plan(action=None)
        revoked = token.as_revoked(reason, places=())
        return Plan(action=Action(type=TOKEN, summary=revoked.to_json()))

    def is_same(found: Action) -> bool:
        if found.type != TOKEN or not found.summary["revoked"]:
            return False
        return name in (found.summary["id"], found.summary["name"])

    return Act(
        plan=plan,
        is_same=is_same,
        answer=lambda state, landed: Acted(
            subject=_answer(state, landed, name=name), changed=landed is not None
        ),
        reasoned="revoking a token",
    )


def may_give(grants: Grants, token: Token) -> bool:
    """Say whether somebody could have made a token: only they see it, and may revoke it."""
    spaces = token.grants.by_namespace
    return all(grants.allow(Role.ADMIN, namespace=namespace) for namespace in spaces)


def find_token(state: State, name: str, *, grants: Grants) -> Token:
    """Return a token by its id, or by its name: the one not revoked, or the newest that was.

    Raises:
        NotFound: There is none, or none that they could have made (TOKEN_NOT_FOUND).
    """
    if is_token_id(name):
        found = state.tokens.get(name)
    else:
        named = [one for one in state.tokens.values() if one.name == name]
        found = min(reversed(named), key=lambda one: one.revoked, default=None)
    if found is None or not may_give(grants, found):
        raise NotFound(
            f"there is no token {name[:80]!r}",
            reason="TOKEN_NOT_FOUND",
            hint="`tabard token list` shows ids and names.",
        )
    return found


def _refuse_second(state: State, *, at: str) -> None:
    for one in state.tokens.values():
        if one.is_live(at=at) and one.grants.allow(Role.ADMIN, namespace=ANY_NAMESPACE):
            raise AlreadyExists(
                f"this registry has a token that is admin everywhere: {one.name}, {one.id}",
                reason="TOKENS_EXIST",
                hint="Let its owner make the others. If it is lost, revoke it on the machine: "
                f"`tabard token revoke {one.id} --registry URL --reason lost`.",
            )


def _answer(state: State, landed: Landed | None, *, name: str) -> Token:
    id = str(landed.action.summary["id"]) if landed else name
    return find_token(state, id, grants=EVERYTHING)
