# SPDX-License-Identifier: Apache-2.0
"""What people ask of canaries: start, look, stop, complain. Scores inform; people decide.

In: requests whose caller may make them. Out: canaries with their figures, or typed refusals.
Asyncio thread.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from tabard_registry import (
    DEFAULT_CHANNEL,
    AdapterName,
    AdapterRef,
    Author,
    ByChannel,
    NotFound,
    Registry,
    Release,
    State,
)
from tabard_registry.acts import Act, CanaryName, CanaryStep, end_canary, observe, start_canary
from tabard_registry.errors import RegistryError
from tabard_registry.identity.identity import Identity
from tabard_registry.identity.roles import Grants, Role
from tabard_registry.release.canary import COMPLAINT, STOPPED, Canary, CanaryFigures, Observation
from tabard_registry.release.release import Adapter
from tabard_registry.state.canaries import canary_of, open_canary, promotes
from tabard_registry.state.sight import namespaces_needed, seen_by
from tabard_server.callers.caller import Caller
from tabard_server.canary.course import decision_of, figures_of, policy_of, server_author
from tabard_server.canary.served import Served, ServedImages, Side
from tabard_server.errors import ImageUnknown, invalid
from tabard_server.judgement.canary.policy import CanaryPolicy
from tabard_server.publishing.publishing import Publishing
from tabard_server.telemetry.logs import log_event
from tabard_server.telemetry.metrics import Metrics

SHARE, SHARES_LATER = 0.05, (0.25, 0.5)
"""The first share that is exposed where nobody says, and those after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A canary as it stands.

    Attributes:
        adapter: Its release line.
        canary: What the log says of it.
        candidate: The release that is tried.
        baseline: What it is compared with.
        figures: What was seen; of an ended one, what it was judged by.
        e_value_bound: The evidence that rolls it back.
        units_max: Pairs after which people are asked.
        promotes: Whether a Success would move the channel, as the policy is now.
    """

    adapter: AdapterName
    canary: Canary
    candidate: Release
    baseline: Release
    figures: CanaryFigures
    e_value_bound: float
    units_max: int
    promotes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A complaint that was taken.

    Attributes:
        served: The picture.
        counted: Whether it counts for a canary.
    """

    served: Served
    counted: bool


