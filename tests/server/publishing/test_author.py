# SPDX-License-Identifier: Apache-2.0
"""Who acts at a door of the server."""

import pytest

from tabard_registry.identity.identity import ANYBODY
from tabard_server.error_kinds import Kind, refusal_of
from tabard_server.errors import InvalidRequest
from tabard_server.publishing.author import ANONYMOUS, author_of


def test_silence_is_anonymous() -> None:
    """Who does not say who he is acts as nobody in particular; the rest is taken as it is."""
    author = author_of("", reason="why", request_id="r", identity=ANYBODY)

    assert (author.actor, author.reason, author.request_id) == (ANONYMOUS, "why", "r")
    assert author_of("ann", reason="", request_id="", identity=ANYBODY).actor == "ann"


@pytest.mark.parametrize("field", ["actor", "reason", "request_id"])
def test_long_field_is_named(field: str) -> None:
    """Who says too much is told in which field, by the reason that clients know."""
    said = {"actor": "ann", "reason": "why", "request_id": "r", field: "x" * 2_001}

    with pytest.raises(InvalidRequest) as refused:
        author_of(**said, identity=ANYBODY)

    (violation,) = refused.value.violations
    assert (violation.field, violation.reason) == (field, "FIELD_TOO_LONG")
    assert refusal_of(refused.value).kind is Kind.INVALID
    assert violation.hint.startswith("At most")


def test_blank_actor_is_named() -> None:
    """An actor of blanks is nobody, and not taken for somebody who said nothing."""
    with pytest.raises(InvalidRequest) as refused:
        author_of("  ", reason="", request_id="", identity=ANYBODY)

    assert refused.value.violations[0].field == "actor"
    assert refused.value.reason == "FIELD_REQUIRED"
