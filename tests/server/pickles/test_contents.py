# SPDX-License-Identifier: Apache-2.0
"""What an unpickled document holds: named tensors whole and on their own, or a reason."""

from typing import Any

import pytest
import torch

from tabard_server.pickles import contents
from tabard_server.pickles.contents import (
    TOKEN_KEY,
    ParameterDict,
    TooLarge,
    Unknown,
    named_tensors,
)

MOST = 1 << 20
VECTORS = torch.arange(6.0).view(2, 3)


def embedding(params: object, **more: Any) -> dict[str, Any]:
    """Return the layout that A1111 pickles."""
    return {"string_to_token": {"*": 265}, "string_to_param": params, **more}


def test_named_tensors_stay_named() -> None:
    """A table of tensors is what it says; words beside them are kept as text."""
    tensors, words = named_tensors({"<ink>": VECTORS, "step": 1500}, bytes_max=MOST)

    assert list(tensors) == ["<ink>"]
    assert torch.equal(tensors["<ink>"], VECTORS)
    assert words == {"step": "1500"}


@pytest.mark.parametrize(
    ("key", "name", "token"),
    [
        ("*", "ink-wash", "ink-wash"),
        ("<ink>", None, "<ink>"),
        ("<ink>", "  ", "<ink>"),
        ("*", None, None),
        ("*", "x" * 500, "x" * 200),
    ],
)
def test_embedding_names_itself(key: str, name: str | None, token: str | None) -> None:
    """By its name, else by its key; `*` is no name, and no name is endless."""
    more = {} if name is None else {"name": name}

    tensors, words = named_tensors(embedding({key: VECTORS}, **more), bytes_max=MOST)

    assert list(tensors) == ["emb_params"]
    assert words.get(TOKEN_KEY) == token


def test_first_authors_class_is_read() -> None:
    """The stand-in of torch's class keeps its state and nothing else."""
    params = ParameterDict()
    params.__setstate__({"_parameters": {"<ink>": torch.nn.Parameter(VECTORS)}})

    tensors, words = named_tensors(embedding(params), bytes_max=MOST)

    assert torch.equal(tensors["emb_params"], VECTORS)
    assert words[TOKEN_KEY] == "<ink>"


def test_tensors_share_no_memory() -> None:
    """A view of a larger tensor comes out whole, alone and in plain order."""
    large = torch.zeros(100, 3)

    tensors, _words = named_tensors({"a": large[:2].T, "b": large[:2]}, bytes_max=MOST)

    assert tensors["a"].is_contiguous()
    assert tensors["a"].untyped_storage().nbytes() == 24
    assert tensors["a"].data_ptr() != tensors["b"].data_ptr() != large.data_ptr()


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ([1], "a list and no table"),
        ({}, "no tensors"),
        ({"name": "ink"}, "no tensors"),
        ({3: VECTORS}, "no text"),
        ({"": VECTORS}, "no text"),
        ({"a": "code"}, "'a' is a str and no tensor"),
        ({"a": VECTORS > 1}, "no plain tensor of numbers"),
        ({"a": VECTORS.to_sparse()}, "no plain tensor of numbers"),
        ({"a": VECTORS.to("meta")}, "no plain tensor of numbers"),
        (embedding({}), "0 tensors"),
        (embedding({"a": VECTORS, "b": VECTORS}), "2 tensors"),
        (embedding(7), "no table of"),
        (embedding(ParameterDict()), "no table of"),
    ],
)
def test_other_things_are_named(document: object, says: str) -> None:
    """What is none of the known layouts is refused in words."""
    with pytest.raises(Unknown, match=says):
        named_tensors(document, bytes_max=MOST)


def test_tensors_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """In number, and in bytes as they would be written, however little memory they share."""
    monkeypatch.setattr(contents, "_TENSORS_MAX", 2)
    wide = torch.zeros(1).expand(1000)

    with pytest.raises(TooLarge, match="3 tensors"):
        named_tensors({name: VECTORS for name in "abc"}, bytes_max=MOST)
    with pytest.raises(TooLarge, match="4000 bytes"):
        named_tensors({"a": wide}, bytes_max=3999)
