# SPDX-License-Identifier: Apache-2.0
"""The bill is that of the wheel: all it leads to, nothing else, and no machine."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.wheel.bill import completed, missing


def component(name: str, **more: Any) -> dict[str, Any]:
    return {
        "bom-ref": f"{name}==1",
        "name": name,
        "version": "1",
        "type": "library",
        "purl": f"pkg:pypi/{name}@1",
    } | more


@pytest.fixture
def document() -> dict[str, Any]:
    """What a tool says of an environment with Tabard, what it needs, and pip."""
    local = {"type": "distribution", "url": "file:///somewhere/tabard.whl"}
    return {
        "bomFormat": "CycloneDX",
        "metadata": {"tools": {}},
        "components": [
            component("tabard", externalReferences=[local]),
            component("grpcio", externalReferences=[{"type": "website", "url": "https://x.org"}]),
            component("typing_extensions"),
            component("pip"),
        ],
        "dependencies": [
            {"ref": "tabard==1", "dependsOn": ["grpcio==1"]},
            {"ref": "grpcio==1", "dependsOn": ["typing_extensions==1", "tabard==1"]},
            {"ref": "typing_extensions==1"},
            {"ref": "pip==1"},
        ],
    }


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "tabard-1-py3-none-any.whl"
    path.write_bytes(b"wheel")
    return path


INSTALLED = [
    {"name": "grpcio", "version": "1"},
    {"name": "pip", "version": "1"},
    {"name": "tabard", "version": "1"},
    {"name": "typing-extensions", "version": "1"},
]


def test_bill_is_about_the_wheel(document: dict[str, Any], wheel: Path) -> None:
    """Its subject has the wheel's hash, and its components are what that leads to."""
    bill = completed(document, wheel=wheel)

    about = bill["metadata"]["component"]
    assert about["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(b"wheel").hexdigest()}]
    assert [one["name"] for one in bill["components"]] == ["grpcio", "typing_extensions"]
    assert "pip==1" not in [one["ref"] for one in bill["dependencies"]]
    assert missing(bill, INSTALLED) == []


def test_two_subjects_are_refused(document: dict[str, Any], wheel: Path) -> None:
    """An environment in which Tabard is not, or twice, has no bill."""
    document["components"].append(component("tabard"))

    with pytest.raises(ValueError, match="too many"):
        completed(document, wheel=wheel)


@pytest.mark.parametrize(
    ("installed", "told"),
    [
        ([*INSTALLED, {"name": "torch", "version": "2"}], "torch 2 is not in it"),
        (INSTALLED[1:], "grpcio is not installed"),
        ([{"name": "grpcio", "version": "2"}, *INSTALLED[1:]], "grpcio 2 is told as 1"),
    ],
)
def test_wrong_bill_is_told(
    document: dict[str, Any], wheel: Path, installed: list[dict[str, str]], told: str
) -> None:
    """What is installed and not listed, listed and not installed, or of another version."""
    assert missing(completed(document, wheel=wheel), installed) == [told]


def test_machine_is_not_told(document: dict[str, Any], wheel: Path) -> None:
    """Places of local files are taken out; one that stays elsewhere is told."""
    document["components"][1]["externalReferences"].append({"url": "file:///there"})
    bill = completed(document, wheel=wheel)
    assert missing(bill, INSTALLED) == []

    bill["components"][0]["description"] = "from file:///there"

    assert missing(bill, INSTALLED) == ["it names a path of this machine"]
