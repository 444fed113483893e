# SPDX-License-Identifier: Apache-2.0
"""Statements as in-toto's own messages, which are not ours, take them: strictly, field by field."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement

from tabard.errors import InvalidArgument
from tabard.health.statement import PREDICATE_TYPE, statement_of

DIGEST, RELEASE = "sha256:" + "d" * 64, "sha256:" + "e" * 64
REPORT: dict[str, Any] = {
    "verdict": "Success",
    "grid": "sha256:" + "a" * 64,
    "against": {"version": "1.0.0", "digest": "sha256:" + "b" * 64},
    "encoders": [{"name": "fallback", "kind": "style", "digest": "sha256:" + "c" * 64}],
    "checks": {
        "artifact": {"state": "clear", "by": "bob"},
        "copyright": {"state": "flagged", "by": "bob"},
    },
}


def made(kind: str = "report", **fields: Any) -> dict[str, Any]:
    """The statement of a report."""
    return statement_of(
        REPORT | fields,
        kind=kind,
        digest=DIGEST,
        release="acme/ink@1.1.0",
        release_digest=RELEASE,
    )


@pytest.mark.parametrize("fields", [{}, {"against": None, "encoders": [], "checks": {}}])
def test_others_take_it(fields: dict[str, Any]) -> None:
    """No field that they do not know, and all that they ask for."""
    said = made(**fields)

    parsed = json_format.ParseDict(said, statement_pb2.Statement())
    Statement.copy_from_pb(parsed).validate()
    result = json_format.ParseDict(said["predicate"], test_result_pb2.TestResult())
    assert parsed.predicate_type == PREDICATE_TYPE
    assert parsed.subject[0].digest["sha256"] == "e" * 64
    assert parsed.subject[0].name == "acme/ink@1.1.0"
    assert result.configuration[0].digest["sha256"] == "d" * 64


@pytest.mark.parametrize(
    ("verdict", "result"),
    [("Success", "PASSED"), ("Inconclusive", "WARNED"), ("Failed", "FAILED")],
)
def test_verdict_is_a_result(verdict: str, result: str) -> None:
    """Inconclusive is no pass."""
    assert made(verdict=verdict)["predicate"]["result"] == result


def test_unchecked_is_a_warning() -> None:
    """What nobody looked at did not pass."""
    said = made()["predicate"]

    assert said["passedTests"] == ["artifact"]
    assert said["failedTests"] == ["copyright"]
    assert len(said["warnedTests"]) == 4


def test_configuration_is_named() -> None:
    """The grid, what it was compared with, and who looked."""
    names = [one["name"] for one in made()["predicate"]["configuration"]]

    assert names == ["report", "grid", "against@1.0.0", "encoder fallback"]


@pytest.mark.parametrize("fields", [{"kind": "previews"}, {"verdict": "Perfect"}, {"verdict": ""}])
def test_other_documents_are_refused(fields: dict[str, Any]) -> None:
    """They say nothing of how a release came out."""
    with pytest.raises(InvalidArgument) as refused:
        made(**fields)

    assert refused.value.reason == "NOT_A_REPORT"
