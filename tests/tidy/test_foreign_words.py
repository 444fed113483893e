# SPDX-License-Identifier: Apache-2.0
"""Errors of other libraries never speak for us: no message of ours repeats what they say.

Their sentences send people to stack traces and to settings that are not ours, and change with
every version. What went wrong is said in our words; theirs stay in the log, as the cause.
"""

import ast
import builtins
from collections.abc import Iterator
from pathlib import Path

from tests.root import ROOT

PACKAGES = (
    "clients/python/tabard",
    "clients/web/tabard_web",
    "registry/tabard_registry",
    "server/tabard_server",
)
TOLD_ON_PURPOSE = {
    # Where a reader of TOML stumbled, which nobody else knows.
    ("settings_sources.py", "TOMLDecodeError"),
    # Errors of ours under another name, and malformed records, which are told to nobody but fsck.
    ("extras.py", "trees"),
    ("fold.py", "_MALFORMED"),
    ("files.py", "error"),
    # Recognised by its words, not told.
    ("picture_files.py", "_BROKEN"),
}
"""File and class of what may be repeated. What Python itself raises is no library's word."""
PYTHONS = {name for name, kind in vars(builtins).items() if isinstance(kind, type)}


def files() -> Iterator[Path]:
    """Yield every source file but the generated stubs."""
    for package in PACKAGES:
        yield from (
            one for one in sorted((ROOT / package).rglob("*.py")) if one.parent.name != "v1"
        )


def own_errors() -> set[str]:
    """Name every class of ours."""
    trees = (ast.parse(file.read_text(encoding="utf-8")) for file in files())
    return {
        node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
    }


def repeated(source: str, *, own: set[str]) -> Iterator[str]:
    """Yield the classes of foreign errors whose words a piece of code puts into its own."""
    for handler in ast.walk(ast.parse(source)):
        if not isinstance(handler, ast.ExceptHandler) or handler.name is None:
            continue
        caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        foreign = [ast.unparse(one).rpartition(".")[2] for one in caught if one is not None]
        if any(_repeats(node, name=handler.name) for node in ast.walk(handler)):
            yield from (one for one in foreign if one not in own)


def _repeats(node: ast.AST, *, name: str) -> bool:
    """Whether this is `{error}` in a text, or `str(error)` or `repr(error)`."""
    if isinstance(node, ast.FormattedValue):
        return isinstance(node.value, ast.Name) and node.value.id == name
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("str", "repr")
        and any(isinstance(one, ast.Name) and one.id == name for one in node.args)
    )


def test_no_message_repeats_a_library() -> None:
    """Whoever catches a foreign error says what it means."""
    own = own_errors() | PYTHONS

    found = {
        (file.name, error): str(file.relative_to(ROOT))
        for file in files()
        for error in repeated(file.read_text(encoding="utf-8"), own=own)
    }

    assert {key: path for key, path in found.items() if key not in TOLD_ON_PURPOSE} == {}
    assert set(found) >= TOLD_ON_PURPOSE, "an exception that nothing needs"


def test_repeated_words_are_noticed() -> None:
    """In a text, as a text, and in one of several clauses; the kind alone may be named."""
    source = """
try: x()
except (HTTPError, Own) as error: raise Own(f"no: {error}")
except botocore.ClientError as error: raise Own(str(error))
except ImportError as error: raise Own(f"{type(error).__name__}")
"""

    assert list(repeated(source, own={"Own", *PYTHONS})) == ["HTTPError", "ClientError"]
