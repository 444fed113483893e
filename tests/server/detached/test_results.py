# SPDX-License-Identifier: Apache-2.0
"""Where images lie: on the server's disk, or where their namespace wants them."""

from pathlib import Path

import pytest

from tabard_registry.place import open_store
from tabard_registry.store.folder import FolderStore
from tabard_server.detached.folder import JobFolder
from tabard_server.detached.results import Results
from tabard_server.errors import InvalidRequest, JobNotKept, JobUnknown
from tests.server.detached.records import done, image, record


def results(folder: Path) -> Results:
    kept = JobFolder(folder / "jobs")
    kept.open()
    kept.begin(record(), request=b"")
    return Results(kept, urls={"acme": (folder / "bucket").as_uri()}, open_store=open_store)


@pytest.mark.parametrize("place", ["", "acme"])
def test_image_is_read_as_written(tmp_path: Path, place: str) -> None:
    """Twice is fine, as of a job that is run again."""
    found = results(tmp_path)
    one = record(place=place)
    for content in (b"first", b"again"):
        found.put(one, index=0, content=content, provenance='{"seed":7}')

    assert found.get(one, image(0, size=5)) == (b"again", '{"seed":7}')
    assert (tmp_path / "bucket" / one.id / "0").exists() is (place == "acme")


def test_namespace_without_a_place_is_refused(tmp_path: Path) -> None:
    """At the door; and where its place was taken away since, by whoever looks for the image."""
    found = results(tmp_path)
    found.check("acme")

    with pytest.raises(InvalidRequest) as refused:
        found.check("beta")
    assert refused.value.reason == "JOB_PLACE_UNKNOWN"
    with pytest.raises(JobNotKept):
        found.get(done(place="beta"), image(0))


def test_image_that_somebody_removed_is_unknown(tmp_path: Path) -> None:
    """A bucket is its namespace's own."""
    found = results(tmp_path)
    store = FolderStore(tmp_path / "bucket")
    found.put(record(place="acme"), index=0, content=b"png", provenance="{}")
    store.delete(f"{record().id}/0")

    with pytest.raises(JobUnknown):
        found.get(done(place="acme"), image(0))
