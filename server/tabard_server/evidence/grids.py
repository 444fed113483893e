# SPDX-License-Identifier: Apache-2.0
"""Grids of namespaces and release lines, beside those that every registry has.

In: places and names. Out: grids, as far as somebody may know of them. Blocks where it reads a
document.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tabard_registry import AdapterName, Author, NotFound, Registry, State
from tabard_registry.acts.evidence import grid_note
from tabard_registry.evidence.codec import DOCUMENT_BYTES_MAX
from tabard_registry.evidence.documents import to_bytes
from tabard_registry.evidence.grid import Grid
from tabard_registry.identity.roles import Grants
from tabard_registry.refs.digest import Digest, sha256_bytes
from tabard_registry.refs.names import check_channel
from tabard_registry.release.health import GridNote
from tabard_registry.state.judging import place_of
from tabard_registry.state.sight import seen_by
from tabard_server.evaluation.grids import read_grid, refuse_unfit
from tabard_server.evaluation.plan import Pinned

_NAME_CHARS_SHOWN = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedGrid:
    """What is known of a grid.

    Attributes:
        name: What it is called.
        place: Whose it is; empty: every registry has it.
        digest: Of its document.
        seq: Log position; 0 for one that every registry has.
    """

    name: str
    place: str
    digest: Digest
    seq: int


class Grids:
    """The grids of one registry, as one server knows them. Thread-safe."""

    def __init__(self, registry: Registry, *, shipped: Mapping[str, Grid]) -> None:
        """Take the registry, and the grids that every registry has, by name."""
        self._registry = registry
        self._shipped = {name: to_bytes(grid) for name, grid in shipped.items()}

    def put(self, content: bytes, *, place: str, author: Author) -> tuple[NamedGrid, bool]:
        """Give a place a grid; say whether that changed anything.

        Raises:
            InvalidRequest, InvalidField: It is no grid, or the newest release of the line could
                not be drawn with it.
            RegistryError: The registry refused.
        """
        place = place_of(place)
        grid = read_grid(content)
        seen = seen_by(self._registry.state, author.grants)
        refuse_unfit(grid, trigger=_trigger(seen, place))
        done = self._registry.evidence.put_grid(grid, place=place, author=author)
        return _named(done.subject, place=place), done.changed

    def named(self, name: str, *, place: str, grants: Grants) -> tuple[NamedGrid, bytes]:
        """Return the grid that a place means by a name, and its document.

        Raises:
            InvalidName: No grid has such a name.
            NotFound: There is none.
            CorruptRegistry: Its bytes are others.
        """
        check_channel(name)
        state = seen_by(self._registry.state, grants)
        place = place_of(place) if place else ""
        found = _meant(state, name, place=place)
        if found is not None:
            content = self._registry.blobs.read(found.digest, bytes_max=DOCUMENT_BYTES_MAX)
            return found, content
        if name in self._shipped:
            return self._given(name), self._shipped[name]
        names = sorted({one.name for one in self._listed(state, place=place)})
        raise NotFound(
            f"there is no grid {name[:_NAME_CHARS_SHOWN]!r}" + (f" for {place}" if place else ""),
            reason="GRID_NOT_FOUND",
            hint=f"Use one of: {', '.join(names)}.",
        )

    def listed(self, *, place: str, grants: Grants) -> list[NamedGrid]:
        """Return the newest grid of every name, by place and name; those of one place, or all."""
        state = seen_by(self._registry.state, grants)
        found = self._listed(state, place=place_of(place) if place else "")
        return sorted(found, key=lambda one: (one.place, one.name))

    def _listed(self, state: State, *, place: str) -> Iterator[NamedGrid]:
        yield from map(self._given, self._shipped)
        for here in _places(place) if place else state.grids:
            newest = {one.name: one for one in state.grids.get(here, ())}
            yield from (_named(one, place=here) for one in newest.values())

    def _given(self, name: str) -> NamedGrid:
        return NamedGrid(name=name, place="", digest=sha256_bytes(self._shipped[name]), seq=0)


def _meant(state: State, name: str, *, place: str) -> NamedGrid | None:
    """Return the grid of a line, else of its namespace; None: neither has one of the name."""
    for here in _places(place):
        note = grid_note(state, place=here, name=name)
        if note is not None:
            return _named(note, place=here)
    return None


def _places(place: str) -> tuple[str, ...]:
    """Name the places where a line or a namespace looks, its own first."""
    namespace = place.partition("/")[0]
    return tuple(dict.fromkeys(one for one in (place, namespace) if one))


def _named(note: GridNote, *, place: str) -> NamedGrid:
    return NamedGrid(name=note.name, place=place, digest=note.document, seq=note.seq)


def _trigger(state: State, place: str) -> str:
    """Return the word that wakes the newest release of a line; empty: there is none."""
    line = state.adapters.get(AdapterName.parse(place)) if "/" in place else None
    if line is None:
        return ""
    served = (one for one in line.releases if not (one.purged or one.quarantined))
    newest = next(served, None)
    return Pinned(release=newest, weight=1.0).trigger if newest else ""
