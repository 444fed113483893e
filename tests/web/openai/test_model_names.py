# SPDX-License-Identifier: Apache-2.0
"""A model is refs that an image wears; what is none is told as such."""

import pytest

from tabard import Adapter, Channel, InvalidArgument, NotFound
from tabard_web.openai.model_names import list_models, read_model, seconds_of


@pytest.mark.parametrize(
    ("model", "refs"),
    [
        (None, ()),
        ("base", ()),
        ("acme/ink@^1", ("acme/ink@^1",)),
        ("acme/ink:0.8+acme/pen:0.4", ("acme/ink:0.8", "acme/pen:0.4")),
        ("acme/ink:-0.5 + acme/pen@beta", ("acme/ink:-0.5", "acme/pen@beta")),
    ],
)
def test_model_is_read_as_refs(model: str | None, refs: tuple[str, ...]) -> None:
    """In their order; what each means is for the server."""
    assert read_model(model) == refs


@pytest.mark.parametrize("model", ["", "acme/ink+", "+", "acme/ink++acme/pen"])
def test_nothing_is_no_model(model: str) -> None:
    """A half model is not the other half alone."""
    with pytest.raises(InvalidArgument, match="model"):
        read_model(model)


@pytest.mark.parametrize("model", ["dall-e-3", "gpt-image-1", "base+acme/ink", "ink"])
def test_unknown_model_is_not_found(model: str) -> None:
    """Nothing is drawn with another model in its place."""
    with pytest.raises(NotFound) as refused:
        read_model(model)

    assert refused.value.violations[0].field == "model"
    assert "GET /v1/models" in refused.value.hint


def test_channels_are_models() -> None:
    """The default channel has the bare name; a line that no channel points into has none."""
    ink = Channel(name="stable", digest="sha256:a", version="1.0.0", seq=1)
    beta = Channel(name="beta", digest="sha256:a", version="1.0.0", seq=2)
    lines = [
        Adapter(name="acme/ink", releases=(), channels=(beta, ink)),
        Adapter(name="acme/new", releases=(), channels=()),
    ]

    found = [(model.id, model.owned_by) for model in list_models(lines)]

    assert found == [("base", "tabard"), ("acme/ink@beta", "acme"), ("acme/ink", "acme")]


def test_times_are_seconds() -> None:
    """As OpenAI counts them."""
    assert (seconds_of("1970-01-01T00:01:00Z"), seconds_of("")) == (60, 0)
