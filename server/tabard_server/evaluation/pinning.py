# SPDX-License-Identifier: Apache-2.0
"""From a wish to a plan: refs become releases, names grids, files pictures, once, on one snapshot.

What cannot be evaluated is refused here, before anything is drawn. Reads files; one thread at a
time.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from tabard_registry import DEFAULT_CHANNEL, AdapterRef, NotFound, Registry, State
from tabard_registry.acts.evidence import grid_names
from tabard_registry.acts.permission import refuse_role
from tabard_registry.errors import PreconditionFailed
from tabard_registry.evidence.grid import Grid
from tabard_registry.identity.identity import Identity
from tabard_registry.identity.roles import Role
from tabard_registry.refs.digest import sha256_bytes
from tabard_registry.refs.names import ByChannel
from tabard_registry.state.sight import seen_by
from tabard_registry.trust.servable import check_servable
from tabard_registry.trust.signatures import Verifier
from tabard_server.errors import NotEvaluable
from tabard_server.evaluation.events import ReferenceSource, Wish
from tabard_server.evaluation.grids import read_grid, refuse_unfit
from tabard_server.evaluation.plan import Origin, Pictures, Pinned, Plan
from tabard_server.evaluation.published import Published
from tabard_server.evaluation.references import read_pictures
from tabard_server.evaluation.shipped_grids import grid_name_for
from tabard_server.limits import Limits


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
            InvalidRequest: The grid or a picture cannot be taken.
            CorruptRegistry: What was published is damaged.
            NotFound: There is no such release, or no such grid.
            NotEvaluable: Nothing says what it shall look like.
            PreconditionFailed: A release is withdrawn.
        """
        identity = wish.asker.identity
        state = seen_by(self._registry.state, identity.grants)
        ref = AdapterRef.parse(wish.ref)
        # Who may not file a report is told before anything is drawn for it.
        self._registry.evidence.check_author(ref.adapter, author=wish.author)
        candidate = self._pin(ref, state=state, identity=identity)
        against = self._against(wish, candidate, state=state)
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
        )

    def _pin(self, ref: AdapterRef, *, state: State, identity: Identity) -> Pinned:
        refuse_role(Role.GENERATE, namespace=ref.adapter.namespace, grants=identity.grants)
        release = state.resolve(ref)
        check_servable(state, release, verifier=self._verifier)
        return Pinned(release=release, weight=ref.weight)

    def _against(self, wish: Wish, candidate: Pinned, *, state: State) -> Pinned | None:
        identity = wish.asker.identity
        if wish.against:
            return self._pin(AdapterRef.parse(wish.against), state=state, identity=identity)
        current = AdapterRef(adapter=candidate.release.adapter, selector=ByChannel(DEFAULT_CHANNEL))
        try:
            found = self._pin(current, state=state, identity=identity)
        except (NotFound, PreconditionFailed):
            # Nothing is served by it, or nobody may be served with it: there is nothing to replace.
            return None
        return None if found.release.digest == candidate.release.digest else found

    def _grid(self, wish: Wish, candidate: Pinned, *, state: State) -> Grid:
        grid = self._read_grid(wish, candidate, state=state)
        refuse_unfit(grid, trigger=candidate.trigger)
        return grid

    def _read_grid(self, wish: Wish, candidate: Pinned, *, state: State) -> Grid:
        if wish.grid_document:
            return read_grid(wish.grid_document)
        name = wish.grid or grid_name_for(candidate.release)
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
