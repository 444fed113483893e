# SPDX-License-Identifier: Apache-2.0
"""The gateway as a whole: what it says of itself. That all of it holds is seen in tests/e2e/web."""

import httpx


def test_description_names_every_door(web: httpx.Client) -> None:
    """OpenAPI is made from the code, and no page that loads scripts is served with it."""
    description = web.get("/openapi.json").json()

    assert {"/v1/images/generations", "/v1/images/edits", "/v1/models"} <= {*description["paths"]}
    assert web.get("/docs").status_code == 404
    assert web.get("/redoc").status_code == 404
