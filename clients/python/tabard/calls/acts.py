# SPDX-License-Identifier: Apache-2.0
"""The registry's verbs that act: recipes, channels, withdrawals, signatures.

Each carries a fresh key, so that an act which is sent twice happens once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from google.protobuf.message import Message

from tabard.calls.call import Call, Caller
from tabard.convert import purpose_number, read_move, read_published_recipe, read_release
from tabard.releases import ChannelMove, PublishedRecipe, Release
from tabard.v1 import registry_service_pb2 as pb

DEFAULT_CHANNEL = "stable"

_SERVICE = "/tabard.v1.RegistryService"


def publish_recipe(
    caller: Caller,
    name: str,
    members: Sequence[str],
    *,
    version: str,
    notes: str = "",
    licence: str = "",
    purpose: str = "",
    trigger_words: Sequence[str] = (),
    reason: str = "",
) -> Call[PublishedRecipe]:
    """Publish a weighted combination of releases as one release; idempotent.

    Args:
        caller: Filled in by the client.
        name: `namespace/name` of the recipe.
        members: Refs with their weights, like `acme/ink@1.2.0:0.6`; each is locked to the digest
            it means now.
        version: SemVer, new for this adapter.
        notes: Free text.
        licence: SPDX id or free text.
        purpose: `concept`, `style` or `subject`.
        trigger_words: Words that wake it; those of its members when left out.
        reason: Why it is published; kept in the history.

    Raises:
        InvalidArgument: The members do not make a recipe.
        NotFound: A member is not there.
        FailedPrecondition: Nobody may be served with a member.
        AlreadyExists: The version holds something else.
    """
    draft = pb.ReleaseDraft(
        adapter=name,
        version=version,
        notes=notes,
        licence=licence,
        purpose=purpose_number(purpose),
        trigger_words=trigger_words,
        actor=caller.actor,
        request_id=caller.new_id(),
        reason=reason,
    )
    return Call(
        method=f"{_SERVICE}/PublishRecipe",
        request=pb.PublishRecipeRequest(draft=draft, members=members),
        response=pb.PublishRecipeResponse,
        read=read_published_recipe,
    )


def promote(
    caller: Caller,
    ref: str,
    *,
    channel: str = DEFAULT_CHANNEL,
    reason: str = "",
    expect: str = "",
) -> Call[ChannelMove]:
    """Move a channel to a release; safe to retry.

    A range or another channel is pinned to what it means now.

    `expect` makes it a compare-and-set: the digest the channel must point to now, or `none` for a
    channel that must not exist yet.

    Raises:
        NotFound: The ref names nothing.
        FailedPrecondition: The channel points elsewhere than expected, or nobody may be served
            with the release.
    """
    return Call(
        method=f"{_SERVICE}/Promote",
        request=pb.PromoteRequest(
            ref=ref,
            channel=channel,
            reason=reason,
            actor=caller.actor,
            expect_digest=expect,
            request_id=caller.new_id(),
        ),
        response=pb.PromoteResponse,
        read=lambda response: read_move(response.move),
    )


def rollback(
    caller: Caller,
    name: str,
    *,
    reason: str,
    channel: str = DEFAULT_CHANNEL,
    to: str = "",
    expect: str = "",
) -> Call[ChannelMove]:
    """Return a channel to the release before, or to version `to`; safe to retry.

    `expect` makes it a compare-and-set: the digest the channel must point to now.

    Raises:
        NotFound: No such adapter, channel or version.
        FailedPrecondition: There is nothing to roll back to, or the channel points elsewhere than
            expected.
    """
    return Call(
        method=f"{_SERVICE}/Rollback",
        request=pb.RollbackRequest(
            adapter=name,
            channel=channel,
            to_version=to,
            reason=reason,
            actor=caller.actor,
            expect_digest=expect,
            request_id=caller.new_id(),
        ),
        response=pb.RollbackResponse,
        read=lambda response: read_move(response.move),
    )


def yank(caller: Caller, ref: str, *, reason: str) -> Call[Release]:
    """Take a release out of resolution by channel and range; exact pins still work."""
    return _on_release(caller, "Yank", pb.YankRequest, ref=ref, reason=reason)


def unyank(caller: Caller, ref: str, *, reason: str) -> Call[Release]:
    """Undo a yank."""
    return _on_release(caller, "Unyank", pb.UnyankRequest, ref=ref, reason=reason)


def quarantine(caller: Caller, ref: str, *, reason: str) -> Call[Release]:
    """Serve nobody with a release until that is lifted; its bytes are kept.

    Jobs that wear it, by itself or in a recipe, end with `Aborted`, on every server.

    Raises:
        InvalidArgument: The ref is not exact: `ns/name@1.2.0` or `ns/name@sha256:…`.
        NotFound: No such release.
    """
    return _on_release(caller, "Quarantine", pb.QuarantineRequest, ref=ref, reason=reason)


def lift(caller: Caller, ref: str, *, reason: str) -> Call[Release]:
    """Undo a quarantine."""
    return _on_release(caller, "Lift", pb.LiftRequest, ref=ref, reason=reason)


def purge(caller: Caller, ref: str, *, reason: str) -> Call[Release]:
    """Delete the bytes of a release for good, and never take them again; its record stays.

    Jobs that wear it end with `Aborted`, on every server.

    Raises:
        InvalidArgument: The ref is not exact.
        NotFound: No such release.
        FailedPrecondition: Another release needs the same bytes.
        Unavailable: Nobody is served with it any more, but bytes may be left: repeat it.
    """
    return _on_release(caller, "Purge", pb.PurgeRequest, ref=ref, reason=reason)


def sign(
    caller: Caller, ref: str, *, key_id: str, signature: str, reason: str = ""
) -> Call[Release]:
    """Put a signature, Ed25519 over the release's digest in base64, beside a release; idempotent.

    Raises:
        InvalidArgument: The ref is not exact.
        NotFound: No such release, or its namespace does not trust the key.
        FailedPrecondition: The signature is not true.
    """
    return Call(
        method=f"{_SERVICE}/Sign",
        request=pb.SignRequest(
            ref=ref,
            key_id=key_id,
            signature=signature,
            actor=caller.actor,
            reason=reason,
            request_id=caller.new_id(),
        ),
        response=pb.SignResponse,
        read=lambda response: read_release(response.release),
    )


def _on_release(
    caller: Caller,
    method: str,
    request: Callable[..., Message],
    *,
    ref: str,
    reason: str,
) -> Call[Release]:
    return Call(
        method=f"{_SERVICE}/{method}",
        request=request(ref=ref, reason=reason, actor=caller.actor, request_id=caller.new_id()),
        response=getattr(pb, f"{method}Response"),
        read=lambda response: read_release(response.release),
    )
