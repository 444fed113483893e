# SPDX-License-Identifier: Apache-2.0
"""Grids that somebody wrote: read, and refused where no release could be drawn with them. Pure."""

from tabard_registry.evidence.documents import read_document
from tabard_registry.evidence.grid import Grid
from tabard_server.errors import invalid
from tabard_server.jobs.words.prompt_tags import read_tags


def read_grid(content: bytes) -> Grid:
    """Read the document of a grid.

    Raises:
        InvalidRequest, InvalidField: It is none, or too small, or too large.
    """
    found = read_document(content)
    if not isinstance(found, Grid):
        raise invalid(
            "grid_document",
            f"the document is of the kind {found.kind}",
            reason="FIELD_INVALID",
            hint="send a grid",
        )
    return found


def refuse_unfit(grid: Grid, *, trigger: str) -> None:
    """Refuse a grid with which a release is not drawn as it should be.

    Args:
        grid: The grid.
        trigger: The word that wakes the release; empty: none does.

    Raises:
        InvalidField: A prompt has no place for the trigger (TRIGGER_MISSING).
        InvalidRequest: A prompt names an adapter, so that the base would wear it, too.
    """
    grid.refuse_without_trigger((trigger,) if trigger else ())
    for prompt in grid.prompts:
        if read_tags(prompt.text).refs:
            raise invalid(
                "grid",
                f"a prompt of the grid {grid.name} names an adapter: {prompt.text[:80]!r}",
                reason="GRID_NAMES_ADAPTER",
                hint="leave the tag out: every side wears what it is evaluated with",
            )
