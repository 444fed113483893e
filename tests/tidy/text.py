# SPDX-License-Identifier: Apache-2.0
"""The house rules of one file as pure functions: its text in, sentences about what is wrong out.

Every rule carries a broken example, so that a test can see it fail. Knows no folder of the tree.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from statistics import quantiles

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
FUNCTION_LINES_P90_MAX = 35
VAGUE_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "misc"})

# Written in pieces, or this file would break its own rules.
_UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME)\b(?!\(#\d+\))")
_MACHINE_PATHS = tuple("/" + folder + "/" for folder in ("work", "root"))
_PROTO_DECLARATION = re.compile(
    r"(?:message|enum|service|rpc|oneof)\s+\w+"  # opens a block, or is an rpc
    r"|(?:[\w.<>, ]+\s+)?\w+\s*=\s*-?\d+"  # a field, or a value of an enum
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: what it says, which files it reads, how it judges, and what breaks it."""

    says: str
    reads: Callable[[PurePosixPath], bool]
    judge: Callable[[PurePosixPath, str], Iterator[str]]
    broken_path: str
    broken_text: str


def function_lengths(text: str) -> list[tuple[str, int, int]]:
    """Return (name, first line, lines) of every function: no decorators, with docstring."""
    return [
        (node.name, node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(_parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def ninetieth_percentile(lengths: list[int]) -> float:
    """Return the 90th percentile, 0 when there is nothing to measure."""
    if len(lengths) < 2:
        return float(sum(lengths))
    return quantiles(lengths, n=10, method="inclusive")[-1]


def _short_file(_path: PurePosixPath, text: str) -> Iterator[str]:
    if (lines := len(text.splitlines())) > FILE_LINES_MAX:
        yield f"{lines} lines, at most {FILE_LINES_MAX}: split it by idea"


def _short_functions(_path: PurePosixPath, text: str) -> Iterator[str]:
    for name, line, lines in function_lengths(text):
        if lines > FUNCTION_LINES_MAX:
            yield f"line {line}: {name} has {lines} lines, at most {FUNCTION_LINES_MAX}"


def _docstring_first(path: PurePosixPath, text: str) -> Iterator[str]:
    module = _parse(text)
    speaks_for_itself = path.name.startswith("test_")  # named after what it tests
    is_empty_package = path.name == "__init__.py" and not module.body
    if not (speaks_for_itself or is_empty_package) and ast.get_docstring(module) is None:
        yield "no module docstring: say what room this is, what comes in, what goes out"


def _licence_first(path: PurePosixPath, text: str) -> Iterator[str]:
    if path.name == "__init__.py" and not text.strip():
        return
    lines = text.splitlines()
    opening = lines[1:2] if text.startswith("#!") else lines[:1]
    if not any("SPDX-License-Identifier: Apache-2.0" in line for line in opening):
        yield "the first line (the second after #!) is the SPDX line"


def _nothing_unfinished(_path: PurePosixPath, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), start=1):
        if found := _UNFINISHED.search(line):
            yield f"line {number}: {found.group()} needs its issue, like {found.group()}(#12)"


def _no_bare_except(_path: PurePosixPath, text: str) -> Iterator[str]:
    for node in ast.walk(_parse(text)):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield f"line {node.lineno}: bare except"


def _no_import_of_tests(_path: PurePosixPath, text: str) -> Iterator[str]:
    for node in ast.walk(_parse(text)):
        found: list[str] = []
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in found:
            if name.startswith("tests.") and any(x.startswith("test_") for x in name.split(".")):
                yield f"line {node.lineno}: {name} is a test: move what is shared to a helper"


def _telling_name(path: PurePosixPath, _text: str) -> Iterator[str]:
    for vague in VAGUE_NAMES.intersection(part.removesuffix(".py") for part in path.parts):
        yield f"'{vague}' names no idea"


def _no_machine_paths(_path: PurePosixPath, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), start=1):
        for path in _MACHINE_PATHS:
            if re.search(rf"(?<![\w.}}-]){re.escape(path)}", line):
                yield f"line {number}: {path} is a path of one machine"


def _commented_proto(_path: PurePosixPath, text: str) -> Iterator[str]:
    previous = ""
    for number, line in enumerate(map(str.strip, text.splitlines()), start=1):
        is_declared = _PROTO_DECLARATION.match(line) and not line.startswith(("syntax", "option "))
        if is_declared and not previous.startswith("//") and "//" not in line:
            yield f"line {number}: '{line}' has no comment above it"
        previous = line


@lru_cache(maxsize=1)
def _parse(text: str) -> ast.Module:
    """Rules ask for one file after the other, each several times."""
    return ast.parse(text)


def _is_python(path: PurePosixPath) -> bool:
    return path.suffix == ".py"


def _is_code(path: PurePosixPath) -> bool:
    return (
        path.suffix in {".py", ".js", ".css", ".proto", ".sh", ".toml", ".yaml", ".yml"}
        or path.name in {"Makefile", "constraints.txt", ".dockerignore", ".editorconfig"}
        or path.name.startswith("Dockerfile")
        or str(path) == ".ci/run"
    )


def _has_licence_line(path: PurePosixPath) -> bool:
    return _is_code(path) and path.name != "pyproject.toml"


RULES = (
    Rule(
        says="a file is short",
        reads=lambda path: path.suffix in {".py", ".js", ".css"},
        judge=_short_file,
        broken_path="long.py",
        broken_text="x = 1\n" * (FILE_LINES_MAX + 1),
    ),
    Rule(
        says="a function is short",
        reads=_is_python,
        judge=_short_functions,
        broken_path="long.py",
        broken_text="def f():\n" + "    x = 1\n" * FUNCTION_LINES_MAX,
    ),
    Rule(
        says="a module opens with a docstring",
        reads=_is_python,
        judge=_docstring_first,
        broken_path="mute.py",
        broken_text="import os\n",
    ),
    Rule(
        says="a file says its licence",
        reads=_has_licence_line,
        judge=_licence_first,
        broken_path="free.py",
        broken_text='"""No licence."""\n',
    ),
    Rule(
        says="unfinished work names its issue",
        reads=_is_code,
        judge=_nothing_unfinished,
        broken_path="later.py",
        broken_text="# TO" + "DO: later\n",
    ),
    Rule(
        says="an except names its exception",
        reads=_is_python,
        judge=_no_bare_except,
        broken_path="deaf.py",
        broken_text="try:\n    x = 1\nexcept:\n    x = 2\n",
    ),
    Rule(
        says="nobody imports from a test",
        reads=lambda path: _is_python(path) and path.parts[0] == "tests",
        judge=_no_import_of_tests,
        broken_path="tests/registry/fakes.py",
        broken_text="from tests.registry.test_place import shared\n",
    ),
    Rule(
        says="a file is named after its idea",
        reads=_is_python,
        judge=_telling_name,
        broken_path="tabard/utils.py",
        broken_text="",
    ),
    Rule(
        says="no path of one machine",
        reads=lambda path: True,
        judge=_no_machine_paths,
        broken_path="notes.md",
        broken_text="see " + "/ro" + "ot/notes\n",
    ),
    Rule(
        says="everything in a proto is commented",
        reads=lambda path: path.suffix == ".proto",
        judge=_commented_proto,
        broken_path="x.proto",
        broken_text="// M.\nmessage M {\n  repeated string name = 1;\n}\n",
    ),
)
