# SPDX-License-Identifier: Apache-2.0
"""What only a bucket can do: sweeps of uploads, foreign objects, missing buckets."""

import pytest

from tabard_registry.errors import StoreUnavailable, UnusableRegistry
from tabard_registry.place import open_place
from tabard_registry.store.s3 import S3Store
from tabard_registry.store.s3 import store as s3_module
from tests.registry.fakes import counted_ids
from tests.registry.store.s3.uploads import PARTS, begin_upload, uploads
from tests.s3 import needs_real_s3, s3_client


def test_sweep_forgets_old_uploads(
    s3_store: S3Store, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fresh upload stays, an old one goes, and other people's never come into question."""
    begun = begin_upload(s3_url, parts=PARTS[:1])
    bucket, _, prefix = s3_url.removeprefix("s3://").partition("/")
    assert prefix
    foreign = s3_client().create_multipart_upload(Bucket=bucket, Key="other/x")["UploadId"]
    monkeypatch.setattr(s3_module, "UPLOAD_AGE_SECONDS_MAX", 10**10)
    kept = s3_store.sweep()
    monkeypatch.setattr(s3_module, "UPLOAD_AGE_SECONDS_MAX", -(10**6))

    swept = s3_store.sweep()

    assert (kept, swept) == (0, 1)
    assert uploads(s3_url) == [foreign]
    assert begun != foreign


def test_folder_of_a_console_is_nobodys(s3_store: S3Store, s3_url: str) -> None:
    """The empty object that shows a prefix as a folder does not make the place occupied."""
    bucket, _, prefix = s3_url.removeprefix("s3://").partition("/")
    s3_client().put_object(Bucket=bucket, Key=f"{prefix}/", Body=b"")

    assert s3_store.top_level() == frozenset()
    assert list(s3_store.objects("")) == []


def test_bucket_with_other_things_is_refused(s3_store: S3Store) -> None:
    """A prefix that holds something else stays as it is."""
    s3_store.put("holiday.jpg", chunks=[b"x"])

    with pytest.raises(UnusableRegistry, match=r"holiday\.jpg"):
        open_place(s3_store, new_id=counted_ids(), create=True)

    assert [one.key for one in s3_store.objects("")] == ["holiday.jpg"]


def test_missing_bucket_is_named(s3_environment: None) -> None:
    """A bucket that does not exist is not an empty registry."""
    store = S3Store("s3://tabard-nowhere/x")

    for act in (
        lambda: store.read("format.json", bytes_max=1),
        lambda: store.create("log/1", body=b"x"),
        lambda: store.put("blob/x", chunks=[b"x"]),
        store.top_level,
        lambda: list(store.objects("")),
        lambda: list(store.stream("blob/x")),
    ):
        with pytest.raises(StoreUnavailable, match="NoSuchBucket") as caught:
            act()
        assert "Create the bucket" in caught.value.hint


@needs_real_s3
@pytest.mark.parametrize(
    ("name", "code", "remedy"),
    [
        ("AWS_ACCESS_KEY_ID", "InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
        ("AWS_SECRET_ACCESS_KEY", "SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_wrong_credentials_are_named(
    s3_url: str, monkeypatch: pytest.MonkeyPatch, name: str, code: str, remedy: str
) -> None:
    """A real store's own words about wrong credentials become a remedy."""
    monkeypatch.setenv(name, "wrong")
    store = S3Store(s3_url)

    for act in (lambda: store.create("a", body=b"x"), lambda: store.read("a", bytes_max=1)):
        with pytest.raises(StoreUnavailable, match=code) as caught:
            act()
        assert remedy in caught.value.hint
