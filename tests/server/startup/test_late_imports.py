# SPDX-License-Identifier: Apache-2.0
"""Packages that run once somebody asks for a name of theirs."""

import gc
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tabard_server.startup.late_imports import absent, garbage_kept, import_late, replaced


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
