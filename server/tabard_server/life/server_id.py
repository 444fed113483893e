# SPDX-License-Identifier: Apache-2.0
"""What a server is called among those of its registry, for as long as it keeps its jobs.

In: the folder of its jobs. Out: an id, the same after any restart; ids of jobs begin with it, so
that every server can say which one keeps a job. Blocks for a moment.
"""

import contextlib
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path

DIGITS = 8
"""Of a server's id, before the 32 digits of a job's own."""
_FILE = "server"
_ID = re.compile(r"[0-9a-f]{32}")
_JOB_ID = re.compile(rf"([0-9a-f]{{{DIGITS}}})[0-9a-f]{{32}}")


def server_id_in(folder: Path, *, new_id: Callable[[], str] = lambda: secrets.token_hex(16)) -> str:
    """Return the id that a folder holds; it is drawn now where none is there.

    Where nothing can be written the id is of this run alone, as its jobs are.
    """
    file = folder / _FILE
    with contextlib.suppress(OSError, ValueError):
        found = file.read_text(encoding="ascii")
        if _ID.fullmatch(found):
            return found
    drawn = new_id()
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = file.with_name(f"{_FILE}.new")
        with temporary.open("w", encoding="ascii") as written:
            written.write(drawn)
            written.flush()
            os.fsync(written.fileno())
        temporary.replace(file)
    return drawn


def new_job_id(server_id: str) -> str:
    """Return a fresh id of a job that a server keeps."""
    return server_id[:DIGITS] + secrets.token_hex(16)


def keeper_of(job: str) -> str:
    """Return how the id of the server begins that keeps a job; empty: the job's id does not say."""
    found = _JOB_ID.fullmatch(job)
    return found[1] if found else ""
