# SPDX-License-Identifier: Apache-2.0
"""What mypy makes of an installed wheel: all four packages say that they have types (`py.typed`).

Checked, never run. Without the mark every name would be Any, and `assert_type` would fail.
"""

from typing import assert_type

from tabard import Client, GenerateResult
from tabard_registry import Digest, sha256_bytes
from tabard_server.version import tabard_version
from tabard_web.bounds import Bounds


def look(client: Client, bounds: Bounds) -> None:
    """Name one thing of each package whose type mypy must know."""
    assert_type(client.generate("a red circle"), GenerateResult)
    assert_type(sha256_bytes(b""), Digest)
    assert_type(tabard_version(), str)
    assert_type(bounds.body_bytes_max, int)
