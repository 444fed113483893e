# SPDX-License-Identifier: Apache-2.0
"""A UI's folders become releases: every file told, what is broken named, what is there left."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tabard_registry import Registry
from tabard_registry.refs.names import AdapterRef
from tests.clients.cli.conftest import Ran, Tabard
from tests.registry.fakes import kohya_tensors, sd_profile, targets_of, write


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A registry, empty."""
    Registry.open(str(tmp_path / "registry")).close()
    return tmp_path / "registry"


def lora(path: Path, *, seed: int) -> Path:
    """Write a LoRA for the small base."""
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = sd_profile()
    return write(path, kohya_tensors(profile, seed=seed, modules=targets_of(profile)[:2]))


@pytest.fixture
def ui(tmp_path: Path) -> Path:
    """The folders of a UI, with everything that lies in such folders."""
    root = tmp_path / "webui"
    loras = root / "models" / "Lora"
    lora(loras / "Ink Wash (v2).safetensors", seed=1)
    (loras / "Ink Wash (v2).json").write_text(
        json.dumps({"activation text": "inkwash, wet paper", "notes": "use at 0.7"})
    )
    (loras / "Ink Wash (v2).png").write_bytes(b"\x89PNG")
    lora(loras / "people" / "neon.safetensors", seed=2)
    (loras / "people" / "neon.civitai.info").write_text(json.dumps({"trainedWords": ["neon sign"]}))
    lora(loras / "styles" / "neon.safetensors", seed=3)
    (loras / "broken.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{nothing")
    (loras / "page.safetensors").write_bytes(b"<!DOCTYPE html><html>")
    vectors = np.ones((2, 12), dtype="float32")
    (root / "embeddings").mkdir()
    write(root / "embeddings" / "easy neg.safetensors", {"emb_params": vectors})
    write(root / "embeddings" / "<plum>.safetensors", {"<plum>": vectors})
    (root / "embeddings" / "readme.txt").write_text("no adapter")
    return root


pytestmark = pytest.mark.usefixtures("engine")

Importing = Callable[..., Ran]


@pytest.fixture
def importing(tabard: Tabard, ui: Path, place: Path) -> Importing:
    """Give `importing(*options)` of the UI's folders into the registry."""

    def run(*options: str) -> Ran:
        given = ("--namespace", "mine", "--registry", place, "--base", "demo")
        return tabard("import", ui, *given, *options)

    return run


def adapters(place: Path) -> dict[str, tuple[str, ...]]:
    """Names in a registry, and their trigger words."""
    registry = Registry.open(str(place))
    try:
        return {str(a.name): a.releases[0].trigger_words for a in registry.state.adapters_after()}
    finally:
        registry.close()


def test_dry_run_tells_and_does_nothing(importing: Importing, place: Path) -> None:
    """The table has every file; nothing is published."""
    ran = importing("--dry-run")

    assert ran.code == 9
    for said in ("models/Lora/people/neon.safetensors", "mine/ink-wash-v2", "TRUNCATED"):
        assert said in ran.out
    assert "readme.txt" not in ran.out
    assert adapters(place) == {}


def test_good_files_are_published_and_bad_ones_named(importing: Importing, place: Path) -> None:
    """Words come from sidecars, from the file, or from its name; names never collide."""
    ran = importing("--yes", "--json")

    document = ran.document
    states = {row["place"]: row["state"] for row in document["adapters"]}
    found = adapters(place)
    twin = next(name for name in found if name.startswith("mine/neon-"))
    assert (ran.code, document["published"], document["refused"]) == (9, 5, 2)
    assert states["models/Lora/broken.safetensors"] == "refused"
    assert all(row["problems"][0]["remedy"] for row in document["adapters"] if not row["name"])
    assert found == {
        "mine/ink-wash-v2": ("inkwash", "wet paper"),
        "mine/neon": ("neon sign",),
        twin: (),
        "mine/easy-neg": ("easyneg",),
        "mine/plum": ("<plum>",),
    }


