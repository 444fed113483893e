# SPDX-License-Identifier: Apache-2.0
"""Looks at what only an object store has: If-Match, versions, lifecycle rules, a clock of its own.

What the store refuses to tell is a warning: the log does not depend on the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from tabard_registry.errors import StoreUnavailable
from tabard_registry.store.probe import StoreProbe, Versioning
from tabard_registry.upkeep.doctor.diagnosis import Check
from tabard_registry.upkeep.doctor.trial_objects import TrialObjects

SKEW_SECONDS_MAX = 60.0
"""A clock that is further off than that is worth a word; S3 refuses requests at 15 minutes."""

_NEEDLESS = "Nothing needs it: Tabard commits by creating objects, never by replacing them."


def check_rules(
    probe: StoreProbe, trials: TrialObjects, *, clock: Callable[[], datetime]
) -> Iterator[Check]:
    """Yield what the store tells about itself."""
    yield _asked("stale If-Match", lambda: _check_if_match(probe, trials))
    yield _asked("lifecycle rules", lambda: _check_expiry(probe))
    yield _asked("versioning", lambda: _check_versioning(probe))
    yield _asked("clock", lambda: _check_clock(probe, now=clock()))


def _asked(name: str, ask: Callable[[], Check]) -> Check:
    try:
        return ask()
    except StoreUnavailable as error:
        return Check(
            name=name,
            verdict="warn",
            detail=f"cannot be asked: {error}",
            remedy="Allow this role to ask, or look yourself.",
        )


def _check_if_match(probe: StoreProbe, trials: TrialObjects) -> Check:
    key = trials.key("if-match")
    trials.store.replace(key, body=b"first")
    stale = probe.etag(key)
    trials.store.replace(key, body=b"second")
    forms = {"quoted": '"{}"', "unquoted": "{}"}
    ignored = [
        form
        for form, tag in forms.items()
        if probe.replaces_if_match(key, body=b"third", etag=tag.format(stale))
    ]
    if ignored:
        return Check(
            name="stale If-Match",
            verdict="warn",
            detail=f"a stale tag was accepted, {' and '.join(ignored)}",
            remedy=_NEEDLESS,
        )
    taken = [
        form
        for form, tag in forms.items()
        if probe.replaces_if_match(key, body=form.encode(), etag=tag.format(probe.etag(key)))
    ]
    return Check(
        name="stale If-Match",
        verdict="ok",
        detail=f"refused in both forms; a fresh tag is taken {' and '.join(taken) or 'in neither'}",
    )


def _check_expiry(probe: StoreProbe) -> Check:
    rules = probe.expiry_rules()
    told = ", ".join(f"'{rule.name}' on '{rule.prefix}*'" for rule in rules)
    if any(rule.deletes for rule in rules):
        return Check(
            name="lifecycle rules",
            verdict="fail",
            detail=f"the bucket deletes objects of the registry by itself: {told}",
            remedy="Remove these rules, or keep them away from the prefix: a log that loses an "
            "object cannot be read any more.",
        )
    if rules:
        return Check(
            name="lifecycle rules",
            verdict="warn",
            detail=f"the bucket moves objects of the registry to other storage: {told}",
            remedy="Make sure that objects stay readable at once there.",
        )
    return Check(name="lifecycle rules", verdict="ok", detail="none removes the registry's objects")


def _check_versioning(probe: StoreProbe) -> Check:
    found = probe.versioning()
    if found is Versioning.OFF:
        return Check(name="versioning", verdict="ok", detail="the bucket keeps no old versions")
    return Check(
        name="versioning",
        verdict="warn",
        detail=f"versioning is {found.value}: a delete marker on a log object re-opens its slot, "
        "and purged bytes stay as old versions",
        remedy="Deny s3:DeleteObject below log/, and let a lifecycle rule with "
        "NoncurrentVersionExpiration remove old versions below blob/.",
    )


def _check_clock(probe: StoreProbe, *, now: datetime) -> Check:
    skew_seconds = (probe.now() - now).total_seconds()
    if abs(skew_seconds) <= SKEW_SECONDS_MAX:
        return Check(name="clock", verdict="ok", detail="the clocks agree to a minute")
    direction = "ahead of" if skew_seconds > 0 else "behind"
    return Check(
        name="clock",
        verdict="warn",
        detail=f"the store's clock is {abs(skew_seconds):.0f} s {direction} ours",
        remedy="Set the clock of this machine; the times in the history are its own.",
    )
