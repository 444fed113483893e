# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from livery_server.engine import Engine, PromptTooLong
from livery_server.engine.text import PromptReader


@pytest.fixture
def reader(engine: Engine) -> PromptReader:
    return engine.new_prompt_reader()


def test_plain_prompt_reads_like_tokenizer(engine: Engine, reader: PromptReader) -> None:
    """Without placeholders the ids are the tokenizer's own, padding included."""
    tokenizer = engine._base.tokenizer
    expected = tokenizer("a red circle", padding="max_length").input_ids

    assert reader.ids("a red circle", {}) == expected


def test_placeholder_counts_all_vectors(reader: PromptReader) -> None:
    """A token of three vectors takes three places."""
    plain = reader.read("a circle", {}).token_count

    reading = reader.read("a <plum> circle", {"<plum>": 3, "<pear>": 2})

    assert reading.token_count == plain + 3
    assert reading.used == {"<plum>"}


def test_longer_placeholder_wins(reader: PromptReader) -> None:
    """Of two placeholders that begin alike, the longer one is read."""
    reading = reader.read("a plummy circle", {"plum": 1, "plummy": 1})

    assert reading.used == {"plummy"}


def test_long_prompt_is_refused_whole(reader: PromptReader) -> None:
    """Nothing is cut off in silence."""
    with pytest.raises(PromptTooLong) as caught:
        reader.ids("red " * reader.length, {})

    assert caught.value.reason == "PROMPT_TOO_LONG"


def test_virtual_ids_leave_vocabulary_alone(engine: Engine) -> None:
    """Encoding with a placeholder changes nothing for the prompts without it."""
    encoder = engine._text
    with torch.inference_mode():
        before = encoder.encode(["a red circle"], placeholders={})
        vectors = torch.randn(2, 32, generator=torch.Generator().manual_seed(0))
        worn = encoder.encode(["a <plum> circle"], placeholders={"<plum>": vectors})
        after = encoder.encode(["a red circle"], placeholders={})

    assert torch.equal(before, after)
    assert not torch.equal(before, worn)
