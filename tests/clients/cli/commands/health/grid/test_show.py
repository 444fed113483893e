# SPDX-License-Identifier: Apache-2.0
"""`tabard grid show` says what a grid draws; its JSON can be put again."""

from pathlib import Path

from tests.clients.cli.conftest import Tabard


def test_grid_is_told(tabard: Tabard) -> None:
    """Its seeds, its prompts, and which of them are controls."""
    ran = tabard("grid", "show", "style")

    assert ran.code == 0
    assert "style  of every registry" in ran.out
    assert "11, 23, 47, 101" in ran.out
    assert ran.out.count("control") == 4
    assert "{trigger}" in ran.out


def test_shown_grid_can_be_put(tabard: Tabard, tmp_path: Path) -> None:
    """As it is, it is the same document."""
    file = tmp_path / "style.json"
    file.write_text(tabard("grid", "show", "style", "--json").out, encoding="utf-8")

    put = tabard("grid", "put", file, "--for", "acme/ink", "--json").document

    assert put["grid"]["place"] == "acme/ink"
    shipped, own = (
        one for one in tabard("grid", "list", "--json").document if one["name"] == "style"
    )
    assert own["digest"] == shipped["digest"]


def test_unknown_grid_is_refused(tabard: Tabard) -> None:
    """With those that there are."""
    ran = tabard("grid", "show", "nothing", "--for", "acme")

    assert ran.code == 3
    assert "concept, style, subject" in ran.err
