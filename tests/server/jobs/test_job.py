# SPDX-License-Identifier: Apache-2.0
"""What an admitted job relies on: its stack, and the recipes that brought it."""

from tabard_server.jobs.job import Worn, WornRecipe, worn_for
from tests.server.jobs.small_jobs import job
from tests.server.releases import member, release

INK, PEN = release("acme/ink"), release("acme/pen")
MIX = release("acme/mix", kind="recipe", members=(member(INK), member(PEN, weight=0.5)))


def test_plain_release_is_loaded_itself() -> None:
    """What is worn for a release is its own digest."""
    assert worn_for(INK) == (str(INK.digest),)


def test_recipe_is_loaded_by_members() -> None:
    """A recipe has no weights; those of its members are loaded, in their order."""
    assert worn_for(MIX) == (str(INK.digest), str(PEN.digest))


def test_job_relies_on_recipes_too() -> None:
    """A recipe that brought two releases is named once; whoever withdraws it meets the job."""
    brought = WornRecipe(release=MIX, weight=0.8)
    worn = tuple(Worn(ref="acme/mix", release=r, weight=0.4, recipe=brought) for r in (INK, PEN))
    one = job(worn=(*worn, Worn(ref="x", release=release("acme/neon"), weight=1.0)))

    assert one.recipes == (brought,)
    assert one.digests == (str(INK.digest), str(PEN.digest), one.worn[2].digest)
    assert one.pinned == {*one.digests, str(MIX.digest)}
