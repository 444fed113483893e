# SPDX-License-Identifier: Apache-2.0
import pytest

from tabard_registry.errors import UnusableRegistry
from tabard_registry.store.s3 import S3Store
from tabard_registry.store.store import Outcome
from tests.registry.store.s3.misbehaving_server import ScriptedS3


@pytest.mark.parametrize(
    ("name", "value"),
    [("AWS_PROFILE", "nobody"), ("AWS_ENDPOINT_URL_S3", "nonsense")],
)
def test_wrong_settings_are_refused(
    server: ScriptedS3, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """What boto3 itself cannot read is told before anything is asked."""
    monkeypatch.setenv(name, value)

    with pytest.raises(UnusableRegistry, match=value) as caught:
        S3Store("s3://bucket/team")

    assert "boto3" in caught.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3:///x",
        "s3://b",
        "s3://key:secret@bucket/x",
        "s3://bucket/x?endpoint=y",
        "s3://bucket/a/../b",
        "s3://bucket/" + "x" * 600,
        "s3://bucket/#x",
        "s3://bu cket/x",
    ],
)
def test_unreadable_address_is_refused(url: str) -> None:
    """An address is a bucket and a prefix, and nothing else."""
    with pytest.raises(UnusableRegistry) as caught:
        S3Store(url)

    assert caught.value.reason == "UNSUPPORTED_STORE"


def test_prefix_is_a_whole_name(s3_store: S3Store, s3_url: str) -> None:
    """What lies beside the prefix, under a longer name, is another place."""
    beside = S3Store(s3_url + "-old")
    beside.create("log/1", body=b"x")

    assert s3_store.top_level() == frozenset()
    assert [one.key for one in beside.objects("")] == ["log/1"]


def test_bucket_of_its_own_needs_no_prefix(s3_url: str) -> None:
    """A registry may have a whole bucket."""
    bucket = s3_url.removeprefix("s3://").partition("/")[0]
    store = S3Store(f"s3://{bucket}/")

    assert store.create("log/1", body=b"x") is Outcome.CREATED

    assert store.url == f"s3://{bucket}"
    assert store.top_level() == {"log"}
    assert [one.key for one in store.objects("lo")] == ["log/1"]
