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


@pytest.mark.parametrize(
    ("field", "most"), [("actor", 200), ("reason", 2_000), ("request_id", 200)]
)
def test_every_field_is_bounded(field: str, most: int) -> None:
    """The longest text is taken, and one character more is refused."""
    Author(**{"actor": "ann", field: "x" * most})

    with pytest.raises(InvalidField) as caught:
        Author(**{"actor": "ann", field: "x" * (most + 1)})

    assert (caught.value.reason, str(most) in caught.value.hint) == ("FIELD_TOO_LONG", True)
