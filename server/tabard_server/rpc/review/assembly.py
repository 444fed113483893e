# SPDX-License-Identifier: Apache-2.0
"""Puts ReviewService together for one server. In: its registry, its bounds, its rooms."""

from tabard_registry import Registry
from tabard_server.limits import Limits
from tabard_server.publishing.policies import Policies
from tabard_server.publishing.publishing import Publishing
from tabard_server.publishing.questions import Questions
from tabard_server.reviewing.blindfold import Blindfold
from tabard_server.reviewing.reviews import Reviews
from tabard_server.reviewing.votes import Votes
from tabard_server.rpc.pages import Pages
from tabard_server.rpc.review.service import ReviewServicer


def review_service_for(
    registry: Registry,
    *,
    limits: Limits,
    policies: Policies,
    blindfold: Blindfold,
    publishing: Publishing,
    questions: Questions,
    pages: Pages,
) -> ReviewServicer:
    """Return what serves reviews and votes of a registry."""
    return ReviewServicer(
        registry,
        policies=policies,
        reviews=Reviews(registry),
        votes=Votes(registry, blindfold=blindfold, limits=limits),
        publishing=publishing,
        questions=questions,
        pages=pages,
    )
