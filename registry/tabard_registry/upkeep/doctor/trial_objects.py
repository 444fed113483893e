# SPDX-License-Identifier: Apache-2.0
"""The objects that a doctor makes: with a prefix of their own, remembered, removed at the end.

In a folder, so are the folders that were made for them.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from tabard_registry.errors import StoreUnavailable
from tabard_registry.place import DOCTOR_FOLDER, local_root
from tabard_registry.store.folder import TEMP_FOLDER
from tabard_registry.store.store import FORMAT_KEY, Store


class TrialObjects:
    """Names the trial objects of one examination. Used by one thread."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.prefix = f"{DOCTOR_FOLDER}/{secrets.token_hex(8)}-"
        self._keys: list[str] = []
        self._new_folders = _missing_folders(store)

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
        for folder in self._new_folders:
            with contextlib.suppress(OSError):  # never made, or somebody has put something there
                folder.rmdir()
        return refusal


def _missing_folders(store: Store) -> list[Path]:
    """List the folders that writing would make, the innermost first."""
    root = local_root(store)
    if root is None:
        return []
    folders = [root / DOCTOR_FOLDER]
    if not os.path.lexists(root / FORMAT_KEY):  # the servers of a registry write in the others
        folders += [root / TEMP_FOLDER, root, *root.parents]
    return [folder for folder in folders if not os.path.lexists(folder)]
