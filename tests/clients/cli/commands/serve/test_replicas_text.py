# SPDX-License-Identifier: Apache-2.0
"""What is worth a look of a server, beside the one that was asked."""

from __future__ import annotations

from typing import Any

import pytest

from tabard.cli.commands.serve.replicas_text import remarks_on, replicas_text
from tabard.operations import Replica, Replicas, ServerStatus

ASKED: dict[str, Any] = {"version": "1", "base_fingerprint": "sha256:1"}


def status() -> ServerStatus:
    """What the server that was asked says of itself."""
    names = ("base_family", "base_source", "device", "registry_id")
    numbers = ("registry_seq", "rows_waiting", "rows_running", "native_width", "native_height")
    return ServerStatus(
        **ASKED,
        **dict.fromkeys(names, ""),
        **dict.fromkeys(numbers, 0),
        draining=False,
        residents=(),
        samplers=(),
        uptime_seconds=0.0,
    )


def replica(**said: Any) -> Replica:
    """A server like it."""
    texts = ("id", "address", "host", "base_family", "device", "state", "started_at")
    numbers = {
        *("record_version", "age_seconds", "interval_seconds", "registry_seq"),
        *("registry_lag_seconds", "clock_ahead_seconds", "rows_waiting", "rows_running"),
    }
    fields = {**dict.fromkeys(texts, ""), **dict.fromkeys(numbers, 0), **ASKED}
    return Replica(**{**fields, "is_lost": False, **said})


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, ""),
        ({"clock_ahead_seconds": 4.0, "registry_lag_seconds": 50.0}, ""),
        ({"version": "2"}, "another version"),
        ({"base_fingerprint": "sha256:2"}, "another base"),
        ({"registry_lag_seconds": 90.0}, "its store does not answer"),
        ({"clock_ahead_seconds": 40.0}, "its clock is 40 s ahead"),
        ({"clock_ahead_seconds": -40.0}, "its clock is 40 s behind"),
    ],
)
def test_what_is_unlike_is_told(said: dict[str, Any], words: str) -> None:
    """And what is alike is not."""
    assert remarks_on(replica(**said), now=status()) == ([words] if words else [])


def test_no_server_is_said() -> None:
    """Where none tells of itself."""
    nobody = Replicas(replicas=(), replica_id="", registry_seq=0)

    assert "heartbeat_seconds" in replicas_text(nobody, now=status())[0]
