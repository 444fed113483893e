# SPDX-License-Identifier: Apache-2.0
"""Who acts and why: one value with one bound."""

import pytest

from tabard_registry import Author, InvalidField


@pytest.mark.parametrize("actor", ["", " \n"])
def test_somebody_acts(actor: str) -> None:
    """An act of nobody is refused."""
    with pytest.raises(InvalidField) as caught:
        Author(actor=actor)

    assert caught.value.reason == "FIELD_REQUIRED"


@pytest.mark.parametrize("steering", ["\0", "\x1b[2J", "\x7f", "\x9b", "\x85", "\b"])
@pytest.mark.parametrize("field", ["actor", "reason", "request_id"])
def test_controls_are_refused(field: str, steering: str) -> None:
    """No new record holds a character that steers a terminal; the error shows which it was."""
    with pytest.raises(InvalidField, match="has a control character, ") as caught:
        Author(**{"actor": "ann", field: f"a{steering}"})

    assert caught.value.reason == "FIELD_INVALID"
    assert str(caught.value).isprintable()


def test_only_a_reason_has_lines() -> None:
    """It is free text; who acts, and a key of a request, are names."""
    Author(actor="ann", reason="one\r\n\ttwo")

    for field in ("actor", "request_id"):
        with pytest.raises(InvalidField, match="control character"):
            Author(**{"actor": "ann", field: "a\nb"})


@pytest.mark.parametrize(
    ("field", "most"), [("actor", 200), ("reason", 2_000), ("request_id", 200)]
)
def test_every_field_is_bounded(field: str, most: int) -> None:
    """The longest text is taken, and one character more is refused."""
    Author(**{"actor": "ann", field: "x" * most})

    with pytest.raises(InvalidField) as caught:
        Author(**{"actor": "ann", field: "x" * (most + 1)})

    assert (caught.value.reason, str(most) in caught.value.hint) == ("FIELD_TOO_LONG", True)
