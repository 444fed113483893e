# SPDX-License-Identifier: Apache-2.0
import pytest

from tabard_registry.state.draft import Draft, Invalid, change, named_release
from tests.registry.state.short_logs import act, publication, run


def test_draft_leaves_its_state_alone() -> None:
    """What is changed in a draft is not changed in the state that it began from."""
    state, _ = run(publication("1.0.0"))
    draft = Draft.of(state)
    line, release = named_release(draft, act("yank", "1.0.0"))

    change(draft, line, release)
    draft.grids["acme"] = ()

    assert (dict(state.grids), draft.lines.freeze()[line.name]) == ({}, line)
    with pytest.raises(Invalid, match="no release"):
        named_release(draft, act("yank", "1.1.0"))
