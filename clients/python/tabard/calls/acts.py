# SPDX-License-Identifier: Apache-2.0
"""The registry's verbs that act: recipes, channels, withdrawals, signatures.

Each carries a fresh key, so that an act which is sent twice happens once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from google.protobuf.message import Message

from tabard.calls.call import Call, Caller, weighted
from tabard.convert import read_release, same_fields, write_sampling
from tabard.enums import Purpose, member_number
from tabard.releases.acts import ChannelMove, PublishedRecipe, ReleaseChange
from tabard.v1 import adapter_pb2
from tabard.v1 import registry_service_pb2 as pb

DEFAULT_CHANNEL = "stable"

T = TypeVar("T")


def publish_recipe(
    caller: Caller,
    name: str,
    members: Sequence[str],
    *,
    version: str,
    notes: str = "",
    licence: str = "",
    title: str = "",
    purpose: Purpose | Literal[""] = "",
    trigger_words: Sequence[str] = (),
    sampling: Mapping[str, Any] | None = None,
    reason: str = "",
    previews: bool = False,
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
        title: What people call it, in any script; search finds it.
        purpose: `concept`, `style` or `subject`.
        trigger_words: Words that wake it; those of its members when left out.
        sampling: How it wants to be sampled, in place of what its members say.
        reason: Why it is published; kept in the history.
        previews: Whether a few pictures of it are drawn and kept beside it, some time later.

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
        title=title,
        purpose=member_number(adapter_pb2.Purpose.DESCRIPTOR, purpose, what="purpose"),
        trigger_words=trigger_words,
        actor=caller.actor,
        request_id=caller.new_id(),
        reason=reason,
        previews=previews,
        sampling=write_sampling(sampling),
    )
    return Call(
        request=pb.PublishRecipeRequest(draft=draft, members=weighted(members, what="members")),
        read=read_published_recipe,
    )


def promote(
    caller: Caller,
    ref: str,
    *,
    channel: str = DEFAULT_CHANNEL,
    reason: str = "",
    expect: str = "",
    override: str = "",
) -> Call[ChannelMove]:
    """Move a channel to a release; safe to retry.

    A range or another channel is pinned to what it means now.

    `override` says why the release shall go there without the Success or the checks that the
    policy asks for; it never stands for reviews.

    `expect` makes it a compare-and-set: the release the channel must point to now, as a version,
    a digest or its first digits, or `none` for a channel that must not exist yet.

    Raises:
        NotFound: The ref names nothing.
        FailedPrecondition: The channel points elsewhere than expected, nobody may be served with
            the release, or the policy asks for more (`GATE_NOT_MET`; `explain_policy` says what).
    """
    said = {"ref": ref, "channel": channel, "reason": reason, "expect_digest": expect}
    return _act(caller, pb.PromoteRequest, read=_move, override=override, **said)


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

    `expect` makes it a compare-and-set: the release the channel must point to now, as a version,
    a digest or its first digits.

    Raises:
        NotFound: No such adapter, channel or version.
        FailedPrecondition: There is nothing to roll back to, or the channel points elsewhere than
            expected.
    """
    said = {"adapter": name, "channel": channel, "reason": reason, "expect_digest": expect}
    return _act(caller, pb.RollbackRequest, read=_move, to_version=to, **said)


def yank(caller: Caller, ref: str, *, reason: str) -> Call[ReleaseChange]:
    """Take a release out of resolution by channel and range; exact pins still work."""
    return _act(caller, pb.YankRequest, read=_change, ref=ref, reason=reason)


def unyank(caller: Caller, ref: str, *, reason: str) -> Call[ReleaseChange]:
    """Undo a yank."""
    return _act(caller, pb.UnyankRequest, read=_change, ref=ref, reason=reason)


def quarantine(caller: Caller, ref: str, *, reason: str) -> Call[ReleaseChange]:
    """Serve nobody with a release until that is lifted; its bytes are kept.

    Jobs that wear it, by itself or in a recipe, end with `Aborted`, on every server.

    Raises:
        InvalidArgument: The ref is not exact: `ns/name@1.2.0` or `ns/name@sha256:…`.
        NotFound: No such release.
    """
    return _act(caller, pb.QuarantineRequest, read=_change, ref=ref, reason=reason)


def lift(caller: Caller, ref: str, *, reason: str) -> Call[ReleaseChange]:
    """Undo a quarantine."""
    return _act(caller, pb.LiftRequest, read=_change, ref=ref, reason=reason)


def purge(caller: Caller, ref: str, *, reason: str) -> Call[ReleaseChange]:
    """Delete the bytes of a release for good, and never take them again; its record stays.

    Jobs that wear it end with `Aborted`, on every server.

    Raises:
        InvalidArgument: The ref is not exact.
        NotFound: No such release.
        FailedPrecondition: Another release needs the same bytes.
        Unavailable: Nobody is served with it any more, but bytes may be left: repeat it.
    """
    return _act(caller, pb.PurgeRequest, read=_change, ref=ref, reason=reason)


def edit(
    caller: Caller,
    ref: str,
    *,
    notes: str | None = None,
    licence: str | None = None,
    title: str | None = None,
    purpose: str | None = None,
    trigger_words: Sequence[str] | None = None,
    reason: str = "",
) -> Call[ReleaseChange]:
    """Amend the words of a release: what is shown changes, its manifest and every picture stay.

    What is left out stays; an empty text takes a word away.

    Raises:
        InvalidArgument: The ref is not exact, nothing is said, or a word cannot be taken.
        NotFound: No such release.
    """
    said: dict[str, Any] = {"notes": notes, "licence": licence, "title": title}
    said = {name: text for name, text in said.items() if text is not None}
    if purpose is not None:
        said["purpose"] = member_number(adapter_pb2.Purpose.DESCRIPTOR, purpose, what="purpose")
    if trigger_words is not None:
        said["trigger_words"] = pb.TriggerWords(trigger_words=trigger_words)
    return _act(caller, pb.EditRequest, read=_change, ref=ref, reason=reason, **said)


def sign(
    caller: Caller, ref: str, *, key_id: str, signature: str, reason: str = ""
) -> Call[ReleaseChange]:
    """Put a signature, Ed25519 over the release's digest in base64, beside a release; idempotent.

    Raises:
        InvalidArgument: The ref is not exact.
        NotFound: No such release, or its namespace does not trust the key.
        FailedPrecondition: The signature is not true.
    """
    signed = {"key_id": key_id, "signature": signature}
    return _act(caller, pb.SignRequest, read=_change, ref=ref, reason=reason, **signed)


def read_published_recipe(message: pb.PublishRecipeResponse) -> PublishedRecipe:
    """Give the value of the answer to a recipe."""
    return same_fields(PublishedRecipe, message, release=read_release(message.release))


def _act(
    caller: Caller, request: Callable[..., Message], *, read: Callable[[Any], T], **said: Any
) -> Call[T]:
    key = caller.new_id()
    return Call(request=request(actor=caller.actor, request_id=key, **said), read=read)


def _change(response: Any) -> ReleaseChange:
    return same_fields(ReleaseChange, response, release=read_release(response.release))


def _move(response: Any) -> ChannelMove:
    return same_fields(ChannelMove, response.move)
