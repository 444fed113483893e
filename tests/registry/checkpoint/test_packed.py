# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tabard_registry import AdapterName
from tabard_registry.state.fold import fold
from tests.registry.checkpoint.kept_states import INK, kept, key_of
from tests.registry.described_logs import logs, noted_publication, odd_described_actions
from tests.registry.random_logs import DIGESTS, EMPTY, folded, written


@given(logs(odd_described_actions))
def test_checkpoint_of_a_checkpoint_is_itself(log: list[list[Any]]) -> None:
    """Lines that nobody touched are copied as they are."""
    key, read = kept(folded(log)[0])

    assert key_of(read) == key


@given(logs(odd_described_actions), st.sampled_from(["", "acme/", "acme/ink", "acme/k", "b", "~"]))
def test_names_go_on_from_any_text(log: list[list[Any]], text: str) -> None:
    """Names after a text, whether there is one of it or not."""
    state, _ = folded(log)
    _, read = kept(state)

    assert list(read.adapters.names_from(text)) == [
        name for name in state.names() if str(name) >= text
    ]


@given(logs(odd_described_actions), st.sampled_from(sorted(DIGESTS.values())))
def test_names_with_a_digest_are_found(log: list[list[Any]], digest: str) -> None:
    """Every line that needs a blob is found by it, in a checkpoint and in what came after."""
    records = written(log)
    half, _ = fold(EMPTY, records[: len(records) // 2])
    after, _ = fold(kept(half)[1], records[len(records) // 2 :])
    blob = digest.removeprefix("sha256:")

    found = set(after.adapters.names_with(blob))

    assert found >= {
        line.name
        for line in after.adapters.lines()
        if any(blob in (one.hex for one in release.blobs) for release in line.releases)
    }


def test_many_lines_are_found_each() -> None:
    """Bisection finds every line of many, and none between them."""
    names = [AdapterName("acme", f"a{number:03d}") for number in range(100)]
    log = [[{**noted_publication((INK, "1.0.0"), {}), "adapter": str(name)}] for name in names]
    _, read = kept(folded(log)[0])

    assert [name for name in names if read.adapters[name].name == name] == names
    assert AdapterName("acme", "a0005") not in read.adapters
    assert read.adapters.get(AdapterName("a", "a")) is None
    assert list(read.names(after="acme/a097")) == names[98:]
    assert len(read.adapters) == 100
