# SPDX-License-Identifier: Apache-2.0
"""Every reason of the code is in the API, with its status, and docs/errors.md shows it."""

import ast
from collections.abc import Iterator
from functools import cache

import pytest

import tabard_registry.errors as registry_errors
from tabard.v1 import error_reason_pb2
from tabard_server.error_kinds import KINDS
from tabard_server.rpc.server import SERVED
from tabard_server.rpc.status import CODES
from tests.api.errors_page import PAGE, Documented, documented, page
from tests.root import ROOT

REASONS = {one.reason: one for one in documented()}
NEVER_SENT = {
    # Said where a server or a registry is opened, before there are callers.
    *("ADDRESS_NOT_AVAILABLE", "BAD_SETTINGS", "SETTING_INVALID", "INSECURE_LISTEN"),
    "SOCKET_NOT_TAKEN",
    *("BASE_NOT_LOADABLE", "MEMORY_TOO_SMALL", "EXTRA_MISSING"),
    *("ENCODER_MISSING", "ENCODER_UNREADABLE", "ENCODER_UNSUITABLE"),
    *("SAFETY_MODEL_MISSING", "SAFETY_MODEL_UNREADABLE", "SAFETY_MODEL_UNSUITABLE"),
    *("C2PA_CREDENTIAL_UNREADABLE", "C2PA_CREDENTIAL_MISMATCH", "C2PA_CERTIFICATE_EXPIRED"),
    "C2PA_CREDENTIAL_REFUSED",
    *("NOT_A_REGISTRY", "PLACE_OCCUPIED", "UNSUPPORTED_STORE", "UNSAFE_STORE", "TOKENS_EXIST"),
    # Said in logs and metrics alone, or as the cause of a state.
    *("CACHE_DAMAGED", "CACHE_NOT_USABLE", "OS_ERROR", "WEIGHTS_CHANGED"),
    *("COMPILE_FAILED", "LIBRARY_DAMAGED"),
    # Said by `tabard extract`, which asks no server.
    *("EXTRACTION_ERROR", "CHANGE_NOT_CARRIED", "IMAGE_ERROR_TOO_LARGE"),
    *("CHECKPOINT_MISMATCH", "CHECKPOINT_NOT_FINITE"),
    *("CHECKPOINT_UNCHANGED", "CHECKPOINT_UNREADABLE"),
}
CLASSES = {kind.__name__: kind for kind in KINDS}


@cache
def said_in_code() -> tuple[tuple[str, str], ...]:
    """Return reasons as literals of the code, with what is called or defined with them."""
    return tuple(_read())


@cache
def nodes() -> tuple[ast.AST, ...]:
    """Return the syntax of the whole code."""
    folders = ("server/tabard_server", "registry/tabard_registry")
    files = (file for folder in folders for file in sorted((ROOT / folder).rglob("*.py")))
    return tuple(
        node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    )


@cache
def takers() -> frozenset[str]:
    """Return what is given a reason as its first argument, without a name: by its definition."""

    def takes(node: ast.AST) -> bool:
        if not isinstance(node, ast.FunctionDef):
            return False
        names = [one.arg for one in node.args.args if one.arg != "self"]
        return names[:1] == ["reason"]

    return frozenset(
        one.name
        for one in nodes()
        if isinstance(one, ast.FunctionDef | ast.ClassDef) and any(map(takes, (one, *one.body)))
    )


def _read() -> Iterator[tuple[str, str]]:
    for node in nodes():
        yield from _said(node)


def _said(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        given = [one.value for one in node.keywords if one.arg in {"reason", "count_reason"}]
        given += node.args[:1] if name in takers() else []
    elif isinstance(node, ast.ClassDef):
        name = node.name
        given = [
            one.value
            for one in node.body
            if isinstance(one, ast.Assign) and getattr(one.targets[0], "id", "") == "reason"
        ]
    else:
        return
    for value in given:
        if isinstance(value, ast.Constant) and str(value.value).isupper():
            yield str(value.value), name


def statuses(name: str) -> set[str]:
    """Return the statuses of what is raised by a name; empty for what is no exception."""
    return {CODES[KINDS[CLASSES[name]]].name} if name in CLASSES else set()


def test_every_reason_of_the_code_is_documented() -> None:
    """As a value of the enum, with its three lines; none is documented that nobody says."""
    said = {reason for reason, _name in said_in_code()}
    of_classes = {
        reason
        for kind in CLASSES.values()
        for reason in getattr(kind, "reasons", ())
        if kind.__module__ == registry_errors.__name__
    }

    assert len(said) > 100
    assert takers() >= {"LayerRefused", "PickleRefused", "note"}
    assert (said | of_classes) - NEVER_SENT - set(REASONS) == set()
    assert set(REASONS) & NEVER_SENT == set()
    assert set(error_reason_pb2.ErrorReason.keys()) == {"ERROR_REASON_UNSPECIFIED", *REASONS}


def test_documented_reasons_are_said_somewhere() -> None:
    """Wherever it stands in the code, by itself or as the end of one that is put together."""
    files = (ROOT / "server", ROOT / "registry")
    code = "".join(
        file.read_text(encoding="utf-8") for folder in files for file in folder.rglob("*.py")
    )
    put_together = {"STRENGTH_OUT_OF_RANGE", "STEPS_OUT_OF_RANGE", "IMAGES_OUT_OF_RANGE"} | {
        "PROMPT_SYNTAX_UNKNOWN",
        "TOKEN_MATCH_UNKNOWN",
    }

    assert {one for one in REASONS if f'"{one}"' not in code} <= put_together


@pytest.mark.parametrize("one", REASONS.values(), ids=REASONS)
def test_status_is_that_of_the_code(one: Documented) -> None:
    """What raises it says which."""
    known = {code.name for code in CODES.values()}
    raised = {
        status
        for reason, name in said_in_code()
        if reason == one.reason
        for status in statuses(name)
    }

    assert set(one.statuses) <= known
    assert raised <= set(one.statuses)


def test_calls_are_those_of_the_api() -> None:
    """Nobody looks for a call that is not there."""
    calls = {method.name for service in SERVED for method in service.methods}
    whole = {"every call", "every call of RegistryService", "Health.Check"}

    named = {name for one in REASONS.values() for name in one.calls.split(", ")}
    assert named - calls - whole == set()


def test_page_is_current() -> None:
    """Otherwise: python -m tests.api.errors_page."""
    assert PAGE.read_text(encoding="utf-8") == page()
