# SPDX-License-Identifier: Apache-2.0
"""From a wish to a plan: refs become releases, names grids, files pictures, once, on one snapshot.

What cannot be evaluated is refused here, before anything is drawn. Reads files; one thread at a
time.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from tabard_registry import DEFAULT_CHANNEL, AdapterRef, NotFound, Registry, State
from tabard_registry.acts.permission import refuse_role
from tabard_registry.errors import PreconditionFailed
from tabard_registry.evidence.documents import read_document
from tabard_registry.evidence.grid import Grid
from tabard_registry.identity.identity import Identity
from tabard_registry.identity.roles import Role
from tabard_registry.refs.digest import sha256_bytes
from tabard_registry.refs.names import ByChannel
from tabard_registry.state.sight import seen_by
from tabard_registry.trust.servable import check_servable
from tabard_registry.trust.signatures import Verifier
from tabard_server.errors import NotEvaluable, invalid
from tabard_server.evaluation.events import ReferenceSource, Wish
from tabard_server.evaluation.plan import Origin, Pictures, Pinned, Plan
from tabard_server.evaluation.references import read_pictures
from tabard_server.jobs.prompt_tags import read_tags
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
        limits: Limits,
    ) -> None:
        """Take the grids that every registry has, by name, and where pictures are drawn."""
        self._registry = registry
        self._grids = grids
        self._resolve_sampler = resolve_sampler
        self._default_sampler = default_sampler
        self._origin = origin
        self._verifier = verifier
        self._limits = limits

    def pin(self, wish: Wish) -> Plan:
        """Pin what somebody wishes. Blocks.

        Raises:
            Forbidden: They may not draw with a release, or may not file what comes of it.
            InvalidRequest: The grid or a picture cannot be taken.
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
        grid = self._grid(wish, candidate)
        references = self._pictures(wish.references, field="references")
        source = ReferenceSource.REQUEST if references.digests else ReferenceSource.AGAINST
        if source is ReferenceSource.AGAINST and against is None:
            raise NotEvaluable(
                f"nothing says what {candidate.release} shall look like: there are no references, "
                "and no release that it would replace",
                reason="REFERENCES_MISSING",
                hint="send 4 pictures or more as references, or name a release to compare it with",
            )
        return Plan(
            candidate=candidate,
            against=against,
            grid=grid,
            sampler=self._resolve_sampler(grid.sampler or self._default_sampler),
            source=source,
            references=references,
            training=self._pictures(wish.training, field="training"),
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

    def _grid(self, wish: Wish, candidate: Pinned) -> Grid:
        grid = self._read_grid(wish, candidate)
        grid.refuse_without_trigger((candidate.trigger,) if candidate.trigger else ())
        for prompt in grid.prompts:
            if read_tags(prompt.text).refs:
                raise invalid(
                    "grid",
                    f"a prompt of the grid {grid.name} names an adapter: {prompt.text[:80]!r}",
                    reason="GRID_NAMES_ADAPTER",
                    hint="leave the tag out: every side wears what it is evaluated with",
                )
        return grid

    def _read_grid(self, wish: Wish, candidate: Pinned) -> Grid:
        if wish.grid_document:
            found = read_document(wish.grid_document)
            if isinstance(found, Grid):
                return found
            raise invalid(
                "grid_document",
                f"the document is of the kind {found.kind}",
                reason="FIELD_INVALID",
                hint="send a grid",
            )
        name = wish.grid or candidate.release.judged_as
        if name not in self._grids:
            raise NotFound(
                f"there is no grid {name[:64]!r}",
                reason="GRID_NOT_FOUND",
                hint=f"Use one of: {', '.join(self._grids)}; or send a document.",
            )
        return self._grids[name]

    def _pictures(self, files: tuple[bytes, ...], *, field: str) -> Pictures:
        pixels = read_pictures(files, field=field, limits=self._limits)
        digests = tuple(map(sha256_bytes, dict.fromkeys(files)))
        return replace(Pictures(), digests=digests, pixels=pixels)
