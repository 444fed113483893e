# SPDX-License-Identifier: Apache-2.0
"""Records of detached jobs that were never drawn."""

from dataclasses import replace
from typing import Any

from tabard_registry.identity.identity import Proof
from tabard_server.detached.record import Hook, JobRecord, JobState, KeptImage, Owner, Pin

ALICE = Owner(proof=Proof.TOKEN, name="alice", tenant="studio")
BOB = Owner(proof=Proof.TOKEN, name="bob", tenant="press")


def image(index: int = 0, *, size: int = 100, event_id: int = 0) -> KeptImage:
    """Give an image."""
    return KeptImage(
        index=index,
        seed=index,
        format="png",
        byte_count=size,
        digest="sha256:" + "0" * 64,
        event_id=event_id,
    )


def record(job: str = "a" * 16, *, hook_url: str = "", **changes: Any) -> JobRecord:
    """Give a record of a job that was just accepted."""
    made = JobRecord(
        id=job,
        owner=ALICE,
        request_id="",
        fingerprint="ab",
        created_at=1_000.0,
        run=1,
        accepted=b"\x00\xff told",
        seeds=(7, 8),
        pins=(Pin(ref="acme/ink", digest="sha256:" + "1" * 64, is_canary=False),),
        digests=("sha256:" + "1" * 64,),
        namespaces=("acme",),
        registry_seq=3,
        hook=Hook(url=hook_url) if hook_url else None,
    )
    made = replace(made, last_event=made.accepted_event)
    return replace(made, **changes)


def done(job: str = "a" * 16, *, at: float = 2_000.0, size: int = 100, **changes: Any) -> JobRecord:
    """Give the record of a job that has one image, and is over."""
    made = record(job, **changes)
    event = made.last_event + 1
    return replace(
        made,
        images=(image(size=size, event_id=event),),
        state=JobState.SUCCEEDED,
        ended_at=at,
        last_event=event + 1,
    )
