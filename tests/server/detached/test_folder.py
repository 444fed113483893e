# SPDX-License-Identifier: Apache-2.0
"""The folder of detached jobs: what was kept is there after a crash, half of something is not."""

import errno
import os
from pathlib import Path

import pytest

from tabard_server.detached.folder import JobFolder
from tabard_server.errors import BadSettings, JobNotKept
from tests.server.detached.records import done, record


def test_what_is_kept_is_found_again(tmp_path: Path) -> None:
    """Record, request, image and provenance."""
    folder = JobFolder(tmp_path / "jobs")
    assert folder.open() == []
    folder.begin(record(), request=b"request")
    folder.put_image("a" * 16, index=0, content=b"png", provenance="{}")
    folder.update(done())
    folder.close()

    again = JobFolder(tmp_path / "jobs")
    assert again.open() == [done()]
    assert again.request("a" * 16) == b"request"
    assert again.image("a" * 16, index=0) == (b"png", "{}")
    again.close()


def test_folder_is_one_servers(tmp_path: Path) -> None:
    """A second server is refused by the name of the setting, and may have it later."""
    first, second = JobFolder(tmp_path), JobFolder(tmp_path)
    first.open()
    with pytest.raises(BadSettings) as refused:
        second.open()
    first.close()

    assert refused.value.names == ("jobs.folder",)
    assert second.open() == []
    second.close()


def test_what_a_crash_leaves_is_no_job(tmp_path: Path) -> None:
    """Half a file, a job without its record, a record that cannot be read, another's folder."""
    folder = JobFolder(tmp_path)
    folder.open()
    folder.begin(record(), request=b"request")
    folder.begin(record("b" * 16), request=b"request")
    folder.close()
    (tmp_path / ("a" * 16) / "job.json.new").write_bytes(b"half")
    (tmp_path / ("b" * 16) / "job.json").write_bytes(b"{")
    (tmp_path / ("c" * 16)).mkdir()
    (tmp_path / ("c" * 16) / "request").write_bytes(b"never acknowledged")
    (tmp_path / "notes").mkdir()

    again = JobFolder(tmp_path)
    assert [one.id for one in again.open()] == ["a" * 16]
    again.close()
    assert not (tmp_path / ("a" * 16) / "job.json.new").exists()
    assert not (tmp_path / ("c" * 16)).exists()
    assert (tmp_path / ("b" * 16)).exists()
    assert (tmp_path / "notes").exists()


def test_disk_that_takes_nothing_is_told(tmp_path: Path) -> None:
    """An old record stays whole where the new one cannot be written."""
    folder = JobFolder(tmp_path)
    folder.open()
    folder.begin(record(), request=b"request")
    place = tmp_path / ("a" * 16)
    (place / "job.json.new").mkdir()
    with pytest.raises(JobNotKept):
        folder.update(done())
    (place / "job.json.new").rmdir()
    folder.close()

    again = JobFolder(tmp_path)
    assert again.open() == [record()]
    again.close()


def test_full_disk_is_left_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused job leaves no folder, a half image no file; what was kept before is whole."""
    folder = JobFolder(tmp_path)
    folder.open()
    folder.begin(record(), request=b"request")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(JobNotKept):
            folder.begin(record("b" * 16), request=b"request")
        with pytest.raises(JobNotKept):
            folder.put_image("a" * 16, index=0, content=b"png", provenance="{}")
        with pytest.raises(JobNotKept):
            folder.begin(done(), request=b"again")
    folder.close()

    assert sorted(one.name for one in tmp_path.iterdir()) == ["a" * 16, "lock"]
    assert sorted(one.name for one in (tmp_path / ("a" * 16)).iterdir()) == ["job.json", "request"]
    again = JobFolder(tmp_path)
    assert again.open() == [record()]
    assert again.request("a" * 16) == b"request"
    again.close()


def test_removed_job_leaves_nothing(tmp_path: Path) -> None:
    """Its images first, or all of it; twice is fine."""
    folder = JobFolder(tmp_path)
    folder.open()
    folder.begin(done(), request=b"request")
    folder.put_image("a" * 16, index=0, content=b"png", provenance="{}")
    folder.remove_image("a" * 16, index=0)
    folder.remove_image("a" * 16, index=0)
    with pytest.raises(JobNotKept):
        folder.image("a" * 16, index=0)
    folder.remove("a" * 16)
    folder.remove("a" * 16)
    folder.close()

    assert [one.name for one in tmp_path.iterdir()] == ["lock"]


def test_folder_that_cannot_be_had(tmp_path: Path) -> None:
    """One that was named is a wrong setting; without the one in the cache jobs are refused."""
    (tmp_path / "file").write_bytes(b"")
    named = JobFolder(tmp_path / "file" / "jobs")
    own = JobFolder(tmp_path / "file" / "jobs", is_required=False)

    with pytest.raises(BadSettings):
        named.open()
    assert own.open() == []
    with pytest.raises(JobNotKept):
        own.begin(record(), request=b"request")


def test_folder_of_another_is_always_refused(tmp_path: Path) -> None:
    """Two servers would keep the same jobs."""
    first, second = JobFolder(tmp_path), JobFolder(tmp_path, is_required=False)
    first.open()
    with pytest.raises(BadSettings):
        second.open()
    first.close()
