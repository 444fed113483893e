# SPDX-License-Identifier: Apache-2.0
"""Packages that run once somebody asks for a name of theirs."""

import gc
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tabard_server.startup.late_imports import (
    LateMapping,
    absent,
    garbage_kept,
    import_late,
    replaced,
)


@pytest.fixture
def late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Name a package that has a submodule, and whose own code counts how often it runs."""
    package = tmp_path / "seldom"
    package.mkdir()
    (package / "__init__.py").write_text(
        "import sys\nsys.ran = getattr(sys, 'ran', 0) + 1\n"
        "from seldom.part import half\n__all__ = ['half', 'whole']\nwhole = 2 * half\n"
    )
    (package / "part.py").write_text("half = 21\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "ran", 0, raising=False)
    yield "seldom"
    for name in ("seldom", "seldom.part"):
        sys.modules.pop(name, None)


def ran() -> int:
    """Return how often the package has run."""
    return int(sys.ran)  # type: ignore[attr-defined]


def test_package_runs_when_it_is_asked(late: str) -> None:
    """Not when it is imported, and once however often it is asked."""
    import_late(late)
    module = importlib.import_module(late)
    assert ran() == 0

    assert (module.whole, module.half, ran()) == (42, 21, 1)
    assert type(module) is ModuleType


def test_submodule_is_had_without_its_package(late: str) -> None:
    """As models are, of packages with forty of them."""
    import_late(late)

    assert (importlib.import_module("seldom.part").half, ran()) == (21, 0)


def test_everything_of_a_package_is_everything(late: str) -> None:
    """`import *` asks for names as well."""
    import_late(late)
    found: dict[str, object] = {}

    exec("from seldom import *", found)

    assert (found["whole"], found["half"]) == (42, 21)


def test_missing_name_is_missing(late: str) -> None:
    """As of any package."""
    import_late(late)

    with pytest.raises(AttributeError, match="nothing"):
        _ = importlib.import_module(late).nothing


def test_imported_package_stays(late: str) -> None:
    """And one that is not installed stays away."""
    own = importlib.import_module(late)
    import_late(late)
    import_late("nobody_installs_this")

    assert sys.modules[late] is own
    assert "nobody_installs_this" not in sys.modules


def test_package_is_absent_for_a_block(late: str) -> None:
    """Whether it was imported before or not."""
    for is_imported in (False, True):
        with absent(late), pytest.raises(ImportError):
            importlib.import_module(late)
        assert (late in sys.modules) is is_imported
        importlib.import_module(late)


def test_name_is_replaced_for_a_block(late: str) -> None:
    """Whatever ends the block."""
    module = importlib.import_module(late)

    with pytest.raises(KeyError), replaced(module, "whole", 1):
        assert module.whole == 1
        raise KeyError
    assert module.whole == 42


def test_garbage_is_kept_for_a_block() -> None:
    """And never looked at again."""
    before = gc.get_freeze_count()
    with garbage_kept():
        assert not gc.isenabled()
        kept = [[] for _ in range(100)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(kept)
    gc.unfreeze()


def test_names_are_had_of_the_module_that_has_them(late: str) -> None:
    """Without the package, once somebody says which module that is; its version is that."""
    import_late(late, found_in={"half": "seldom.part"})

    exec("from seldom import half", found := {})

    assert (found["half"], ran()) == (21, 0)
    assert not hasattr(sys.modules[late], "__version__")
    assert importlib.import_module(late).whole == 42


def test_index_has_its_submodules(late: str) -> None:
    """A name of an index that is a submodule is that, and its package does not run."""
    import_late(late, is_index=True)

    assert (importlib.import_module(late).part.half, ran()) == (21, 0)


def test_package_runs_before_other_submodules(late: str, tmp_path: Path) -> None:
    """One may be had before; any other counts on what the package does, and is made once."""
    (tmp_path / "seldom" / "second.py").write_text("import sys\nassert sys.ran == 1\n")
    (tmp_path / "seldom" / "__init__.py").write_text(
        "import sys\nsys.ran += 1\nfrom seldom import second\nown = second\n"
    )
    finders = list(sys.meta_path)
    try:
        import_late(late, submodules=("part",))
        assert ran() == 0

        second = importlib.import_module("seldom.second")

        assert second is sys.modules[late].own and ran() == 1
        assert second.__spec__.loader is not None and second.__spec__.has_location
    finally:
        sys.meta_path[:] = finders
        sys.modules.pop("seldom.second", None)


def test_package_that_puts_another_into_its_place(late: str, tmp_path: Path) -> None:
    """Who has had it before asks the other one."""
    (tmp_path / "seldom" / "__init__.py").write_text(
        "import sys, types\nother = types.ModuleType(__name__)\nother.whole = 42\n"
        "sys.modules[__name__] = other\n"
    )
    import_late(late)
    own = importlib.import_module(late)

    assert own.whole == 42 and own.whole == sys.modules[late].whole
    assert sys.modules[late] is not own


def test_mapping_is_made_once_it_is_looked_into() -> None:
    """And once."""
    made: list[int] = []
    late = LateMapping(lambda: made.append(1) or {"a": 1})  # type: ignore[func-returns-value]
    assert made == []

    assert (late["a"], list(late), len(late), made) == (1, ["a"], 1, [1])
