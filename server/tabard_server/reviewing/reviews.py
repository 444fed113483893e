# SPDX-License-Identifier: Apache-2.0
"""Reviews of releases: what people decided, and of which report.

In: parsed values. Out: the release as its caller sees it, with what was said. May wait for the
store. Knows nothing of protobuf.
"""

from tabard_registry import AdapterRef, Author, Digest, InvalidName, Registry, Release
from tabard_registry.acts import Acted
from tabard_registry.errors import NotFound
from tabard_registry.identity.roles import Grants
from tabard_registry.refs.names import ByDigest
from tabard_registry.state.sight import seen_by

_DIGITS_MIN, _DIGITS = 12, 64
_SHA256 = "sha256:"


def see(registry: Registry, ref: AdapterRef, *, grants: Grants) -> Release:
    """Return the release that a ref means to somebody, as they see it; what acts on it asks first.

    Raises:
        NotFound: There is none for them.
        PreconditionFailed: It was purged.
    """
    return seen_by(registry.state, grants).find_kept(ref)


class Reviews:
    """Reviews of one registry. Thread-safe."""

    def __init__(self, registry: Registry) -> None:
        """Take the registry."""
        self._registry = registry

    def review(
        self, ref: AdapterRef, *, decision: str, evidence: str, author: Author
    ) -> Acted[Release]:
        """Approve of a release, or reject it.

        Args:
            ref: The release.
            decision: `approve` or `reject`.
            evidence: The report that the author saw, by its digest or the first digits of it;
                empty: there is none.
            author: Who reviews; the reason is the note.

        Raises:
            NotFound: There is no such release, or no such report, for the author.
            PreconditionFailed: They published it (REVIEW_BY_AUTHOR), or there is a newer report
                (REVIEW_OUTDATED).
        """
        # A report that was filed elsewhere a moment ago is the newest.
        self._registry.catch_up()
        release = see(self._registry, ref, grants=author.grants)
        return self._registry.evidence.review(
            AdapterRef(adapter=release.adapter, selector=ByDigest(release.digest.hex)),
            decision=decision,
            evidence=named_report(release, evidence),
            author=author,
        )


def named_report(release: Release, text: str) -> Digest | None:
    """Return the report on a release that a text names: a digest, or at least 12 digits of one.

    Raises:
        NotFound: There is none, or several begin so.
        InvalidName: It is no digest.
    """
    if not text:
        return None
    digits = text.removeprefix(_SHA256).lower()
    if not (_DIGITS_MIN <= len(digits) <= _DIGITS and set(digits) <= set("0123456789abcdef")):
        raise InvalidName(
            f"{text[:80]!r} is no digest of a report",
            reason="INVALID_DIGEST",
            hint=f"Write `{_SHA256}` and at least {_DIGITS_MIN} of its digits.",
        )
    reports = [one.document for one in release.health.evidence if one.kind == "report"]
    found = [one for one in reports if one.hex.startswith(digits)]
    if len(found) != 1:
        raise NotFound(
            f"{'several reports' if found else 'no report'} on {release} with {digits[:16]}",
            reason="EVIDENCE_NOT_FOUND",
            hint=f"`tabard evidence list {release}` lists them.",
        )
    return found[0]
