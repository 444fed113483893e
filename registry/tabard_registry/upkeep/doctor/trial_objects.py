# SPDX-License-Identifier: Apache-2.0
"""The objects that a doctor makes: with a prefix of their own, remembered, removed at the end."""

from __future__ import annotations

import secrets

from tabard_registry.errors import StoreUnavailable
from tabard_registry.place import DOCTOR_FOLDER
from tabard_registry.store.store import Store


class TrialObjects:
    """Names the trial objects of one examination. Used by one thread."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.prefix = f"{DOCTOR_FOLDER}/{secrets.token_hex(8)}-"
        self._keys: list[str] = []

    def key(self, name: str) -> str:
        """Name an object that will be removed, whether it is made or not."""
        key = f"{self.prefix}{name}"
        self._keys.append(key)
        return key

    def remove(self) -> StoreUnavailable | None:
        """Remove every object; return why one could not be removed."""
        refusal: StoreUnavailable | None = None
        for key in self._keys:
            try:
                self.store.delete(key)
            except StoreUnavailable as error:
                refusal = error
                break  # a role that may not delete may delete none of them
        self._keys.clear()
        return refusal
