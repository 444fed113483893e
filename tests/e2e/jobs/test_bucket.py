# SPDX-License-Identifier: Apache-2.0
"""Images of jobs in the bucket of a namespace, on the S3 store that the tests have."""

import hashlib
import json
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.e2e.conftest import run_server
from tests.e2e.jobs.browser import Caller
from tests.e2e.web.conftest import run_gateway
from tests.s3 import s3_client


def test_images_are_written_into_the_bucket(tmp_path: Path, tiny_base: Path, s3_url: str) -> None:
    """With their provenance, as the server gave them; they stay when the job is forgotten."""
    place = urlsplit(s3_url)
    places = json.dumps([{"namespace": "acme", "url": s3_url}])
    with (
        run_server(tmp_path, base=tiny_base, is_forked=True, jobs_places=places) as server,
        run_gateway(server.address) as url,
    ):
        caller = Caller(url)
        elsewhere = httpx.post(
            f"{url}/v1/jobs", json={"prompt": "a", "namespace": "other"}, trust_env=False
        )
        job = caller.begin(namespace="acme", num_images=2, image_format="webp")
        told = caller.ended(job["url"])
        digests = caller.digests(told)
        forgotten = httpx.delete(f"{url}{job['url']}", params={"forget": True}, trust_env=False)
        caller.close()

    prefix = f"{place.path.strip('/')}/{job['id']}/"
    listed = s3_client().list_objects_v2(Bucket=place.netloc, Prefix=prefix)["Contents"]
    found = {one["Key"].removeprefix(prefix): read(place.netloc, one["Key"]) for one in listed}
    assert elsewhere.json()["error"]["reason"] == "JOB_PLACE_UNKNOWN"
    assert (told["state"], told["namespace"], forgotten.status_code) == ("succeeded", "acme", 200)
    assert sorted(found) == ["0", "0.json", "1", "1.json"]
    assert [digest_of(found[name]) for name in ("0", "1")] == digests
    assert json.loads(found["1.json"])["seed"] == 8


def read(bucket: str, key: str) -> bytes:
    return bytes(s3_client().get_object(Bucket=bucket, Key=key)["Body"].read())


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
