# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from tabard_registry import AdapterName
from tests.registry.checkpoint.kept_states import INK, kept
from tests.registry.described_logs import KEYS, RECIPE, noted_publication, signature
from tests.registry.random_logs import act, folded


def test_everything_a_release_can_have_is_kept() -> None:
    """Signatures, tokens, members, standings: nothing of it is an exception to the rule."""
    place = (INK, "1.0.0")
    extra = {"tokens": [["<ink>", "text_encoder", 2]], "training": {"seed": "7"}}
    acts = [act(kind, place, "") for kind in ("yank", "quarantine", "purge")]
    state, _ = folded([[KEYS, noted_publication(place, extra), signature(place)], [RECIPE], acts])

    _, read = kept(state)

    [recipe] = read.adapters[AdapterName("acme", "mix")].releases
    [release] = read.adapters[INK].releases
    assert recipe.members and recipe.canonical is None
    assert release.signatures and release.tokens and release.training == {"seed": "7"}
    assert (release.yanked, release.quarantined, release.purged) == (True, True, True)
    assert read == state
