# SPDX-License-Identifier: Apache-2.0
"""From a wish to a plan: refs become releases, names grids, files pictures, once, on one snapshot.

What cannot be evaluated is refused here, before anything is drawn. Reads files; one thread at a
time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from tabard_registry import (
    DEFAULT_CHANNEL,
    AdapterRef,
    Author,
    ByVersion,
    NotFound,
    Registry,
    Release,
    State,
)
from tabard_registry.acts.evidence import grid_names
from tabard_registry.acts.permission import refuse_role
from tabard_registry.errors import PreconditionFailed
from tabard_registry.evidence.grid import Grid
from tabard_registry.identity.identity import Identity
from tabard_registry.identity.roles import Role
from tabard_registry.refs.digest import sha256_bytes
from tabard_registry.refs.names import ByChannel, check_channel
from tabard_registry.release.gates import NO_GATES, gates_matching
from tabard_registry.state.sight import seen_by
from tabard_registry.trust.servable import check_servable
from tabard_registry.trust.signatures import Verifier
from tabard_server.admission.stack import weight_wanted
from tabard_server.errors import NotEvaluable
from tabard_server.evaluation.cells import Cell, Side, cells_of
from tabard_server.evaluation.drawer import Asker
from tabard_server.evaluation.events import ReferenceSource, Wish
from tabard_server.evaluation.grids import read_grid, refuse_unfit
from tabard_server.evaluation.plan import Origin, Pictures, Pinned, Plan
from tabard_server.evaluation.published import Published
from tabard_server.evaluation.references import read_pictures
from tabard_server.limits import Limits

PREVIEWS = 4
"""Pictures that show a release."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Previewing:
    """What shows a release: a few cells of a grid."""

    release: Release
    grid: Grid
    cells: tuple[Cell, ...]


