# SPDX-License-Identifier: Apache-2.0
"""Puts EvidenceService together for one server. In: its registry, its bounds, its rooms."""

from tabard_registry import Registry
from tabard_server.evidence.shelf import Shelf
from tabard_server.limits import Limits
from tabard_server.publishing.publishing import Publishing
from tabard_server.publishing.questions import Questions
from tabard_server.rpc.evidence.service import EvidenceServicer
from tabard_server.rpc.pages import Pages

_FRAME_BYTES = 1_024
"""Room in an answer for what is not the picture."""


def evidence_service_for(
    registry: Registry,
    *,
    limits: Limits,
    publishing: Publishing,
    questions: Questions,
    pages: Pages,
) -> EvidenceServicer:
    """Return what serves the evidence of a registry."""
    shelf = Shelf(registry, picture_bytes_max=limits.message_bytes_max - _FRAME_BYTES)
    return EvidenceServicer(
        registry, shelf=shelf, publishing=publishing, questions=questions, pages=pages
    )
