# SPDX-License-Identifier: Apache-2.0
"""Acts as pure plans: from a state, what to write so that it happens, or why it cannot.

An act is planned anew against every state that it meets, so that one which lost its slot is
validated again before it tries the next.
"""

from tabard_registry.acts.act import Act, Plan
from tabard_registry.acts.channels import promote, roll_back
from tabard_registry.acts.publication import publish, refuse_other
from tabard_registry.acts.standing import (
    purge,
    set_quarantined,
    set_yanked,
    sign,
)
from tabard_registry.acts.upkeep import begin_collection, end_collection, set_key, set_policy

__all__ = [
    "Act",
    "Plan",
    "begin_collection",
    "end_collection",
    "promote",
    "publish",
    "purge",
    "refuse_other",
    "roll_back",
    "set_key",
    "set_policy",
    "set_quarantined",
    "set_yanked",
    "sign",
]
