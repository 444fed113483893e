# SPDX-License-Identifier: Apache-2.0
"""Examines a place step by step; stops where going on makes no sense."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from statistics import median

from tabard_registry.errors import RegistryError, StoreUnavailable, UnusableRegistry
from tabard_registry.place import refuse_strangers
from tabard_registry.store.probe import Probed
from tabard_registry.store.store import FORMAT_KEY, Outcome, Store
from tabard_registry.upkeep.doctor.bucket_rules import check_rules
from tabard_registry.upkeep.doctor.diagnosis import Check, Diagnosis
from tabard_registry.upkeep.doctor.race import SINGLE_WRITER_HINT, run_races
from tabard_registry.upkeep.doctor.trial_objects import TrialObjects

RACES = 10
"""Races of a full examination."""
RACES_AT_START = 3
"""Races before a server writes."""

_BODY_BYTES_MAX = 1 << 16
_LATENCY_SAMPLES = 7
_SLOW_SECONDS = 1.0
_ATTEMPTS_MAX = 3
_VACANT = Check(
    name="place",
    verdict="ok",
    detail="there is nothing yet: a registry may begin here",
    remedy="Check the address if there should be one.",
)


def examine(
    store: Store,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    timer: Callable[[], float] = time.perf_counter,
) -> Diagnosis:
    """Prove a place: that creates have one winner, and that nothing endangers the log.

    Never raises a `RegistryError`: what the store refuses is part of the diagnosis. Takes some
    seconds. A store opened as `single_writer` is not proved by this: open it without.

    Args:
        store: The place.
        clock: The time here, to compare.
        timer: Seconds of a steady clock.
    """
    trials = TrialObjects(store)
    checks: list[Check] = []
    try:
        checks.extend(_checks(trials, clock=clock, timer=timer))
    finally:
        refusal = trials.remove()
    if refusal is not None:
        checks.append(
            Check(
                name="delete",
                verdict="warn",
                detail=f"probes like {trials.prefix}* are still there: {refusal}",
                remedy=refusal.hint,
            )
        )
    return Diagnosis(url=store.url, checks=tuple(checks), is_vacant=_VACANT in checks)


def require_safe(store: Store) -> None:
    """Refuse a store that elects several winners; for a server, before it writes.

    Raises:
        UnusableRegistry: A second create was accepted, or a race had more than one winner.
        StoreUnavailable: The store did not answer.
    """
    trials = TrialObjects(store)
    try:
        check = _check_second_create(trials)
        if check.verdict == "ok":
            check = run_races(trials, rounds=RACES_AT_START)
    finally:
        trials.remove()
    if check.verdict == "fail":
        raise UnusableRegistry(
            f"{store.url} is not safe to write to: {check.name}: {check.detail}",
            reason="UNSAFE_STORE",
            hint=f"`tabard doctor {store.url}` tells more. {SINGLE_WRITER_HINT}",
        )


def _checks(
    trials: TrialObjects, *, clock: Callable[[], datetime], timer: Callable[[], float]
) -> Iterator[Check]:
    """Yield checks; a failure of the first ones leaves no sense in going on."""
    for name, check in (
        ("place", _check_place),
        ("missing object", _check_missing_object),
        ("second create", _check_second_create),
    ):
        made = _tried(name, partial(check, trials))
        yield made
        if made.verdict == "fail":
            return
    yield _tried("racing create", partial(run_races, trials, rounds=RACES))
    yield _tried("listing", partial(_check_listing, trials))
    if isinstance(trials.store, Probed):
        yield from check_rules(trials.store.probe(), trials, clock=clock)
    yield _tried("latency", partial(_check_latency, trials, timer=timer))


def _tried(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except RegistryError as error:
        return Check(name=name, verdict="fail", detail=str(error), remedy=error.hint)


def _check_place(trials: TrialObjects) -> Check:
    names = trials.store.top_level()
    refuse_strangers(names, url=trials.store.url)
    if FORMAT_KEY not in names:
        return _VACANT
    return Check(name="place", verdict="ok", detail="holds a registry")


def _check_missing_object(trials: TrialObjects) -> Check:
    key = trials.key("missing")
    if trials.store.read(key, bytes_max=_BODY_BYTES_MAX) is None:
        return Check(name="missing object", verdict="ok", detail="is told to be missing")
    return Check(
        name="missing object",
        verdict="fail",
        detail=f"{key} was never written, and reading it gives bytes",
        remedy="Something before the store makes answers up: reach it without.",
    )


def _check_second_create(trials: TrialObjects) -> Check:
    key = trials.key("create")
    outcome = _created(trials.store, key, body=b"first")
    second = trials.store.create(key, body=b"second")
    held = trials.store.read(key, bytes_max=_BODY_BYTES_MAX)
    if second is Outcome.CREATED or held != b"first":
        return Check(
            name="second create",
            verdict="fail",
            detail="the store ignores the condition of a create, and writes over what is there",
            remedy=f"A server would overwrite another one's records. {SINGLE_WRITER_HINT}",
        )
    told = "is refused" if Outcome.UNKNOWN not in (outcome, second) else "leaves the first alone"
    return Check(name="second create", verdict="ok", detail=told)


def _created(store: Store, key: str, *, body: bytes) -> Outcome:
    """Make an object for certain; a store may well be busy once."""
    outcome = Outcome.UNKNOWN
    for _ in range(_ATTEMPTS_MAX):
        outcome = store.create(key, body=body)
        if outcome is not Outcome.UNKNOWN or store.read(key, bytes_max=len(body)) is not None:
            return outcome
    raise StoreUnavailable(
        f"{store.url}: {key}: the store does not say what came of a create",
        reason="COMMIT_UNKNOWN",
        hint="Examine it again when the store is in order.",
    )


def _check_listing(trials: TrialObjects) -> Check:
    listed = {found.key for found in trials.store.objects(trials.prefix)}
    if f"{trials.prefix}create" in listed:
        return Check(name="listing", verdict="ok", detail="shows what was just written")
    return Check(
        name="listing",
        verdict="warn",
        detail="does not show what was just written",
        remedy="Garbage collection and export may miss young objects: leave gc a long --min-age.",
    )


def _check_latency(trials: TrialObjects, *, timer: Callable[[], float]) -> Check:
    keys = [trials.key(f"latency-{number}") for number in range(_LATENCY_SAMPLES)]
    creates = [partial(trials.store.create, key, body=b"x") for key in keys]
    reads = [partial(trials.store.read, key, bytes_max=1) for key in keys]
    create_seconds, read_seconds = (
        median(_seconds(act, timer=timer) for act in acts) for acts in (creates, reads)
    )
    told = f"a create takes {create_seconds * 1000:.1f} ms, a read {read_seconds * 1000:.1f} ms"
    if max(create_seconds, read_seconds) <= _SLOW_SECONDS:
        return Check(name="latency", verdict="ok", detail=told)
    return Check(
        name="latency",
        verdict="warn",
        detail=told,
        remedy="Every publish and promotion waits for one create: run the server near the bucket.",
    )


def _seconds(act: Callable[[], object], *, timer: Callable[[], float]) -> float:
    start = timer()
    act()
    return timer() - start
