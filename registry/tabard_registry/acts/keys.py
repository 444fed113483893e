# SPDX-License-Identifier: Apache-2.0
"""Who may vouch for releases, and who does: keys and policies of namespaces, signatures.

Private keys stay with their owners; no registry ever sees one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tabard_registry.acts.act import Act, Acted, Plan, acted, action_on
from tabard_registry.acts.standing import refuse_inexact
from tabard_registry.errors import InvalidField, NotFound, PreconditionFailed, check_text
from tabard_registry.log.records import Action
from tabard_registry.refs.names import AdapterRef, check_namespace
from tabard_registry.release.gates import Gate, check_pattern, with_gates
from tabard_registry.release.keys import KEY_NAME_CHARS_MAX, POLICY_WORDS, Key, Policy
from tabard_registry.release.release import Release
from tabard_registry.state.state import State
from tabard_registry.trust.signatures import is_signature


def trust_key(key: Key) -> Act[Acted[Key]]:
    """Plan to let a key sign the releases of its namespace; trusting it again changes its name."""
    check_text("the name of a key", key.name, chars_max=KEY_NAME_CHARS_MAX)
    action = _setting("key", key.namespace, summary=key.to_json())

    def plan(state: State) -> Plan:
        # Planned at the very position of the record: a revocation just before it is seen.
        known = state.keys.get(key.path)
        if known is not None and known.revoked:
            raise InvalidField(
                f"key {key.id} of {key.namespace} was revoked, and revoked keys never come back",
                reason="FIELD_INVALID",
                hint="Make a new key with `tabard key new`, and sign with that.",
            )
        return Plan(action=None if known == key else action)

    return Act(
        plan=plan, is_same=lambda found: _is_like(found, action), answer=acted(lambda _state: key)
    )


def revoke_key(namespace: str, *, key_id: str) -> Act[Acted[Key]]:
    """Plan to let a key's signatures count no longer, old ones included, for good."""

    def plan(state: State) -> Plan:
        key = _key(state, namespace, key_id=key_id)
        summary = replace(key, revoked=True).to_json()
        return Plan(action=None if key.revoked else _setting("key", namespace, summary=summary))

    def is_same(found: Action) -> bool:
        if (found.type, found.adapter) != ("key", namespace):
            return False
        key = Key.from_json(found.summary, namespace=namespace)
        return key.revoked and key.id == key_id

    return Act(
        plan=plan,
        is_same=is_same,
        answer=acted(lambda state: _key(state, namespace, key_id=key_id)),
        reasoned="revoking a key",
    )


def set_policy(
    namespace: str,
    *,
    require_signature: bool | None = None,
    private: bool | None = None,
    require_identity: bool | None = None,
    channels: Mapping[str, Gate | None] | None = None,
    enforce_sampling: bool | None = None,
) -> Act[Acted[Policy]]:
    """Plan to change what a namespace asks for; what is None stays as it is.

    Args:
        namespace: The namespace.
        require_signature: Whether only signed releases are served.
        private: Whether it is seen by those alone who may generate with it.
        require_identity: Whether authors must have shown who they are.
        channels: Gates by channel pattern; None takes one away, patterns not named stay.
        enforce_sampling: Whether requests outside declared bounds are refused.

    Raises:
        InvalidField: Nothing is said.
    """
    wishes = (require_signature, private, require_identity, enforce_sampling)
    words = zip(POLICY_WORDS, wishes, strict=True)
    said: dict[str, Any] = {word: wanted for word, wanted in words if wanted is not None}
    for pattern in channels or ():
        check_pattern(pattern)
    if channels:
        said["channels"] = {name: one.to_json() if one else None for name, one in channels.items()}
    if not said:
        raise InvalidField(
            "nothing is said that the policy could be",
            reason="FIELD_REQUIRED",
            hint=f"Say one of: {', '.join(POLICY_WORDS)}, channels.",
        )
    action = _setting("policy", namespace, summary=said)

    def plan(state: State) -> Plan:
        before = policy_of(state, namespace)
        wanted = {**said, "channels": with_gates(before.channels, said.get("channels", {}))}
        is_so = replace(before, **wanted) == before
        return Plan(action=None if is_so else action)

    return Act(
        plan=plan,
        is_same=lambda found: _is_like(found, action),
        answer=acted(lambda state: policy_of(state, namespace)),
    )


def policy_of(state: State, namespace: str) -> Policy:
    """Return what a namespace asks for; where nothing was ever said, it asks for nothing."""
    return state.policies.get(namespace) or Policy(namespace=namespace)


def sign(ref: AdapterRef, *, key_id: str, signature: str) -> Act[Acted[Release]]:
    """Plan to put a signature beside the one release that an exact ref names, if it is true.

    Its plan raises:
        NotFound: There is no such release, or the namespace trusts no such key (KEY_NOT_FOUND).
        PreconditionFailed: The signature is not the key's on this release (SIGNATURE_INVALID).
    """
    refuse_inexact(ref)

    def plan(state: State) -> Plan:
        release = state.find(ref)
        key = _key(state, ref.adapter.namespace, key_id=key_id)
        if key.revoked:
            raise _unknown_key(ref.adapter.namespace, key_id)
        if not is_signature(signature, digest=release.digest, public_key=key.public_key):
            raise PreconditionFailed(
                f"that is not a signature of key {key_id} on {release} ({release.digest.short})",
                reason="SIGNATURE_INVALID",
                hint=f"Sign the digest itself: `tabard sign {release.digest} --key FILE`.",
            )
        if any((s.key_id, s.signature) == (key_id, signature) for s in release.signatures):
            return Plan(action=None)
        summary = {"key": key_id, "signature": signature}
        return Plan(action=replace(action_on("sign", release), summary=summary))

    return Act(
        plan=plan,
        is_same=lambda found: (found.type, found.adapter) == ("sign", str(ref.adapter)),
        answer=acted(lambda state: state.find(ref)),
    )


def _setting(kind: str, namespace: str, *, summary: Mapping[str, Any]) -> Action:
    return Action(type=kind, adapter=check_namespace(namespace), summary=summary)


def _is_like(found: Action, action: Action) -> bool:
    wanted = (action.type, action.adapter, action.summary)
    return (found.type, found.adapter, found.summary) == wanted


def _key(state: State, namespace: str, *, key_id: str) -> Key:
    found = state.keys.get(f"{namespace}/{key_id}")
    if found is None:
        raise _unknown_key(namespace, key_id)
    return found


def _unknown_key(namespace: str, key_id: str) -> NotFound:
    return NotFound(
        f"{namespace} trusts no key {key_id}",
        reason="KEY_NOT_FOUND",
        hint=f"`tabard key list {namespace}` shows the keys; `tabard key trust` adds one.",
    )