class Pinning:
    """Pins evaluations for one server."""

    def __init__(
        self,
        registry: Registry,
        *,
        grids: Mapping[str, Grid],
        resolve_sampler: Callable[[str], str],
        default_sampler: str,
        origin: Origin,
        verifier: Verifier,
        published: Published,
        limits: Limits,
    ) -> None:
        """Take the grids that every registry has, by name, and where pictures are drawn."""
        self._registry = registry
        self._grids = grids
        self._resolve_sampler = resolve_sampler
        self._default_sampler = default_sampler
        self._origin = origin
        self._verifier = verifier
        self._published = published
        self._limits = limits

    def pin(self, wish: Wish) -> Plan:
        """Pin what somebody wishes. Blocks.

        Raises:
            Forbidden: They may not draw with a release, or may not file what comes of it.
            InvalidName: The channel is none.
            InvalidRequest: The grid or a picture cannot be taken.
            CorruptRegistry: What was published is damaged.
            NotFound: There is no such release, or no such grid.
            NotEvaluable: Nothing says what it shall look like.
            PreconditionFailed: A release is withdrawn.
        """
        identity = wish.asker.identity
        state = seen_by(self._registry.state, identity.grants)
        ref = AdapterRef.parse(wish.ref)
        channel = wish.channel or DEFAULT_CHANNEL
        check_channel(channel)
        # Who may not file a report is told before anything is drawn for it.
        self._registry.evidence.check_author(ref.adapter, author=wish.author)
        candidate = self._pin(ref, state=state, identity=identity)
        against = self._against(wish, candidate, channel=channel, state=state)
        policy = state.policies.get(ref.adapter.namespace)
        grid = self._grid(wish, candidate, state=state)
        line = state.adapter(candidate.release.adapter)
        references = self._pictures(wish.references, field="references")
        source = ReferenceSource.REQUEST
        if not references.digests:
            references = self._published.of(candidate.release, line=line, kind="references")
            source = ReferenceSource.PUBLISHED
        if not references.digests:
            source = ReferenceSource.AGAINST
        if source is ReferenceSource.AGAINST and against is None:
            raise NotEvaluable(
                f"nothing says what {candidate.release} shall look like: there are no references, "
                "neither sent nor published, and no release that it would replace",
                reason="REFERENCES_MISSING",
                hint="send or publish 4 pictures or more as references, or name a release to "
                "compare it with",
            )
        training = self._pictures(wish.training, field="training")
        if not training.digests:
            training = self._published.of(candidate.release, line=line, kind="training")
        return Plan(
            candidate=candidate,
            against=against,
            grid=grid,
            sampler=self._resolve_sampler(grid.sampler or self._default_sampler),
            source=source,
            references=references,
            training=training,
            origin=self._origin,
            channel=channel,
            gates=gates_matching(policy.channels, channel) if policy else NO_GATES,
        )

    def pin_previews(self, release: Release, *, asker: Asker, author: Author) -> Previewing:
        """Pin what shows a release: a few prompts of its default grid, with one seed. Blocks.

        Raises:
            Forbidden: They may not draw with it, or may not keep pictures beside it.
            InvalidField, InvalidRequest: The grid does not suit the release.
            NotFound, PreconditionFailed: Nobody may be served with it.
        """
        self._registry.evidence.check_author(release.adapter, author=author)
        state = seen_by(self._registry.state, asker.identity.grants)
        exact = AdapterRef(adapter=release.adapter, selector=ByVersion(release.version))
        pinned = self._pin(exact, state=state, identity=asker.identity)
        wish = Wish(ref=str(exact), asker=asker, author=author)
        grid = self._grid(wish, pinned, state=state)
        sampler = self._resolve_sampler(grid.sampler or self._default_sampler)
        sides = {Side.CANDIDATE: pinned.worn}
        cells = cells_of(grid, sides=sides, sampler=sampler, origin=self._origin.key)
        return Previewing(release=release, grid=grid, cells=_spread(grid, cells))

    def _pin(self, ref: AdapterRef, *, state: State, identity: Identity) -> Pinned:
        refuse_role(Role.GENERATE, namespace=ref.adapter.namespace, grants=identity.grants)
        release = state.resolve(ref)
        check_servable(state, release, verifier=self._verifier)
        return Pinned(
            release=release,
            weight=weight_wanted(release, ref=ref),
            unnamed_member=_unnamed_member(release, state=state),
        )

    def _against(
        self, wish: Wish, candidate: Pinned, *, channel: str, state: State
    ) -> Pinned | None:
        identity = wish.asker.identity
        if wish.against:
            found = self._pin(AdapterRef.parse(wish.against), state=state, identity=identity)
            # Beside itself everything is as good as before.
            return None if found == candidate else found
        # A channel that serves nothing yet begins with what people are served elsewhere.
        for name in dict.fromkeys((channel, DEFAULT_CHANNEL)):
            current = AdapterRef(adapter=candidate.release.adapter, selector=ByChannel(name))
            try:
                found = self._pin(current, state=state, identity=identity)
            except (NotFound, PreconditionFailed):
                # Nothing is served by it, or nobody may be: there is nothing to replace.
                continue
            return None if found.release.digest == candidate.release.digest else found
        return None

    def _grid(self, wish: Wish, candidate: Pinned, *, state: State) -> Grid:
        grid = self._read_grid(wish, candidate, state=state)
        refuse_unfit(grid, trigger=candidate.trigger)
        return grid

    def _read_grid(self, wish: Wish, candidate: Pinned, *, state: State) -> Grid:
        if wish.grid_document:
            return read_grid(wish.grid_document)
        name = wish.grid or candidate.release.judged_as
        adapter = candidate.release.adapter
        # Their own first: a grid of the name of a purpose takes the place of the shipped one.
        grid = self._registry.evidence.grid(adapter, name=name) or self._grids.get(name)
        if grid is None:
            names = ", ".join(sorted({*self._grids, *grid_names(state, adapter)}))
            raise NotFound(
                f"there is no grid {name[:64]!r}",
                reason="GRID_NOT_FOUND",
                hint=f"Use one of: {names}; or send a document.",
            )
        return grid

    def _pictures(self, files: tuple[bytes, ...], *, field: str) -> Pictures:
        pixels = read_pictures(files, field=field, limits=self._limits)
        digests = tuple(map(sha256_bytes, dict.fromkeys(files)))
        return replace(Pictures(), digests=digests, pixels=pixels)


def _unnamed_member(recipe: Release, *, state: State) -> str:
    """Name the first member that no word wakes: it acts on every prompt, as it was made to."""
    for member in recipe.members:
        found = state.release_of(member)
        if found is not None and not (found.trigger_words or found.tokens):
            return f"{member.adapter} {member.version}"
    return ""


def _spread(grid: Grid, cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """Choose a few cells of the first seed, from prompts all over the grid."""
    scored = [
        cell
        for cell in cells
        if cell.seed == grid.seeds[0] and not grid.prompts[cell.prompt].control
    ]
    return tuple(scored[n * len(scored) // PREVIEWS] for n in range(PREVIEWS))