class Canaries:
    """Canaries, for whoever asks at a door."""

    def __init__(
        self,
        registry: Registry,
        *,
        publishing: Publishing,
        served: ServedImages,
        policy: CanaryPolicy,
        metrics: Metrics,
        new_salt: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        """Take what acts, what was served, and what canaries are judged by."""
        self._registry = registry
        self._publishing = publishing
        self._served = served
        self._policy = policy
        self._metrics = metrics
        self._new_salt = new_salt

    async def start(
        self,
        ref: AdapterRef,
        *,
        author: Author,
        channel: str = "",
        share: float | None = None,
        is_shadow: bool = False,
        override: str = "",
    ) -> Standing:
        """Start a canary of what a ref means now, once this server can wear it.

        Raises:
            InvalidRequest: The share is none, or the ref says a weight.
            NotServable: This server cannot wear it.
            RegistryError: As `acts.start_canary`.
        """
        first = SHARE if share is None else share
        if not 0.0 < first < 1.0:
            raise invalid(
                "share",
                f"a share of {first:g} exposes nobody, or leaves nothing to compare with",
                reason="FIELD_INVALID",
                hint="say a share above 0 and below 1, or shadow",
            )
        if ref.is_weight_said:
            raise invalid(
                "ref",
                f"a weight of {ref.weight:g} is said, and channels have none",
                reason="INVALID_WEIGHT",
                hint="leave it out: a release is tried at the weight that it is served with",
            )
        exact = await self._publishing.load(ref, author=author)
        act = start_canary(
            exact,
            channel=channel or DEFAULT_CHANNEL,
            policy=asdict(self._policy),
            salt=self._new_salt(),
            shares=() if is_shadow else shares_from(first),
            override=override,
        )
        return await self._publishing.act(self._commit, act, exact.adapter, author=author)

    def _commit(self, act: Act[CanaryStep], adapter: AdapterName, *, author: Author) -> Standing:
        step = self._registry.commit(act, author=author)
        return _standing(self._registry.state, adapter, step.canary)

    def get(self, ref: AdapterRef, *, grants: Grants) -> Standing:
        """Return a canary by its candidate, or by its channel: the open one, else the newest.

        Raises:
            NotFound: There is none.
        """
        state = seen_by(self._registry.state, grants)
        _, canary = _find(state, ref)
        return _standing(state, ref.adapter, canary)

    def list(self, adapter: AdapterName | None, *, grants: Grants) -> tuple[Standing, ...]:
        """Return all canaries of a release line; of none, the open ones of all.

        Raises:
            NotFound: There is no such line.
        """
        state = seen_by(self._registry.state, grants)
        if adapter is not None:
            line = state.adapter(adapter)
            return tuple(_standing(state, adapter, one) for one in line.canaries)
        lines = (state.adapters.get(name) for name in sorted(state.canaried, key=str))
        return tuple(
            _standing(state, line.name, one)
            for line in lines
            if line
            for one in line.canaries
            if one.is_open
        )

    async def stop(self, ref: AdapterRef, *, author: Author) -> Standing:
        """End a canary by a person. Needs nothing but the log, and waits for nothing else.

        Raises:
            NotFound: There is none.
            PreconditionFailed: It has ended.
        """
        return await self._publishing.take_back(self._stop, ref, author=author)

    def _stop(self, ref: AdapterRef, *, author: Author) -> Standing:
        _, canary = _find(seen_by(self._registry.state, author.grants), ref)
        name = CanaryName(adapter=ref.adapter, candidate=canary.terms.candidate)
        figures = figures_of(decision_of(canary))
        act = end_canary(name, verdict=STOPPED, figures=figures, said=author.reason)
        step = self._registry.commit(act, author=author)
        return _standing(self._registry.state, ref.adapter, step.canary)

    async def report(self, key: str, *, label: str, identity: Identity, caller: Caller) -> Reported:
        """Take a complaint about a picture, by the digest of its file or the id of its job.

        Raises:
            ImageUnknown: This server does not know it, or it is not for who asks.
            RegistryError: The registry did not take the complaint.
        """
        served = self._served.find(key)
        if served is None or not _may_see(served, identity.grants):
            raise ImageUnknown(
                "this server knows no such picture",
                hint="send the digest of the file as it came, or the id of its job, to the server "
                "that drew it, soon",
            )
        self._metrics.image_reports.labels(label=label).inc()
        log_event("image.reported", label=label, worn=[str(one) for one in served.releases])
        tenant = identity.tenant or identity.name or caller.address or caller.key
        counted = served.side is not None and await self._complain(served.side, tenant=tenant)
        return Reported(served=served, counted=counted)

    async def _complain(self, side: Side, *, tenant: str) -> bool:
        if not 0.0 < side.share < 1.0:
            # Where there is one side there is nothing to compare.
            return False
        # Which side somebody is served is drawn once, so their second complaint says nothing new.
        unit = hashlib.sha256(f"{side.salt}\0{tenant}".encode()).hexdigest()
        one = Observation(kind=COMPLAINT, unit=unit, is_loss=side.is_candidate, share=side.share)
        try:
            _, canary = side.canary.find(self._registry.state)
            author = server_author(canary)
            act = observe(side.canary, observations=[one])
            step = await self._publishing.act(self._registry.commit, act, author=author)
        except RegistryError as error:
            if error.reason in ("CANARY_ENDED", "CANARY_NOT_FOUND", "ADAPTER_NOT_FOUND"):
                return False
            raise
        return step.seq > 0


def shares_from(first: float) -> tuple[float, ...]:
    """Return the steps of exposure from a first share on."""
    return (first, *(one for one in SHARES_LATER if one > first))


def _find(state: State, ref: AdapterRef) -> tuple[Adapter, Canary]:
    line = state.adapter(ref.adapter)
    if isinstance(ref.selector, ByChannel):
        channel = ref.selector.channel
        mine = [one for one in line.canaries if one.channel == channel]
        found = open_canary(line, channel=channel) or (mine[-1] if mine else None)
    else:
        found = canary_of(line, candidate=state.find(ref).digest)
    if found is None:
        raise NotFound(
            f"{ref} has no canary",
            reason="CANARY_NOT_FOUND",
            hint="`tabard canary status` lists the open ones; `tabard canary start` starts one.",
        )
    return line, found


def _standing(state: State, adapter: AdapterName, canary: Canary) -> Standing:
    line, policy = state.adapter(adapter), policy_of(canary)
    return Standing(
        adapter=line.name,
        canary=canary,
        candidate=line.by_digest[canary.terms.candidate],
        baseline=line.by_digest[canary.terms.baseline],
        figures=figures_of(decision_of(canary)) if canary.is_open else canary.figures,
        e_value_bound=1.0 / policy.false_rollback_max,
        units_max=policy.units_max,
        promotes=promotes(canary, policy=state.policies.get(adapter.namespace)),
    )


def _may_see(served: Served, grants: Grants) -> bool:
    spaces: Iterator[str] = iter(namespaces_needed(served.releases))
    return all(grants.allow(Role.GENERATE, namespace=space) for space in spaces)
