# SPDX-License-Identifier: Apache-2.0
"""What namespaces ask of promotions, as this server's callers can give it.

In: a policy that somebody wants, or a release and a channel. Out: the policy, or what is missing
and who can give it. Knows by which ways callers show who they are. May wait for the store.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tabard_registry import DEFAULT_CHANNEL, AdapterRef, Author, Policy, Registry, Release
from tabard_registry.acts import Acted
from tabard_registry.acts.keys import policy_of
from tabard_registry.errors import PreconditionFailed
from tabard_registry.identity.roles import EVERYTHING, Grants
from tabard_registry.log.records import time_text
from tabard_registry.refs.names import check_channel
from tabard_registry.release.gates import Gate, gates_matching
from tabard_registry.state.gates import Missing, missing_for
from tabard_registry.state.givers import givers, refuse_too_few
from tabard_registry.state.sight import seen_by

_BY_TOKENS_ALONE = ("tokens",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One thing that a release lacks, and who could give it.

    Attributes:
        missing: The thing.
        names: Holders of tokens, as far as the asker may know of them.
        has_others: Whether there may be others: who have no token, or whom the asker does not see.
    """

    missing: Missing
    names: tuple[str, ...]
    has_others: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What stands between a release and a channel.

    Attributes:
        release: The release.
        channel: The channel.
        gates: What the channel asks for, by pattern.
        needs: What is missing; empty: nothing.
        override_suffices: Whether an override would do: something is missing, but nothing more.
    """

    release: Release
    channel: str
    gates: Mapping[str, Gate]
    needs: tuple[Need, ...]
    override_suffices: bool


class Policies:
    """Sets and explains policies. Thread-safe."""

    def __init__(self, registry: Registry, *, ways: Sequence[str]) -> None:
        """Take the ways by which callers show who they are; none: nobody is asked."""
        self._registry = registry
        self._ways = tuple(ways)

    def set(self, namespace: str, *, author: Author, **words: Any) -> Acted[Policy]:
        """Change what a namespace asks for, unless nobody could ever give it.

        Raises:
            PreconditionFailed: It is so (POLICY_UNSATISFIABLE).
            RegistryError: The registry refused, or did not answer.
        """
        channels: Mapping[str, Gate | None] | None = words.get("channels")
        if channels or words.get("require_identity"):
            # Tokens that were made elsewhere a moment ago count.
            self._registry.catch_up()
            self._refuse_unsatisfiable(namespace, words, said=channels or {})
        return self._registry.set_policy(namespace, author=author, **words)

    def explain(self, ref: AdapterRef, *, channel: str, grants: Grants) -> Explanation:
        """Say what a release lacks for a channel, and who can give it, as far as one may know.

        Raises:
            NotFound: There is no such release for whom asks.
            InvalidName: The channel is none.
        """
        channel = channel or DEFAULT_CHANNEL
        check_channel(channel)
        state = self._registry.state
        seen = seen_by(state, grants).find(ref)
        # What a promotion would be told, which asks the whole state.
        release = state.adapter(seen.adapter).by_digest[seen.digest]
        namespace = release.adapter.namespace
        policy = state.policies.get(namespace)
        missing = missing_for(release, policy=policy, channel=channel)
        left = missing_for(release, policy=policy, channel=channel, override="said")
        return Explanation(
            release=seen,
            channel=channel,
            gates=gates_matching(policy.channels, channel) if policy else {},
            needs=tuple(self._need(one, namespace=namespace, grants=grants) for one in missing),
            override_suffices=bool(missing) and not left,
        )

    def _need(self, missing: Missing, *, namespace: str, grants: Grants) -> Need:
        known = self._registry.tokens(grants=grants) if "tokens" in self._ways else ()
        return Need(
            missing=missing,
            names=givers(missing, known, namespace=namespace, at=_now()),
            has_others=self._ways != _BY_TOKENS_ALONE or not grants.cover(EVERYTHING),
        )

    def _refuse_unsatisfiable(
        self, namespace: str, words: Mapping[str, Any], *, said: Mapping[str, Gate | None]
    ) -> None:
        before = policy_of(self._registry.state, namespace)
        wanted = {pattern: gate for pattern, gate in said.items() if gate is not None}
        kept = {name: gate for name, gate in before.channels.items() if name not in said}
        asks = words.get("require_identity")
        asks = before.require_identity if asks is None else asks
        if asks and not self._ways and any(one.reviews for one in (wanted | kept).values()):
            raise PreconditionFailed(
                f"{namespace} would ask for reviews by people who have shown who they are, and "
                "this server asks nobody",
                reason="POLICY_UNSATISFIABLE",
                hint="Switch identity on ([identity] tokens = true), or ask for one of them only.",
            )
        if self._ways == _BY_TOKENS_ALONE:
            tokens = self._registry.state.tokens.values()
            refuse_too_few(tokens, wanted, namespace=namespace, at=_now())


def _now() -> str:
    return time_text(datetime.now(UTC))
