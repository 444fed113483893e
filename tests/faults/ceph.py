# SPDX-License-Identifier: Apache-2.0
"""A Ceph store of a test's own, whose daemons can be killed."""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import boto3

SCRIPT = Path(__file__).parents[1] / "ceph"


class Ceph:
    """One store; its state lies in a folder and survives any death of its daemons."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.environment: Mapping[str, str] = {}

    def start(self) -> None:
        """Bring up whatever is down."""
        told = self._run("start")
        lines = (line.removeprefix("export ") for line in told.splitlines())
        found = dict(line.split("=", 1) for line in lines if "=" in line)
        endpoint = {"AWS_ENDPOINT_URL_S3": found["TABARD_TEST_S3"]}
        self.environment = {**found, **endpoint, "AWS_EC2_METADATA_DISABLED": "true"}

    def kill(self, daemon: str) -> None:
        """Kill `rgw`, `osd`, `mon` or `all` of them, at once."""
        self._run("kill9", daemon)

    def new_bucket(self) -> str:
        """Make a bucket, and return the address of a place in it."""
        client = boto3.session.Session(
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            region_name=self.environment["AWS_DEFAULT_REGION"],
        ).client("s3", endpoint_url=self.environment["AWS_ENDPOINT_URL_S3"])
        name = f"tabard-{secrets.token_hex(8)}"
        client.create_bucket(Bucket=name)
        return f"s3://{name}/registry"

    def _run(self, *arguments: str) -> str:
        environment = {**os.environ, "TABARD_CEPH_FOLDER": str(self._folder)}
        done = subprocess.run(
            [str(SCRIPT), *arguments], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def started_ceph() -> Iterator[Ceph]:
    """Start a store of one's own; stopped and removed afterwards."""
    # Sockets lie in the folder, and their names have a limit: not below pytest's long paths.
    folder = Path(tempfile.mkdtemp(prefix="tabard-ceph-"))
    ceph = Ceph(folder)
    try:
        ceph.start()
        yield ceph
    finally:
        ceph._run("wipe")
        shutil.rmtree(folder, ignore_errors=True)
