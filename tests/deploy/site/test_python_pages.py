# SPDX-License-Identifier: Apache-2.0
"""Every public name of the SDK and the registry has its place in the reference."""

import pytest
from deploy.site.python_pages import TITLES, pages

import tabard
import tabard_registry


def test_name_stands_on_its_page() -> None:
    """Names go where they are defined, and a page without any is left out."""
    found = pages("tabard", {"Client": "tabard.client.Client", "Wear": "tabard.releases.wear.Wear"})

    assert [(page.name, page.title) for page in found] == [
        ("client", "Client"),
        ("releases", "Releases"),
    ]
    assert found[1].text == "# Releases\n\nPublic names of `tabard`.\n\n::: tabard.Wear\n"


def test_unplaced_name_is_told() -> None:
    """A public name from a module without a page fails, and is not left out."""
    with pytest.raises(KeyError, match="somewhere"):
        pages("tabard", {"New": "tabard.somewhere.New"})


@pytest.mark.parametrize("package", [tabard, tabard_registry])
def test_exported_modules_have_pages(package: object) -> None:
    """Modules that public classes come from are in the table."""
    name = package.__name__  # type: ignore[attr-defined]
    values = (getattr(package, one) for one in package.__all__)  # type: ignore[attr-defined]
    modules = {getattr(one, "__module__", "") for one in values}

    parts = {one.split(".")[1] for one in modules if one.startswith(f"{name}.")}

    assert parts <= set(TITLES[name])
