# SPDX-License-Identifier: Apache-2.0
"""An object of several parts, and a look at its uploads in a bucket."""

import random
from typing import Any

from tabard_registry.store.s3 import S3Store
from tests.registry.store.conftest import SMALL_PARTS
from tests.s3 import s3_client

PART = SMALL_PARTS.part_bytes
LARGE = random.Random(0).randbytes(4 * PART + 99)
PARTS = [LARGE[at : at + PART] for at in range(0, len(LARGE), PART)]


def begin_upload(url: str, *, parts: list[bytes]) -> str:
    """Leave an upload of `blob/x` behind, as a killed writer does."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    where, client = {"Bucket": bucket, "Key": f"{prefix}/blob/x"}, s3_client()
    upload = str(client.create_multipart_upload(**where)["UploadId"])
    for number, part in enumerate(parts, start=1):
        client.upload_part(**where, UploadId=upload, PartNumber=number, Body=part)
    return upload


def uploads(url: str) -> list[str]:
    """The uploads under way in the bucket."""
    bucket = url.removeprefix("s3://").partition("/")[0]
    found = s3_client().list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    return [upload["UploadId"] for upload in found]


def watch(store: S3Store, operation: str, see: Any, *, when: str = "before-call") -> None:
    """Show every call of an operation to `see`."""
    for client in (store._bucket.reader, store._bucket.writer):
        events = client.meta.events
        events.register(f"{when}.s3.{operation}", lambda params=None, **_: see(params))


def part_number(params: dict[str, Any]) -> int:
    """The number of the part that a request sends."""
    return int(params["query_string"]["partNumber"])
