# SPDX-License-Identifier: Apache-2.0
"""A token is looked at before it is sent, and never shown."""

import os
import threading
from pathlib import Path

import pytest

from tabard import InvalidArgument, TabardError, Unauthenticated
from tabard.access.tokens import (
    TOKEN_BYTES_MAX,
    can_be_read_again,
    read_token,
    read_token_file,
)

SECRET = "tabard_01234567_0123456789ab_5ec2e7"


def test_token_of_a_file_ends_with_its_line(tmp_path: Path) -> None:
    """Every editor puts a line break there."""
    for number, end in enumerate(("", "\n", "\r\n")):
        file = tmp_path / str(number)
        file.write_text(SECRET + end, newline="")

        assert read_token_file(file) == SECRET


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        (f"{SECRET}\n", "has a line break"),
        (f"{SECRET}\r\nx", "has a line break"),
        (f"{SECRET} x", "has spaces"),
        (f"{SECRET}é", "letters that no token has"),
        (f"{SECRET}\x00", "letters that no token has"),
        (SECRET * 30_000, f"longer than the {TOKEN_BYTES_MAX} bytes"),
    ],
    ids=lambda value: value[:20],
)
def test_what_is_no_token_is_refused(text: str, said: str) -> None:
    """Without showing it."""
    with pytest.raises(Unauthenticated) as caught:
        read_token(text, said_by="TABARD_TOKEN")

    error = caught.value
    assert (error.reason, said in str(error), bool(error.hint)) == ("TOKEN_MALFORMED", True, True)
    assert "5ec2e7" not in repr(error) + str(error) + error.hint


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"a\nb\n", b"x" * 100_000])
def test_file_of_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    """It is named, and what it holds is not shown."""
    file = tmp_path / "token"
    file.write_bytes(content)

    with pytest.raises(Unauthenticated, match=f"the file '{file}'") as caught:
        read_token_file(file)

    assert caught.value.reason == "TOKEN_MALFORMED"


@pytest.mark.parametrize("name", ["missing", "folder"])
def test_unreadable_file_is_named(tmp_path: Path, name: str) -> None:
    """A wrong name is a wrong argument."""
    (tmp_path / "folder").mkdir()

    with pytest.raises(InvalidArgument, match=f"/{name}' cannot be read") as caught:
        read_token_file(tmp_path / name)

    assert caught.value.reason == "FILE_UNREADABLE"


def test_endless_file_is_not_read_to_its_end() -> None:
    """Whatever a device gives."""
    with pytest.raises(TabardError):
        read_token_file(Path("/dev/zero"))


def test_pipe_gives_its_token_once(tmp_path: Path) -> None:
    """As a shell's `<(…)` does."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text(f"{SECRET}\n"))
    writer.start()

    found = read_token_file(pipe)
    writer.join()

    assert found == SECRET
    assert not can_be_read_again(pipe)
    assert not can_be_read_again(tmp_path / "missing")