def test_notes_come_along(importing: Importing, place: Path) -> None:
    """What people wrote beside a file stays with it."""
    importing("--yes")

    release = Registry.open(str(place)).state.resolve(AdapterRef.parse("mine/ink-wash-v2@1.0.0"))

    assert release.notes == "use at 0.7"


def test_repeated_import_passes_over(importing: Importing, place: Path, ui: Path) -> None:
    """What is there is known by its bytes; a new file of a taken name gets a name of its own."""
    importing("--yes")
    before = adapters(place)
    lora(ui / "a-new-folder" / "neon.safetensors", seed=9)

    ran = importing("--yes", "--json")

    assert (ran.document["there"], ran.document["published"]) == (5, 1)
    after = adapters(place)
    assert before.items() <= after.items()
    assert len(after) == 6
    assert importing("--yes", "--json").document["there"] == 6


def test_interrupted_import_goes_on(
    importing: Importing, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import that dies in the middle is simply repeated."""
    publish, calls = Registry.publish, iter(range(9))

    def dies(self: Registry, *args: Any, **how: Any) -> Any:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return publish(self, *args, **how)

    with monkeypatch.context() as patched:
        patched.setattr(Registry, "publish", dies)
        assert importing("--yes").code == 130
    assert len(adapters(place)) == 2

    ran = importing("--yes", "--json")

    assert (ran.document["there"], ran.document["published"]) == (2, 3)


def test_clean_folder_exits_zero(tabard: Tabard, place: Path, tmp_path: Path) -> None:
    """Without a broken file all is well."""
    lora(tmp_path / "loras" / "neon.safetensors", seed=2)
    given = ("--namespace", "mine", "--registry", place, "--base", "demo", "--yes")

    assert tabard("import", tmp_path / "loras", *given).code == 0


def test_base_is_read_as_it_is_said(importing: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the words that `tabard check --base` takes, too."""
    profiles: Any = sys.modules["tabard_server.engine.base.profile"]
    read, said = profiles.profile_of, list[Any]()

    def profile_of(base: str, *, asked: Any) -> Any:
        said.append(asked)
        return read(base, asked=asked)

    monkeypatch.setattr(profiles, "profile_of", profile_of)

    importing("--dry-run", "--base-family", "sd1", "--base-zero-snr")

    assert said == [{"prediction": None, "family": "sd1", "is_zero_snr": True}]


def test_server_takes_them_too(tabard: Tabard, tmp_path: Path) -> None:
    """Without a registry at hand the server checks and publishes."""
    (tmp_path / "loras").mkdir()
    for name, body in (("a", b"one style"), ("b", b"BAD"), ("c", b"another style")):
        (tmp_path / "loras" / f"{name}.safetensors").write_bytes(body)

    ran = tabard("import", tmp_path / "loras", "--namespace", "mine", "--yes", "--json")

    assert (ran.code, ran.document["published"], ran.document["refused"]) == (9, 2, 1)
    assert tabard("show", "mine/c@1.0.0").code == 0


@pytest.mark.parametrize(
    "options",
    [
        ("--namespace", "mine"),
        ("--namespace", "Mine!", "--yes"),
        ("--namespace", "mine", "--yes", "--base", "demo"),
        ("--namespace", "mine", "--yes", "--registry", "x"),
        ("--namespace", "mine", "--yes", "--base-family", "sd1"),
        ("x", "--namespace", "mine", "--yes"),
    ],
)
def test_unclear_command_is_refused(tabard: Tabard, ui: Path, options: tuple[str, ...]) -> None:
    """Nothing is published by accident."""
    assert tabard("import", ui, *options).code == 2


@pytest.mark.parametrize(("namespace", "meant"), [("Imp", "Write 'imp'."), ("--", "'_', '-'.")])
def test_wrong_namespace_is_told_as_a_right_one(
    tabard: Tabard, tmp_path: Path, namespace: str, meant: str
) -> None:
    """Where it can be made one."""
    ran = tabard("import", tmp_path, f"--namespace={namespace}")

    assert (ran.code, meant in ran.err) == (2, True)
