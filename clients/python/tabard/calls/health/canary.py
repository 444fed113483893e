# SPDX-License-Identifier: Apache-2.0
"""The verbs of canaries: start, look, list, stop; and complaints about pictures."""

from __future__ import annotations

import hashlib
from functools import partial

from tabard.calls.acts import DEFAULT_CHANNEL
from tabard.calls.call import Call, Caller, out_of_range
from tabard.convert import field_value, same_fields
from tabard.enums import ImageLabel, member_number
from tabard.errors import FieldViolation, InvalidArgument
from tabard.health.canary import Canary, CanaryPair, CanaryStream, ImageReport
from tabard.pictures.sources import PictureSource, read_picture
from tabard.v1 import canary_service_pb2 as pb


def start_canary(
    caller: Caller,
    ref: str,
    *,
    channel: str = DEFAULT_CHANNEL,
    share: float | None = None,
    shadow: bool = False,
    override: str = "",
    reason: str = "",
) -> Call[Canary]:
    """Try a release beside what a channel serves; safe to retry.

    Pairs are drawn beside callers' images first; then a share of the callers is served the
    release, more of them while nothing speaks against it. If the channel points to it already, it
    is compared with what was there before, and a rollback moves the channel back. Whether a
    success moves the channel is said by the policy of its namespace.

    Args:
        caller: Filled in by the client.
        ref: The release.
        channel: The channel.
        share: The first share of the callers, between 0 and 1; left out, 0.05. It grows to 0.25
            and 0.5.
        shadow: Only draw pairs; nobody is served the release.
        override: Why it is tried without what the policy asks for.
        reason: Why; kept in the history.

    Raises:
        NotFound: The ref names nothing, or there is no such channel.
        FailedPrecondition: The release had its canary, another one is open there, there is nothing
            to compare with, or the policy asks for more.
    """
    if share is not None and not 0.0 < share < 1.0:
        field = pb.StartCanaryRequest.DESCRIPTOR.fields_by_name["share"]
        raise out_of_range("share", share, field=field)
    request = pb.StartCanaryRequest(
        ref=ref,
        channel=channel,
        share=share,
        shadow=shadow,
        override=override,
        actor=caller.actor,
        reason=reason,
        request_id=caller.new_id(),
    )
    return Call(request=request, read=lambda answer: read_canary(answer.canary))


def canary(caller: Caller, ref: str) -> Call[Canary]:
    """Tell how a canary stands: by its release, or by its channel.

    Raises:
        NotFound: There is none.
    """
    del caller
    request = pb.GetCanaryRequest(ref=ref)
    return Call(request=request, read=lambda answer: read_canary(answer.canary))


def canaries(caller: Caller, adapter: str = "") -> Call[tuple[Canary, ...]]:
    """List every canary of a release line; of none, the open ones of all.

    Raises:
        NotFound: There is no such line.
    """
    del caller
    request = pb.ListCanariesRequest(adapter=adapter)
    return Call(request=request, read=lambda answer: tuple(map(read_canary, answer.canaries)))


def stop_canary(caller: Caller, ref: str, *, reason: str) -> Call[Canary]:
    """Stop a canary: everybody is served what the channel points to; safe to retry.

    Raises:
        NotFound: There is none.
        FailedPrecondition: It has ended.
    """
    request = pb.StopCanaryRequest(
        ref=ref, actor=caller.actor, reason=reason, request_id=caller.new_id()
    )
    return Call(request=request, read=lambda answer: read_canary(answer.canary))


def report_image(
    caller: Caller,
    label: ImageLabel,
    *,
    image: PictureSource | None = None,
    digest: str = "",
    job: str = "",
) -> Call[ImageReport]:
    """Complain of a picture that the server drew not long ago.

    Args:
        caller: Filled in by the client.
        label: What is wrong with it.
        image: The picture as it was sent: its file or its bytes.
        digest: The digest of that file, instead.
        job: The id of the job that drew it, instead.

    Raises:
        InvalidArgument: Nothing says which picture, or the label is unknown.
        NotFound: The server does not know the picture.
    """
    if [image is not None, bool(digest), bool(job)].count(True) != 1:
        message = "a complaint names a picture, its digest, or its job: one of them"
        raise InvalidArgument(
            message,
            reason="FIELD_REQUIRED",
            hint="say which picture",
            violations=(FieldViolation(field="image", description=message),),
        )
    if image is not None:
        digest = "sha256:" + hashlib.sha256(read_picture(image, name="image")).hexdigest()
    number = member_number(pb.ImageLabel.DESCRIPTOR, label, what="label")
    request = pb.ReportImageRequest(image_digest=digest, job_id=job, label=number)
    return Call(
        request=request,
        read=lambda answer: same_fields(ImageReport, answer),
        metadata=caller.servers.metadata(job),
        on_server=partial(caller.servers.note, job),
    )


def read_canary(message: pb.Canary) -> Canary:
    """Give the value of a canary message."""
    return same_fields(
        Canary,
        message,
        started_at=field_value(message, "start_time"),
        judged_at=field_value(message, "judge_time"),
        streams=tuple(same_fields(CanaryStream, one) for one in message.streams),
        worst=tuple(map(_read_pair, message.worst)),
    )


def _read_pair(message: pb.CanaryPair) -> CanaryPair:
    difference = message.difference if message.HasField("difference") else None
    return same_fields(CanaryPair, message, difference=difference)
