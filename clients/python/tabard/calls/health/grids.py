# SPDX-License-Identifier: Apache-2.0
"""The verbs of grids: the prompts and seeds that releases are drawn with when they are judged."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabard.calls.call import Call, Caller, Pages, pages_of
from tabard.calls.health.evidence import written
from tabard.calls.local_files import first_bytes, unreadable
from tabard.convert import same_fields
from tabard.health.evidence import Grid, GridChange, GridDocument
from tabard.v1 import evidence_service_pb2 as pb

GRID_BYTES_MAX = 1 << 20
"""Most of a file that is read as a grid; servers take less."""


def put_grid(
    caller: Caller, grid: Mapping[str, Any] | str | Path, *, place: str, reason: str = ""
) -> Call[GridChange]:
    """Give a namespace or a release line a grid; a newer one of its name replaces it.

    Args:
        caller: Filled in by the client.
        grid: Its document, or the path of it.
        place: Whose it is: `acme`, or `acme/ink`.
        reason: Why, for the record.

    Raises:
        InvalidArgument: It is no grid, has too few prompts (GRID_EMPTY) or too many
            (GRID_TOO_LARGE), or no place for the trigger of the line (TRIGGER_MISSING).
    """
    content = written(grid, name="grid") if isinstance(grid, Mapping) else _read(Path(grid))
    return Call(
        request=pb.PutGridRequest(
            place=place,
            grid_document=content,
            actor=caller.actor,
            reason=reason,
            request_id=caller.new_id(),
        ),
        read=lambda answer: same_fields(GridChange, answer, grid=read_grid(answer.grid)),
    )


def grid(caller: Caller, name: str, *, place: str = "") -> Call[GridDocument]:
    """Give the grid that a release line or a namespace means by a name, with its document.

    Args:
        caller: Filled in by the client.
        name: What it is called.
        place: Whose: a line has its own, else its namespace's, else the one that every registry
            has; left out: the last alone.

    Raises:
        NotFound: There is none of the name; the hint says which there are.
    """
    del caller
    return Call(
        request=pb.GetGridRequest(place=place, name=name),
        read=lambda answer: GridDocument(
            grid=read_grid(answer.grid), content=bytes(answer.document)
        ),
    )


def grids(caller: Caller, *, place: str = "") -> Pages[Grid, tuple[Grid, ...]]:
    """List the newest grid of every name, by place and name.

    Args:
        caller: Filled in by the client.
        place: Only those that a namespace or a release line can mean.
    """
    del caller
    return pages_of(pb.ListGridsRequest(place=place), "grids", read_grid)


def read_grid(message: pb.Grid) -> Grid:
    """Give the value of what is known of a grid."""
    return same_fields(Grid, message)


def _read(path: Path) -> bytes:
    try:
        return first_bytes(path, bytes_max=GRID_BYTES_MAX)
    except OSError as error:
        raise unreadable(path, error) from error
