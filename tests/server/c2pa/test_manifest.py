# SPDX-License-Identifier: Apache-2.0
"""What a manifest says: the maker, the kind of making, and the digests of what was sent."""

from tabard_server.c2pa.manifest import manifest_of


def test_manifest_names_maker_and_source() -> None:
    """Of words alone there are no ingredients."""
    found = manifest_of(source="urn:x", inputs={}, version="1.2")

    ((assertion,), maker) = found["assertions"], {"name": "Tabard", "version": "1.2"}
    (action,) = assertion["data"]["actions"]
    assert found["claim_generator_info"] == [maker]
    assert action == {
        "action": "c2pa.created",
        "digitalSourceType": "urn:x",
        "softwareAgent": maker,
    }
    assert found["ingredients"] == []


def test_inputs_are_ingredients_of_the_action() -> None:
    """Each by its digest, and named by the action."""
    found = manifest_of(source="urn:x", inputs={"input picture": "aa", "mask": "bb"}, version="1")

    assert [(one["title"], one["instance_id"]) for one in found["ingredients"]] == [
        ("input picture", "sha256:aa"),
        ("mask", "sha256:bb"),
    ]
    assert {one["relationship"] for one in found["ingredients"]} == {"inputTo"}
    (action,) = found["assertions"][0]["data"]["actions"]
    labels = [one["label"] for one in found["ingredients"]]
    assert action["parameters"] == {"ingredientIds": labels}
