# SPDX-License-Identifier: Apache-2.0
"""Packages that a library imports whole and hardly uses: they run once somebody asks for a name.

In: names of packages that nobody has imported yet. Out: empty ones in their places, which fill
themselves. What is asked of them is what it would be; only what nobody asks for is never paid for.
"""

import gc
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any, NamedTuple

_LOADING = threading.RLock()


def import_late(
    name: str,
    *,
    found_in: Mapping[str, str] | None = None,
    is_index: bool = False,
    submodules: Sequence[str] | None = None,
) -> None:
    """Put off what a package does when it is imported; its submodules can be had before.

    One that is imported already, or is not installed, stays as it is.

    Args:
        name: Of the package. Nobody may ask it for a name of the import system's kind before any
            other; `__version__` is that of the distribution of its name.
        found_in: Names that may be had before as well, each with the module that has it.
        is_index: It only says where things are: a name that a submodule has is that submodule.
        submodules: Those that can be had before, where others count on what the package does;
            they are imported here. None: all of them.
    """
    if name in sys.modules or (spec := find_spec(name)) is None:
        return
    module = module_from_spec(spec)
    vars(module)[_EARLY] = _Early(found_in=found_in or {}, is_index=is_index)
    module.__class__ = _Late
    sys.modules[name] = module
    # As the import system does once a submodule is there.
    parent, _dot, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)
    if submodules is not None:
        for one in submodules:
            import_module(f"{name}.{one}")
        sys.meta_path.insert(0, _PackageFirst(name))


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


class LateMapping(Mapping[str, Any]):
    """What is made once somebody looks into it."""

    def __init__(self, make: Callable[[], Mapping[str, Any]]) -> None:
        """Remember how it is made."""
        self._made = cache(make)

    def __getitem__(self, name: str) -> Any:
        """Return what has this name."""
        return self._made()[name]

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""
        return iter(self._made())

    def __len__(self) -> int:
        """Count the names."""
        return len(self._made())


_EARLY = "_tabard_early"


class _Early(NamedTuple):
    """What can be had of a package before it runs."""

    found_in: Mapping[str, str]
    is_index: bool

    def module_of(self, name: str, *, package: str) -> tuple[str, bool] | None:
        """Return the module that answers for a name, and whether it is that module itself."""
        if name in self.found_in:
            return self.found_in[name], False
        own = f"{package}.{name}"
        is_own = self.is_index and name != "__all__" and find_spec(own) is not None
        return (own, True) if is_own else None


class _Late(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name == "__version__":
            return _version(self.__name__)
        if name.startswith("__") and name != "__all__":
            # The import system asks for these on its way to a submodule, or to a name we have.
            raise AttributeError(name)
        early: _Early | None = vars(self).get(_EARLY)
        if early and (found := early.module_of(name, package=self.__name__)):
            module, is_itself = found
            return import_module(module) if is_itself else getattr(import_module(module), name)
        with _LOADING:
            _run(self)
        return getattr(sys.modules[self.__name__], name)


class _PackageFirst:
    """Runs a package that was put off before any submodule of it that nobody has imported yet."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(self, name: str, *_where: object) -> ModuleSpec | None:
        if name.rpartition(".")[0] != self._package:
            return None
        with _LOADING:
            _run(sys.modules[self._package])
        if name not in sys.modules:
            return None
        # Most of them come with the package; the import system would run one again by its own spec.
        found = sys.modules[name]
        found.__spec__ = ModuleSpec(name, _Standing(found))
        return found.__spec__


class _Standing(Loader):
    """Loads a module that is there."""

    def __init__(self, module: ModuleType) -> None:
        self._module, self._spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec


class _Replaced(ModuleType):
    """One that put another module into its place when it ran; some hold it from before."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.modules[self.__name__], name)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError as error:
        raise AttributeError("__version__") from error


def _run(module: ModuleType) -> None:
    # Another thread may have been first.
    if type(module) is _Late:
        # From here on it is as any other.
        object.__setattr__(module, "__class__", ModuleType)
        del vars(module)[_EARLY]
        spec = module.__spec__
        assert spec is not None and spec.loader is not None
        spec.loader.exec_module(module)
        if sys.modules[module.__name__] is not module:
            module.__class__ = _Replaced  # type: ignore[assignment]
