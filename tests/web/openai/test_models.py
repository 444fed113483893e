# SPDX-License-Identifier: Apache-2.0
"""The list of models is what the caller may ask for."""

import httpx


def test_models_are_listed(web: httpx.Client, styles: None) -> None:
    """The base, and every channel of every line."""
    answer = web.get("/v1/models").json()

    assert answer["object"] == "list"
    assert [one["id"] for one in answer["data"]] == [
        "base",
        "acme/ink",
        "acme/pen@beta",
        "acme/pen",
    ]
    assert {one["object"] for one in answer["data"]} == {"model"}


def test_one_model_is_told(web: httpx.Client, styles: None) -> None:
    """Any ref is one, with its slash written as it is or in code."""
    plain = web.get("/v1/models/acme/ink@1.0.0").json()
    coded = web.get("/v1/models/acme%2Fink@1.0.0").json()

    assert plain == coded
    assert (plain["id"], plain["owned_by"]) == ("acme/ink@1.0.0", "acme")
    assert web.get("/v1/models/base").json()["id"] == "base"


def test_unknown_models_are_not_found(web: httpx.Client, styles: None) -> None:
    """Neither what is no ref, nor a ref of nothing, nor several at once."""
    for name in ("dall-e-3", "acme/none", "acme/ink+acme/pen"):
        answer = web.get(f"/v1/models/{name}")

        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
