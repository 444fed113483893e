# SPDX-License-Identifier: Apache-2.0
"""The tree of errors: drawn, exported, reachable, and whole after a journey."""

import inspect
import pickle
import re
import traceback

import tabard
from tabard import FieldViolation, InvalidArgument, errors
from tabard.rpc_errors import STATUS_TABLE
from tests.root import ROOT


def test_every_error_class_is_reachable() -> None:
    """Each class of the tree is raised for some status, drawn in the docstring, and exported."""
    classes = {
        one
        for _, one in inspect.getmembers(errors, inspect.isclass)
        if issubclass(one, tabard.TabardError) and one is not tabard.TabardError
    }

    drawn = set(re.findall(r"[├└]─ (\w+)", errors.__doc__ or ""))

    assert classes == set(STATUS_TABLE.values())
    assert {one.__name__ for one in classes} == drawn
    assert drawn <= set(tabard.__all__)


def test_error_survives_pickle() -> None:
    """An error can cross a process pool."""
    error = tabard.NotFound("gone", reason="ADAPTER_NOT_FOUND", hint="look")

    copy = pickle.loads(pickle.dumps(error))

    assert (type(copy), str(copy), copy.reason, copy.hint, copy.status) == (
        tabard.NotFound,
        "gone",
        "ADAPTER_NOT_FOUND",
        "look",
        "NOT_FOUND",
    )


def test_bare_error_has_empty_facts() -> None:
    """Whoever reads them need not ask whether they are there."""
    error = errors.NotFound("gone")

    assert (str(error), error.reason, error.hint) == ("gone", "", "")
    assert (error.violations, error.retry_after_seconds) == ((), None)


def test_uncaught_error_says_what_to_do() -> None:
    """Its traceback ends with the refused fields, the reason and the hint."""
    violation = FieldViolation(field="sampler", description="there is no 'eulr'")
    error = InvalidArgument(
        "no", reason="SAMPLER_UNKNOWN", hint="use euler", violations=(violation,)
    )

    told = traceback.format_exception(error)

    assert [line.strip() for line in told[-4:]] == [
        "tabard.errors.InvalidArgument: no",
        "sampler: there is no 'eulr'",
        "reason: SAMPLER_UNKNOWN",
        "hint: use euler",
    ]


def test_every_reason_is_documented() -> None:
    """Those of a server, of a client, and of what runs without one."""
    packages = ("clients/python/tabard", "registry/tabard_registry", "server/tabard_server")
    texts = [
        path.read_text(encoding="utf-8")
        for package in packages
        for path in (ROOT / package).rglob("*.py")
    ]
    told = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))

    said = re.compile(r'reason(?:="|: str = ")([A-Z][A-Z_]+)"')
    reasons = {one for text in texts for one in said.findall(text)}

    assert len(reasons) > 150
    assert {one for one in reasons if f"`{one}`" not in told} == set()
