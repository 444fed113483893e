# SPDX-License-Identifier: Apache-2.0
"""A registry at hand answers as a server does."""

import inspect
from pathlib import Path

import pytest

from tabard import Client, FailedPrecondition
from tabard.cli.local.access import Keeper, LocalKeeper, open_local_keeper
from tabard_registry import Registry

VERBS = ("create_token", "tokens", "revoke_token", "policy", "set_policy")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Make a registry in a folder."""
    Registry.open(str(tmp_path / "registry")).close()
    return tmp_path / "registry"


@pytest.mark.parametrize("verb", VERBS)
def test_client_and_registry_take_the_same(verb: str) -> None:
    """So that a command need not know which of them it asks."""
    asked, here, there = (
        list(inspect.signature(getattr(kind, verb)).parameters)
        for kind in (Keeper, LocalKeeper, Client)
    )

    assert asked == here == there


def test_tokens_are_the_sdks_values(place: Path) -> None:
    """Without a hash, and with the secret once."""
    with open_local_keeper(str(place), needed_for="the test") as keeper:
        made = keeper.create_token("ci", {"acme": ["promote", "publish"]}, reason="nightly")
        listed = keeper.tokens()

    assert listed == (made.token,)
    assert made.token.grants == {"acme": ("promote", "publish")}
    assert made.secret not in repr(made)


def test_namespace_may_ask_who_acts(place: Path) -> None:
    """Nobody checks who works on a registry itself: then it takes nothing from here."""
    with open_local_keeper(str(place), needed_for="the test") as keeper:
        keeper.set_policy("acme", require_identity=True)

        with pytest.raises(FailedPrecondition) as caught:
            keeper.set_policy("acme", require_identity=False)

    assert caught.value.reason == "IDENTITY_REQUIRED"
