# SPDX-License-Identifier: Apache-2.0
"""The adapter files of the demo, each in its part."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tabard import FailedPrecondition
from tabard.cli.demo.catalog import read_catalog
from tests.clients.cli.conftest import Tabard


def test_incomplete_catalog_is_refused(adapters: Path) -> None:
    """Every part of the story needs its release."""
    entries = json.loads((adapters / "index.json").read_text())
    (adapters / "index.json").write_text(json.dumps(entries[:-1]))

    with pytest.raises(FailedPrecondition) as caught:
        read_catalog(adapters)

    assert caught.value.reason == "DEMO_MATERIAL_MISSING"


def test_files_get_their_parts(adapters: Path) -> None:
    """A style and its successor, another style, a word, a subject, few steps."""
    catalog = read_catalog(adapters)

    assert (catalog.style.version, catalog.successor.version) == ("1.0.0", "1.1.0")
    assert catalog.style.adapter == catalog.successor.adapter != catalog.partner.adapter
    assert (catalog.word.trigger, catalog.subject.kind) == ("<plum>", "dreambooth")
    assert [one.short_name for one in catalog.first_releases] == [
        "watercolor",
        "neon",
        "plum",
        "mascot",
        "fast",
    ]


def test_material_is_found_without_the_server() -> None:
    """It comes with the server's package, which is not imported for it."""
    program = (
        "import sys; from tabard.cli.demo.catalog import find_material;"
        "folder = find_material(); heavy = {'torch', 'tabard_server.serving'} & set(sys.modules);"
        "print((folder / 'adapters' / 'index.json').is_file(), sorted(heavy))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "True []"


def test_missing_extra_is_named(tabard: Tabard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A base install says what to install, and writes nothing."""
    monkeypatch.setitem(sys.modules, "torch", None)

    ran = tabard("demo", "--out", "unused")

    assert ran.code == 5
    assert "hint: pip install 'tabard[server]'" in ran.err
