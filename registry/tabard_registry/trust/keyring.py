# SPDX-License-Identifier: Apache-2.0
"""Signatures of releases: Ed25519 over the text of a release's digest, by keys that records trust.

What is signed is `tabard release signature v1`, a line end, and `sha256:…`: a signature made for a
release is good for nothing else. Private keys stay with their owners; no registry ever sees one.
"""

from __future__ import annotations

from dataclasses import replace

from tabard_registry import acts
from tabard_registry.acts import Plan
from tabard_registry.errors import InvalidField, NotFound, PreconditionFailed
from tabard_registry.journal.group_commit import Wish
from tabard_registry.refs.names import AdapterRef
from tabard_registry.registry import Registry
from tabard_registry.release.keys import Key, Policy
from tabard_registry.release.release import Release
from tabard_registry.state.state import State
from tabard_registry.trust.signatures import is_signature


def trust_key(
    registry: Registry,
    namespace: str,
    *,
    public_key: str,
    name: str,
    actor: str,
    reason: str = "",
    request_id: str = "",
) -> Key:
    """Let a key sign the releases of a namespace. Trusting it again changes its name.

    Raises:
        InvalidName, InvalidField: The namespace or the key cannot be read, or it was revoked.
        StoreUnavailable: The store did not take it.
    """
    key = Key(namespace=namespace, public_key=public_key, name=name)
    act = acts.set_key(key)

    def plan(state: State) -> Plan:
        # Planned at the very position of the record: a revocation just before it is seen.
        known = state.keys.get(key.path)
        if known is not None and known.revoked:
            raise InvalidField(
                f"key {key.id} of {namespace} was revoked, and revoked keys never come back",
                reason="FIELD_INVALID",
                hint="Make a new key with `tabard key new`, and sign with that.",
            )
        return act.plan(state)

    registry.commit(replace(act, plan=plan), wish=_wish(actor, reason, request_id))
    return key


def revoke_key(
    registry: Registry,
    namespace: str,
    *,
    key_id: str,
    actor: str,
    reason: str,
    request_id: str = "",
) -> Key:
    """Let a key's signatures count no longer, old ones included. For good; idempotent.

    Raises:
        InvalidField: There is no reason.
        NotFound: The namespace never trusted that key.
        StoreUnavailable: The store did not take it.
    """
    if not reason.strip():
        raise InvalidField(
            "revoking a key needs a reason",
            reason="FIELD_REQUIRED",
            hint="Say why, for those who read the history later.",
        )
    known = registry.state.keys.get(f"{namespace}/{key_id}")
    if known is None:
        raise _unknown_key(namespace, key_id)
    key = replace(known, revoked=True)
    registry.commit(acts.set_key(key), wish=_wish(actor, reason, request_id))
    return key


def set_policy(
    registry: Registry,
    namespace: str,
    *,
    require_signature: bool,
    actor: str,
    reason: str = "",
    request_id: str = "",
) -> Policy:
    """Say whether only signed releases of a namespace are served. Idempotent.

    Raises:
        InvalidName: That is no namespace.
        StoreUnavailable: The store did not take it.
    """
    policy = Policy(namespace=namespace, require_signature=require_signature)
    registry.commit(acts.set_policy(policy), wish=_wish(actor, reason, request_id))
    return policy


def sign_release(
    registry: Registry,
    ref: AdapterRef,
    *,
    key_id: str,
    signature: str,
    actor: str,
    reason: str = "",
    request_id: str = "",
) -> Release:
    """Put a signature beside a release, if it is true. Idempotent.

    Raises:
        InvalidField: The ref is not exact.
        NotFound: There is no such release, or the namespace trusts no such key (KEY_NOT_FOUND).
        PreconditionFailed: The signature is not the key's on this release (SIGNATURE_INVALID).
        StoreUnavailable: The store did not take it.
    """
    act = acts.sign(ref, key_id=key_id, signature=signature)
    release = registry.state.find(ref)
    key = registry.state.keys.get(f"{ref.adapter.namespace}/{key_id}")
    if key is None or key.revoked:
        raise _unknown_key(ref.adapter.namespace, key_id)
    if not is_signature(signature, digest=release.digest, public_key=key.public_key):
        raise PreconditionFailed(
            f"that is not a signature of key {key_id} on {release} ({release.digest.short})",
            reason="SIGNATURE_INVALID",
            hint=f"Sign the digest itself: `tabard key sign {release.digest} --key FILE`.",
        )
    registry.commit(act, wish=_wish(actor, reason, request_id))
    return registry.state.find(ref)


def _wish(actor: str, reason: str, request_id: str) -> Wish:
    return Wish(actor=actor, reason=reason, request_id=request_id)


def _unknown_key(namespace: str, key_id: str) -> NotFound:
    return NotFound(
        f"{namespace} trusts no key {key_id}",
        reason="KEY_NOT_FOUND",
        hint=f"`tabard key list {namespace}` shows the keys; `tabard key trust` adds one.",
    )
