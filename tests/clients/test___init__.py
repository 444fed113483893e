# SPDX-License-Identifier: Apache-2.0
"""The public names of the SDK: each is there, and imported when it is asked for."""

import inspect
import subprocess
import sys
import tomllib
from dataclasses import is_dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Literal, get_origin

import pytest

import tabard
from tabard import enums, history, operations, releases, result
from tabard_server.version import tabard_version
from tests.root import ROOT

MODULES = [import_module(f"tabard.releases.{one.name}") for one in iter_modules(releases.__path__)]


def test_public_values_are_exported() -> None:
    """Whatever the SDK hands out can be named by its user."""
    values = {
        name
        for module in (*MODULES, history, operations, result)
        for name, member in inspect.getmembers(module, inspect.isclass)
        if member.__module__ == module.__name__ and is_dataclass(member)
    }

    assert len(values) > 30
    assert values <= set(tabard.__all__) <= set(dir(tabard))
    assert all(hasattr(tabard, name) for name in tabard.__all__)


def test_version_has_one_source() -> None:
    """The wheel is built with the version that the SDK says, and that the server says too."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    assert "version" not in document["project"]
    assert (ROOT / document["tool"]["hatch"]["version"]["path"]).samefile(tabard.__file__)
    assert tabard_version() == tabard.__version__


def test_import_stays_light() -> None:
    """Neither the SDK nor the command line loads torch, numpy or the server."""
    program = (
        "import sys, tabard, tabard.cli;"
        "heavy = {'torch', 'numpy', 'diffusers', 'tabard_server', 'tabard_registry'};"
        "print(sorted(heavy & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "unused"),
    [
        ("__version__", "tabard.errors"),
        ("NotFound", "grpc"),
        ("Release", "grpc"),
        ("Client", "PIL"),
    ],
)
def test_name_loads_what_it_needs(name: str, unused: str) -> None:
    """A program that asks for little waits for little."""
    program = f"import sys; from tabard import {name}; print({unused!r} in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout == "False\n"


def test_name_is_its_modules_own() -> None:
    """The class that is raised and the class that is caught are one."""
    classes = [getattr(tabard, name) for name in tabard.__all__]
    named = [one for one in classes if inspect.isclass(one)]

    # Sixteen are closed sets of names, three unions of types.
    assert len(named) >= len(tabard.__all__) - 19
    assert all(getattr(tabard, one.__name__) is one for one in named)
    assert all(one.__module__.startswith("tabard.") for one in named)


def test_unknown_name_is_an_attribute_error() -> None:
    """As for every module."""
    with pytest.raises(AttributeError, match="nonsense"):
        tabard.nonsense  # type: ignore[attr-defined] # noqa: B018 - the look is the test


def test_closed_sets_can_be_named() -> None:
    """Whoever wraps a method annotates as it does."""
    names = {name for name, one in vars(enums).items() if get_origin(one) is Literal}

    assert len(names) == 15
    assert names <= set(tabard.__all__)
    assert all(getattr(tabard, name) is getattr(enums, name) for name in names)
