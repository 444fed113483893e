# SPDX-License-Identifier: Apache-2.0

from dataclasses import replace
from pathlib import Path

import pytest

from tabard_registry import Author, Registry, acts
from tabard_registry.acts.act import action_on
from tabard_registry.errors import InvalidField
from tests.registry.fakes import NAME, publish, ref, small_manifest


def test_acts_need_actor_and_reason(registry: Registry, tmp_path: Path) -> None:
    """Who and why are never empty where history needs them."""
    publish(registry, "1.0.0", folder=tmp_path)

    with pytest.raises(InvalidField, match="actor"):
        registry.promote(ref("1.0.0"), channel="stable", author=Author(actor=" "))
    with pytest.raises(InvalidField, match="reason"):
        registry.roll_back(NAME, channel="stable", to=None, author=Author(actor="bob", reason=" "))
    with pytest.raises(InvalidField, match="reason"):
        registry.yank(ref("1.0.0"), author=Author(actor="bob"))


def test_only_some_acts_need_reasons() -> None:
    """An act says itself whether it does, and the error says what it is called."""
    silent = Author(actor="ann", reason=" ")
    act = acts.publish(small_manifest("1.0.0"))
    act.check(silent)

    with pytest.raises(InvalidField, match="a purge needs a reason") as caught:
        replace(act, reasoned="a purge").check(silent)

    assert caught.value.reason == "FIELD_REQUIRED"
    replace(act, reasoned="a purge").check(Author(actor="ann", reason="legal"))


def test_action_names_its_release(registry: Registry, tmp_path: Path) -> None:
    """By adapter, version and digest; by channel where one is moved."""
    release = publish(registry, "1.0.0", folder=tmp_path).release

    action = action_on("promote", release, channel="stable")

    assert (action.type, action.adapter, action.version) == ("promote", str(NAME), "1.0.0")
    assert (action.digest, action.channel) == (str(release.digest), "stable")
