# SPDX-License-Identifier: Apache-2.0
"""What lies in the folder of a registry."""

from pathlib import Path

from tabard_registry.store.folder import FolderStore


def objects(place: Path) -> set[str]:
    """Keys of a folder."""
    return {one.key for one in FolderStore(place).objects("")}
