# SPDX-License-Identifier: Apache-2.0
"""Files back again, from a server and from a registry at hand."""

from pathlib import Path

import numpy as np
import pytest

from tabard_registry import Author, Registry, ReleaseDraft, check
from tabard_registry.refs.semver import Version
from tests.clients.cli.conftest import Tabard
from tests.registry.fakes import NAME, publish, ref, sd_profile, small_lora, write


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A registry with a LoRA and an embedding."""
    registry = Registry.open(str(tmp_path / "registry"))
    publish(registry, "1.0.0", folder=tmp_path, seed=7)
    path = write(tmp_path / "plum.safetensors", {"<plum>": np.ones((2, 12), dtype="float32")})
    registry.publish(
        ReleaseDraft(adapter=NAME, version=Version.parse("2.0.0")),
        checked=check([path], profile=sd_profile()),
        files=[path],
        author=Author(actor="ann"),
    )
    registry.close()
    return tmp_path / "registry"


def test_registry_at_hand_gives_the_bytes(tabard: Tabard, place: Path, tmp_path: Path) -> None:
    """The published file comes back to the byte, without a server."""
    ran = tabard("pull", f"{NAME}@1.0.0", "--registry", place, "--out", tmp_path / "out", "--json")

    (file,) = ran.document["files"]
    wanted = small_lora(tmp_path, seed=7, name="again.safetensors")
    assert (ran.code, Path(file["path"]).name) == (0, "1.0.0-7.safetensors")
    assert Path(file["path"]).read_bytes() == wanted.read_bytes()


def test_variable_names_the_registry(
    tabard: Tabard, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no server is named, the registry of the environment is read."""
    monkeypatch.delenv("TABARD_ADDRESS")
    monkeypatch.setenv("TABARD_REGISTRY", str(place))

    ran = tabard("pull", f"{NAME}@2.0.0", "--out", tmp_path / "out", "--format", "diffusers")

    assert (ran.code, "pulled acme/ink 2.0.0" in ran.out) == (0, True)
    assert (tmp_path / "out" / "ink-2.0.0.diffusers.safetensors").exists()


@pytest.mark.parametrize("file_format", ["kohya", "diffusers"])
def test_pulled_file_is_the_same_adapter(
    file_format: str, tabard: Tabard, place: Path, tmp_path: Path
) -> None:
    """Published again, what was pulled is served from the very same bytes."""
    given = ("--registry", place, "--out", tmp_path / "out", "--format", file_format, "--json")
    path = Path(tabard("pull", f"{NAME}@1.0.0", *given).document["files"][0]["path"])

    registry = Registry.open(str(place))
    again = registry.publish(
        ReleaseDraft(adapter=NAME, version=Version.parse("1.0.1")),
        checked=check([path], profile=sd_profile()),
        files=[path],
        author=Author(actor="ann"),
    ).release
    first = registry.state.adapters[NAME].by_version[Version.parse("1.0.0")]

    assert again.canonical == first.canonical


@pytest.mark.parametrize("is_here", [True, False], ids=["here", "there"])
def test_nothing_is_overwritten(
    is_here: bool, published: Tabard, place: Path, style_file: Path, tmp_path: Path
) -> None:
    """Other bytes stay, equal ones are there already, and --force replaces."""
    out = tmp_path / "out"
    where = (f"{NAME}@1.0.0", "--registry", place) if is_here else ("acme/watercolor@1.0.0",)
    first = published("pull", *where, "--out", out)
    [file] = out.iterdir()
    content = file.read_bytes()

    again = published("pull", *where, "--out", out)
    file.write_bytes(b"mine")
    refused = published("pull", *where, "--out", out)
    kept = file.read_bytes()
    forced = published("pull", *where, "--out", out, "--force")

    assert (first.code, again.code, forced.code) == (0, 0, 0)
    assert (refused.code, "reason: FILE_EXISTS" in refused.err) == (5, True)
    assert (kept, file.read_bytes(), list(out.iterdir())) == (b"mine", content, [file])


def test_formats_have_names_of_their_own(tabard: Tabard, place: Path, tmp_path: Path) -> None:
    """All of them lie side by side."""
    for file_format in ("original", "canonical", "kohya", "diffusers"):
        ran = tabard(
            "pull", f"{NAME}@1.0.0", "--registry", place, "--out", tmp_path / "out",
            "--format", file_format,
        )  # fmt: skip
        assert ran.code == 0

    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "1.0.0-7.safetensors",
        "ink-1.0.0.canonical.safetensors",
        "ink-1.0.0.diffusers.safetensors",
        "ink-1.0.0.kohya.safetensors",
    ]


def test_purged_release_says_so(tabard: Tabard, place: Path, tmp_path: Path) -> None:
    """When, by whom, and why."""
    registry = Registry.open(str(place))
    registry.purge(ref("1.0.0"), author=Author(actor="bob", reason="the artist asked"))
    at = registry.queries.history(NAME)[-1].time
    registry.close()

    ran = tabard("pull", f"{NAME}@1.0.0", "--registry", place, "--out", tmp_path / "out")

    assert (ran.code, "reason: RELEASE_PURGED" in ran.err) == (5, True)
    assert f"acme/ink@1.0.0 was purged at {at} by bob: the artist asked" in ran.err


def test_server_gives_the_bytes(published: Tabard, style_file: Path, tmp_path: Path) -> None:
    """A server sends what was published to it."""
    ran = published("pull", "acme/watercolor@1.0.0", "--out", tmp_path / "out")

    assert (ran.code, "pulled acme/watercolor 1.0.0" in ran.out) == (0, True)
    assert (tmp_path / "out" / "style.safetensors").read_bytes() == style_file.read_bytes()


@pytest.mark.parametrize(
    ("ref", "code"), [("acme/none@1.0.0", 3), ("acme", 4), (f"{NAME}@9.0.0", 3)]
)
def test_unknown_release_is_told(
    ref: str, code: int, tabard: Tabard, place: Path, tmp_path: Path
) -> None:
    """The library's refusals reach the user, and no folder is made."""
    ran = tabard("pull", ref, "--registry", place, "--out", tmp_path / "out")

    assert ran.code == code
    assert not (tmp_path / "out").exists()
