# SPDX-License-Identifier: Apache-2.0
"""What a doctor asks of an object store beyond `Store`: conditions, clock, and the bucket's rules.

A store that can be asked has a method `probe`. Knows no client of any store.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol, runtime_checkable


class Versioning(Enum):
    """Whether a bucket keeps what was deleted or replaced."""

    OFF = "off"
    ON = "on"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryRule:
    """A lifecycle rule of a bucket that removes, or puts away, objects of the registry.

    Attributes:
        name: Its id, for people.
        prefix: The keys it is about, as the bucket counts them.
        deletes: True when it deletes objects, false when it moves them to colder storage.
    """

    name: str
    prefix: str
    deletes: bool


class StoreProbe(Protocol):
    """Questions about the storage behind a store.

    Every method raises `StoreUnavailable` when the store refuses or does not answer.
    """

    def now(self) -> datetime:
        """Return the time by the store's clock."""
        ...

    def etag(self, key: str) -> str:
        """Return the entity tag of an object, without quotes."""
        ...

    def replaces_if_match(self, key: str, *, body: bytes, etag: str) -> bool:
        """Replace an object if it has this tag, given exactly as it goes over the wire.

        Returns:
            False when the store refused it.
        """
        ...

    def versioning(self) -> Versioning:
        """Tell whether the bucket keeps old versions."""
        ...

    def expiry_rules(self) -> tuple[ExpiryRule, ...]:
        """Return the lifecycle rules that touch the registry's objects."""
        ...


@runtime_checkable
class Probed(Protocol):
    """A store that answers a probe."""

    def probe(self) -> StoreProbe:
        """Give the probe of this store."""
        ...
