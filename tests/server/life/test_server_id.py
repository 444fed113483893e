# SPDX-License-Identifier: Apache-2.0
"""What a server is called: the same for as long as its folder is, and told by ids of its jobs."""

from pathlib import Path

import pytest

from tabard_server.life.server_id import keeper_of, new_job_id, server_id_in

ONE, OTHER = "1" * 32, "2" * 32


def test_id_stays_with_its_folder(tmp_path: Path) -> None:
    """Whoever starts there again is the same server; elsewhere it is another."""
    first = server_id_in(tmp_path / "jobs", new_id=lambda: ONE)

    assert first == ONE
    assert server_id_in(tmp_path / "jobs", new_id=lambda: OTHER) == ONE
    assert server_id_in(tmp_path / "others", new_id=lambda: OTHER) == OTHER


@pytest.mark.parametrize("content", [b"", b"1" * 31, b"../" * 11, b"\xff" * 32])
def test_damaged_id_is_drawn_anew(tmp_path: Path, content: bytes) -> None:
    """What is no id is written over."""
    (tmp_path / "server").write_bytes(content)

    assert server_id_in(tmp_path, new_id=lambda: ONE) == ONE
    assert (tmp_path / "server").read_text() == ONE


def test_folder_that_takes_nothing_keeps_no_id(tmp_path: Path) -> None:
    """A server without a folder is a new one each time."""
    (tmp_path / "file").write_text("")

    assert server_id_in(tmp_path / "file" / "jobs", new_id=lambda: ONE) == ONE
    assert server_id_in(tmp_path / "file" / "jobs", new_id=lambda: OTHER) == OTHER


def test_jobs_say_who_keeps_them() -> None:
    """Their ids begin alike and differ; what is no such id says nothing."""
    jobs = {new_job_id("ab" * 16) for _ in range(100)}

    assert len(jobs) == 100
    assert {keeper_of(job) for job in jobs} == {"abababab"}
    assert {keeper_of(job) for job in ("", "ab" * 16, "AB" * 20, "ab" * 21, "x" * 40)} == {""}
