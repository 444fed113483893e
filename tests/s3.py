# SPDX-License-Identifier: Apache-2.0
"""An S3 bucket for a test: at the endpoint that TABARD_TEST_S3 names, else in moto, over HTTP.

`tests/conftest.py` gives `s3_endpoint` and `s3_url` to all; boto3 finds the endpoint and the
credentials in the environment, like everywhere. moto looks before it writes, without a lock: under
load it elects several winners, and a doctor refuses it. So here its PUTs wait for each other. It
knows neither credentials nor durability: what needs those runs where a real store is named.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.loaders import JSONFileLoader, Loader

IS_REAL = bool(os.environ.get("TABARD_TEST_S3"))
needs_real_s3 = pytest.mark.skipif(not IS_REAL, reason="TABARD_TEST_S3 names no S3 store")


class _OneWriteAtATime:
    """Gives moto's application the lock that it lacks."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._writing = threading.Lock()

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] != "PUT":
            return self._application(environ, start_response)
        with self._writing:
            return self._application(environ, start_response)


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of an S3 store."""
    if named := os.environ.get("TABARD_TEST_S3"):
        yield named
        return
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - a second, for tests of S3 alone

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    server._server.app = _OneWriteAtATime(server._server.app)
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def _models_are_read_once() -> Iterator[None]:
    """Half of what a client costs is finding and reading the same files again."""
    reader, found = JSONFileLoader(), Loader.list_available_services
    services: dict[str, list[str]] = {}

    def list_once(loader: Loader, type_name: str) -> list[str]:
        if type_name not in services:
            services[type_name] = found(loader, type_name)
        return services[type_name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loader, "list_available_services", list_once)
        patch.setattr(reader, "load_file", cache(reader.load_file))
        patch.setattr(Loader, "FILE_LOADER_CLASS", lambda _loader: reader)
        yield


@pytest.fixture
def s3_environment(
    s3_endpoint: str, _models_are_read_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment in which boto3 finds the store, and nothing of this machine's own."""
    _set_environment(s3_endpoint, monkeypatch)


def _set_environment(endpoint: str, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    patch.setenv("AWS_CONFIG_FILE", os.devnull)
    patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        patch.delenv(name, raising=False)
    defaults = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    for name, value in (defaults | {"AWS_DEFAULT_REGION": "us-east-1"}).items():
        patch.setenv(name, os.environ.get(name, value))


@pytest.fixture
def s3_url(s3_environment: None) -> Iterator[str]:
    """The address of an empty place in a bucket of its own."""
    with _bucket() as url:
        yield url


@contextmanager
def s3_place(endpoint: str, patch: pytest.MonkeyPatch) -> Iterator[str]:
    """The same for several tests, with the environment in which it is found."""
    _set_environment(endpoint, patch)
    with _bucket() as url:
        yield url


@contextmanager
def _bucket() -> Iterator[str]:
    client = s3_client()
    bucket = f"tabard-{secrets.token_hex(8)}"
    client.create_bucket(Bucket=bucket)
    yield f"s3://{bucket}/team/styles"
    empty_bucket(client, bucket)
    client.delete_bucket(Bucket=bucket)


def s3_client() -> Any:
    """A plain client of the store that the environment names; the caller has `s3_environment`."""
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    return _client_of(*(os.environ[name] for name in names))


@cache
def _client_of(endpoint: str, access_key: str, secret_key: str) -> Any:
    """Making one takes as long as all that a test does with it."""
    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
    )


def empty_bucket(client: Any, bucket: str) -> None:
    """Remove every object, version and upload of a bucket."""
    for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", ()):
        client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for found in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            client.delete_object(Bucket=bucket, Key=found["Key"], VersionId=found["VersionId"])
