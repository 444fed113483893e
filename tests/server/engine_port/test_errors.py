# SPDX-License-Identifier: Apache-2.0
"""What the engine says when it refuses: a stable reason for each class, and advice."""

import re
from collections.abc import Iterator

import pytest

from tabard_server.engine_port import errors
from tabard_server.engine_port.errors import EngineError, RowNotPossible, no_merged_copy


def below(root: type[EngineError]) -> Iterator[type[EngineError]]:
    """Yield every class below."""
    for child in root.__subclasses__():
        yield child
        yield from below(child)


@pytest.mark.parametrize("error", [*below(EngineError)], ids=lambda error: error.__name__)
def test_every_class_is_drawn(error: type[EngineError]) -> None:
    """The tree above the classes names each; reasons are words in upper snake case."""
    assert f"── {error.__name__} " in str(errors.__doc__)
    assert re.fullmatch(r"[A-Z]+(_[A-Z]+)*", error.reason)


def test_reasons_tell_classes_apart() -> None:
    """No two classes share a reason."""
    reasons = [error.reason for error in below(EngineError)]

    assert len(set(reasons)) == len(reasons)


def test_impossible_row_says_what_is() -> None:
    """One class, and the reason says which wish it was; other errors keep their own."""
    error = RowNotPossible("too many layers", reason="CLIP_SKIP_OUT_OF_RANGE", hint="use 1")

    assert (str(error), error.reason, error.hint) == (
        *("too many layers", "CLIP_SKIP_OUT_OF_RANGE", "use 1"),
    )
    assert RowNotPossible.reason == "ROW_NOT_POSSIBLE"


def test_missing_copy_names_its_setting() -> None:
    """Who needs a merged copy is told which setting would make one."""
    assert "merged_copy = true" in no_merged_copy().hint
