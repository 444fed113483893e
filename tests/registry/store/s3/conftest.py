# SPDX-License-Identifier: Apache-2.0
"""A store on a server that misbehaves on demand."""

import os
from collections.abc import Iterator

import pytest

from tabard_registry.store.s3 import S3Store
from tests.registry.store.s3.misbehaving_server import LIMITS, ScriptedS3, scripted_s3


@pytest.fixture
def server(_models_are_read_once: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedS3]:
    """The server, named in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with scripted_s3() as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", running.url)
        yield running


@pytest.fixture
def store(server: ScriptedS3) -> S3Store:
    """A store that does not wait between tries of its own."""
    return S3Store("s3://bucket/team", limits=LIMITS, sleep=lambda seconds: None)
