# SPDX-License-Identifier: Apache-2.0
"""A report as an in-toto Statement: what others' tools read of releases. Pure.

The verdict becomes a test result. What nobody checked is a warning there, never a pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tabard.errors import InvalidArgument

PAYLOAD_TYPE = "application/vnd.in-toto+json"
"""The type of a statement in an envelope."""
PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"
"""What the statement says: how a test came out."""

_STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_RESULTS = {"Success": "PASSED", "Inconclusive": "WARNED", "Failed": "FAILED"}
_TESTS = {"clear": "passedTests", "not_checked": "warnedTests", "flagged": "failedTests"}
_CHECKS = (
    *("prompt_drift", "style_mismatch", "artifact"),
    *("copyright", "portrait", "review_failure"),
)
_SHA256 = "sha256:"


def statement_of(
    document: Mapping[str, Any], *, kind: str, digest: str, release: str, release_digest: str
) -> dict[str, Any]:
    """Make the statement of a report.

    Args:
        document: The report.
        kind: What kind of document it is.
        digest: Its digest.
        release: The release, `namespace/name@version`.
        release_digest: The release's digest, which the statement is about.

    Raises:
        InvalidArgument: The document is no report, or has no verdict that can be told.
    """
    verdict = str(document.get("verdict", ""))
    if kind != "report" or verdict not in _RESULTS:
        raise InvalidArgument(
            f"the document is of the kind {kind}, and says nothing of how a release came out",
            reason="NOT_A_REPORT",
            hint="export a report: `tabard evidence list REF --kind report`",
        )
    return {
        "_type": _STATEMENT_TYPE,
        "subject": [_resource(release, release_digest)],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "result": _RESULTS[verdict],
            "configuration": [
                _resource("report", digest) | {"mediaType": "application/json"},
                *_configuration(document),
            ],
            **_tests(document.get("checks", {})),
        },
    }


def _configuration(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Name what the measurement rests on: the grid, what it was compared with, who looked."""
    found = [_resource("grid", document["grid"])] if document.get("grid") else []
    against = document.get("against")
    if against:
        found.append(_resource(f"against@{against['version']}", against["digest"]))
    encoders = document.get("encoders", ())
    return [*found, *(_resource(f"encoder {one['name']}", one["digest"]) for one in encoders)]


def _tests(checks: Mapping[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {name: [] for name in _TESTS.values()}
    for name in _CHECKS:
        state = checks.get(name, {}).get("state", "not_checked")
        found[_TESTS.get(state, "warnedTests")].append(name)
    return found


def _resource(name: str, digest: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": digest.removeprefix(_SHA256)}}
