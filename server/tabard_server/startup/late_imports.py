# SPDX-License-Identifier: Apache-2.0
"""Packages that a library imports whole and hardly uses: they run once somebody asks for a name.

In: names of packages that nobody has imported yet. Out: empty ones in their places, which fill
themselves. What is asked of them is what it would be; only what nobody asks for is never paid for.
"""

import gc
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

_LOADING = threading.RLock()


def import_late(name: str) -> None:
    """Put off what a package does when it is imported; its submodules can be had before.

    One that is imported already, or is not installed, stays as it is. It must be one of which
    nobody asks a name of the import system's kind, like `__version__`, before any other.
    """
    if name in sys.modules or (spec := find_spec(name)) is None:
        return
    module = module_from_spec(spec)
    module.__class__ = _Late
    sys.modules[name] = module
    # As the import system does once a submodule is there.
    parent, _dot, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)


@contextmanager
def garbage_kept() -> Iterator[None]:
    """Collect no garbage for the length of a block of imports, and never look at what they made.

    Libraries make hundreds of thousands of objects that live to the end; to look for garbage among
    them again and again is a fifth of what their import takes, and a pause of whatever runs later.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


@contextmanager
def absent(name: str) -> Iterator[None]:
    """Let a package be as if it were not installed, for the length of a block."""
    own = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if own is None:
            del sys.modules[name]
        else:
            sys.modules[name] = own


@contextmanager
def replaced(owner: ModuleType, name: str, value: Any) -> Iterator[None]:
    """Let a name of a module mean something else, for the length of a block."""
    own = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, own)


class _Late(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__all__":
            # The import system asks for these on its way to a submodule, or to a name we have.
            raise AttributeError(name)
        with _LOADING:
            _run(self)
        return getattr(self, name)


def _run(module: ModuleType) -> None:
    # Another thread may have been first.
    if type(module) is _Late:
        # From here on it is as any other.
        object.__setattr__(module, "__class__", ModuleType)
        spec = module.__spec__
        assert spec is not None and spec.loader is not None
        spec.loader.exec_module(module)
