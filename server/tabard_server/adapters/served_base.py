# SPDX-License-Identifier: Apache-2.0
"""The base of this server beside that which a release or a request needs. Pure.

In: families and fingerprints. Out: nothing, or a refusal that names both bases, so that whoever
asked a server of another base learns which one to ask for.
"""

from dataclasses import dataclass

from tabard_server.errors import NotServable

_DIGITS_SHOWN = 12
_PREFIX = "sha256:"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedBase:
    """The base of a server, and whose releases it draws.

    Attributes:
        family: Its family.
        fingerprint: All its components, `sha256:…`.
        is_strict: Whether only releases are drawn that were checked against this very base, and
            not those of others of its family.
    """

    family: str
    fingerprint: str
    is_strict: bool = False

    def require(self, said: str) -> None:
        """Refuse a request that names another base; empty: it names none.

        Args:
            said: A fingerprint, or its first digits, 12 or more; `sha256:` may stand before them.

        Raises:
            NotServable: It is not this one.
        """
        digits = said.strip().removeprefix(_PREFIX)
        own = self.fingerprint.removeprefix(_PREFIX)
        if said and not (len(digits) >= _DIGITS_SHOWN and own.startswith(digits)):
            raise NotServable(
                f"the request asks for the base {digits[:_DIGITS_SHOWN]}; this server has {self}",
                reason="BASE_NOT_HERE",
                hint="ask a server of that base by the metadata tabard-base, or name no base; "
                f"a base is named by {_DIGITS_SHOWN} or more digits of its fingerprint",
                base=said,
            )

    def require_for(self, what: object, *, family: str, fingerprint: str) -> None:
        """Refuse a release of another family, and where it is strict, of another base.

        Args:
            what: The release, for the words of a refusal.
            family: That of the base it was checked against.
            fingerprint: That base's.

        Raises:
            NotServable: This server does not draw it.
        """
        needed = named(family, fingerprint)
        if family != self.family:
            raise NotServable(
                f"{what} is for {needed}; this server serves {self}",
                reason="BASE_FAMILY_MISMATCH",
                hint=f"publish it for {self.family}, or ask a server of {family}",
                base=fingerprint,
            )
        if self.is_strict and fingerprint != self.fingerprint:
            raise NotServable(
                f"{what} was checked against {needed}; this server serves {self}, and only what "
                "was checked against that",
                reason="RELEASE_OF_OTHER_BASE",
                hint="ask a server of that base by the metadata tabard-base, or publish it again "
                "here (releases_of)",
                base=fingerprint,
            )

    def __str__(self) -> str:
        return named(self.family, self.fingerprint)


def named(family: str, fingerprint: str) -> str:
    """Name a base for people."""
    return f"{family} {fingerprint.removeprefix(_PREFIX)[:_DIGITS_SHOWN]}".strip()
