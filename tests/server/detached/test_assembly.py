# SPDX-License-Identifier: Apache-2.0
"""Where a server keeps detached jobs: by the setting, or by its address within the cache."""

from pathlib import Path

from tabard_server.detached.assembly import folder_for
from tabard_server.settings import Settings
from tabard_server.webhooks.settings import JobsSettings


def test_folder_is_named_after_the_address(tmp_path: Path) -> None:
    """Servers that share a cache have jobs of their own."""
    shared = Settings(cache=str(tmp_path))
    said = Settings(cache=str(tmp_path), jobs=JobsSettings(folder=str(tmp_path / "mine")))

    assert folder_for(shared, address="127.0.0.1:50051") == tmp_path / "jobs" / "127.0.0.1_50051"
    assert folder_for(shared, address="unix:/run/a") == tmp_path / "jobs" / "unix__run_a"
    assert folder_for(said, address="127.0.0.1:50051") == tmp_path / "mine"
