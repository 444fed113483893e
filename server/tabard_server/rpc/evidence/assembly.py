# SPDX-License-Identifier: Apache-2.0
"""Puts EvidenceService together for one server. In: its registry, its bounds, its rooms."""

from collections.abc import Mapping

from tabard_registry import Registry
from tabard_registry.evidence.grid import Grid
from tabard_server.evaluation.looks import Encoders
from tabard_server.evidence.filing import Filing
from tabard_server.evidence.grids import Grids
from tabard_server.evidence.lookup import Lookup
from tabard_server.evidence.references import ReferenceBook
from tabard_server.evidence.shelf import Shelf
from tabard_server.limits import Limits
from tabard_server.publishing.publishing import Publishing
from tabard_server.publishing.questions import Questions
from tabard_server.reviewing.blindfold import Blindfold
from tabard_server.rpc.evidence.service import EvidenceServicer, References
from tabard_server.rpc.pages import Pages
from tabard_server.threads import Threads

_FRAME_BYTES = 65_536
"""Room in an answer for what is not the picture."""


def evidence_service_for(
    registry: Registry,
    *,
    limits: Limits,
    grids: Mapping[str, Grid],
    encoders: Encoders,
    judging: Threads,
    blindfold: Blindfold,
    publishing: Publishing,
    questions: Questions,
    pages: Pages,
) -> EvidenceServicer:
    """Return what serves the evidence of a registry."""
    bytes_max = limits.message_bytes_max - _FRAME_BYTES
    shelf = Shelf(registry, picture_bytes_max=bytes_max)
    return EvidenceServicer(
        registry,
        shelf=shelf,
        filing=Filing(registry, shelf=shelf),
        grids=Grids(registry, shipped=grids),
        references=References(
            book=ReferenceBook(registry, encoders=encoders), limits=limits, threads=judging
        ),
        lookup=Lookup(registry, limits=limits, picture_bytes_max=bytes_max),
        blindfold=blindfold,
        publishing=publishing,
        questions=questions,
        pages=pages,
    )
