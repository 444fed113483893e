# SPDX-License-Identifier: Apache-2.0
"""Tokens of a server that asks who one is."""

import json
import subprocess
import sys
from pathlib import Path

from tabard import Client, Unauthenticated


def first_token(registry: Path) -> str:
    """Make the first token of a registry, as its operator does."""
    command = [sys.executable, "-m", "tabard", "token", "bootstrap", "--json"]
    ran = subprocess.run(
        [*command, "--registry", str(registry)], check=True, capture_output=True, text=True
    )
    return str(json.loads(ran.stdout)["secret"])


def is_known(admin: Client) -> bool:
    """Say whether the server has read of the token: it does so at a poll."""
    try:
        return bool(admin.whoami().name)
    except Unauthenticated:
        return False
