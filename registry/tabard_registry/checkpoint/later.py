# SPDX-License-Identifier: Apache-2.0
"""Sequences and sets that are made when somebody looks into them, and then kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar, overload

T_co = TypeVar("T_co", covariant=True)


class LaterTuple(Sequence[T_co]):
    """Equal to the tuple that it becomes."""

    __slots__ = ("_found", "_make", "_source")

    def __init__(self, make: Callable[[Any], Iterable[T_co]], source: Any) -> None:
        """Take what makes the items, and what of."""
        # Every channel has one, and few are looked into: no more is made than must be.
        self._make = make
        self._source = source
        self._found: tuple[T_co, ...] | None = None

    @overload
    def __getitem__(self, index: int) -> T_co: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[T_co, ...]: ...

    def __getitem__(self, index: int | slice) -> T_co | tuple[T_co, ...]:
        return self._made()[index]

    def __len__(self) -> int:
        return len(self._made())

    def __iter__(self) -> Iterator[T_co]:
        return iter(self._made())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._made() == tuple(other)

    def __hash__(self) -> int:
        return hash(self._made())

    def _made(self) -> tuple[T_co, ...]:
        found = self._found
        if found is None:
            found = self._found = tuple(self._make(self._source))
        return found


class LaterSet(AbstractSet[T_co]):
    """Equal to the frozenset that it becomes; unions with it are frozensets."""

    __slots__ = ("_found", "_make", "_source")

    def __init__(self, make: Callable[[Any], Iterable[T_co]], source: Any) -> None:
        """Take what makes the items, and what of."""
        self._make = make
        self._source = source
        self._found: frozenset[T_co] | None = None

    def __contains__(self, item: object) -> bool:
        return item in self._made()

    def __len__(self) -> int:
        return len(self._made())

    def __iter__(self) -> Iterator[T_co]:
        return iter(self._made())

    def __hash__(self) -> int:
        return hash(self._made())

    @classmethod
    def _from_iterable(cls, it: Iterable[Any]) -> AbstractSet[Any]:
        return frozenset(it)

    def _made(self) -> frozenset[T_co]:
        found = self._found
        if found is None:
            found = self._found = frozenset(self._make(self._source))
        return found
