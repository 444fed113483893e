# SPDX-License-Identifier: Apache-2.0
"""Acts as pure plans: from a state, what to write so that it happens, or why it cannot.

An act is planned anew against every state that it meets, so that one which lost its slot is
validated again before it tries the next. A new act is a function here and a method of `Registry`.
"""

from tabard_registry.acts.act import Act, Acted, Landed, Plan
from tabard_registry.acts.author import Author
from tabard_registry.acts.canaries import (
    CanaryName,
    CanaryStep,
    end_canary,
    observe,
    raise_share,
    start_canary,
)
from tabard_registry.acts.channels import Expectation, promote, roll_back
from tabard_registry.acts.evidence import Evidenced, announce, announce_grid
from tabard_registry.acts.garbage import begin_collection, end_collection
from tabard_registry.acts.keys import revoke_key, set_policy, sign, trust_key
from tabard_registry.acts.permission import check_permitted
from tabard_registry.acts.publication import publish
from tabard_registry.acts.review import review, vote
from tabard_registry.acts.standing import purge, set_quarantined, set_yanked
from tabard_registry.acts.tokens import create_token, may_give, revoke_token
from tabard_registry.acts.words import Amendment, edit

__all__ = [
    "Act",
    "Acted",
    "Amendment",
    "Author",
    "CanaryName",
    "CanaryStep",
    "Evidenced",
    "Expectation",
    "Landed",
    "Plan",
    "announce",
    "announce_grid",
    "begin_collection",
    "check_permitted",
    "create_token",
    "edit",
    "end_canary",
    "end_collection",
    "may_give",
    "observe",
    "promote",
    "publish",
    "purge",
    "raise_share",
    "review",
    "revoke_key",
    "revoke_token",
    "roll_back",
    "set_policy",
    "set_quarantined",
    "set_yanked",
    "sign",
    "start_canary",
    "trust_key",
    "vote",
]
