# SPDX-License-Identifier: Apache-2.0
"""Words of others in every field of a real registry, and every command that prints them."""

import contextlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from tabard.cli import run
from tabard_registry import (
    AdapterName,
    AdapterRef,
    Author,
    Key,
    Registry,
    ReleaseDraft,
    Version,
    check,
)
from tabard_registry.trust.signatures import new_key_pair
from tabard_server.engine.base.profile import profile_of
from tests.e2e.conftest import RunningServer, run_server

STEERING = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
    "\U000e0020-\U000e007f]"
)
TAKEN = "[red]x[/red]\u202egpj\u2066\u2028fake: line\u200b\U000e0041\ufeff"
"""What a door still takes, since text in other scripts needs some of it."""
OLD = f"{TAKEN}\x1b[2J\x1b]0;title\x07\x9b31m\x7f\rover\b"
"""What a log may hold that was written before doors refused it."""
LINES = f"{OLD}\nerror: not an error"
NAME = AdapterName("acme", "ink")
DOORS = ("acts.author", "acts.keys", "release.words")


@pytest.fixture(scope="module")
def hostile_file(tiny_files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good adapter whose name and metadata steer terminals."""
    file = tmp_path_factory.mktemp("files") / "a\x1b[31m\n\u202e[red].safetensors"
    tensors = load_file(tiny_files["kohya"])
    words = {"ss_output_name": OLD, "modelspec.title": OLD, "modelspec.author": OLD}
    save_file(tensors, file, metadata={**words, "ss_base_model_version": OLD})
    return file


@pytest.fixture(scope="module")
def server(
    tiny_base: Path, hostile_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """A server on a registry in which every field of free text is hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        for door in DOORS:
            patch.setattr(f"tabard_registry.{door}.check_text", lambda *_a, **_k: None)
        fill((folder / "registry").as_uri(), file=hostile_file, base=tiny_base)
    with run_server(
        folder,
        base=tiny_base,
        is_forked=True,
        log_format="text",
        log_level="debug",
        log_prompts="true",
    ) as running:
        yield running


def fill(url: str, *, file: Path, base: Path) -> None:
    """Write one act of every kind, as somebody could before there were doors."""
    checked = check([file], profile=profile_of(str(base)))
    author = Author(actor=f"mallory {OLD}", reason=LINES)
    with contextlib.closing(Registry.open(url)) as registry:
        for version in ("1.0.0", "1.1.0", "1.2.0"):
            draft = ReleaseDraft(
                adapter=NAME,
                version=Version.parse(version),
                notes=f"{version} {LINES}",
                licence=OLD,
                title=OLD,
                trigger_words=(OLD,),
            )
            registry.publish(draft, checked=checked, files=[file], author=author)
        refs = [AdapterRef.parse(f"acme/ink@{version}") for version in ("1.0.0", "1.1.0", "1.2.0")]
        for ref in refs[:2]:
            registry.promote(ref, channel="stable", author=author)
        registry.roll_back(NAME, channel="stable", author=author)
        registry.yank(refs[1], author=author)
        registry.quarantine(refs[2], author=author)
        key = Key(namespace="acme", public_key=new_key_pair().public_key, name=OLD)
        registry.trust_key(key, author=author)


COMMANDS = (
    ("list",),
    ("show", "acme/ink"),
    ("show", "acme/ink@1.0.0"),
    ("show", "acme/ink@1.2.0"),
    ("history",),
    ("history", "acme/ink", "--at", "2100-01-01T00:00:00Z"),
    ("search", "ink"),
    ("watch", "--from", "1", "--count", "9"),
    ("key", "list", "acme"),
    ("status",),
    ("warm", "acme/ink"),
    ("promote", "acme/ink@1.2.0"),
    ("show", "acme/\x1b[2J\nnothing"),
    ("history", "a\u202eb"),
    ("nothing\x1b[2J",),
    ("show", "--nothing\x9b31m"),
    ("pull", "acme/ink@1.0.0", "--out", "{tmp}/pulled\x1b[2J"),
    ("publish", "acme/ink", "{file}", "--version", "2.0.0", "--notes", LINES),
    ("publish", "acme/ink", "{file}", "--version", "2.0.0", "--notes", TAKEN, "--reason", TAKEN),
    ("publish", "acme/ink", "{tmp}/\x1b[2Jnot there", "--version", "2.0.0"),
    ("yank", "acme/ink@1.0.0", "--reason", f"{OLD}"),
    ("yank", "acme/ink@1.0.0", "--reason", f"{TAKEN}"),
    ("check", "{file}"),
    ("check", "{broken}"),
    ("import", "{folder}", "--namespace", "mine", "--dry-run"),
    ("generate", "a \x1b[2J picture", "--adapter", "acme/ink@1.2.0", "--out", "{tmp}"),
    ("generate", "a <lora:\x1b[2J>", "--adapter", "acme/\x1b[2J", "--out", "{tmp}"),
    ("fsck", "{url}"),
    ("doctor", "{url}"),
    ("doctor", "{tmp}/\x1b[2J\u202e"),
    ("gc", "{url}"),
    ("checkpoint", "{url}"),
    ("backup", "{url}", "{tmp}/copy\x1b[2J.tar"),
    ("config", "show", "--set", "base=\x1b[2J"),
    ("config", "show", "--set", "\x1b[2J=1"),
)


@pytest.mark.parametrize("is_json", [False, True], ids=["text", "json"])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: ascii(" ".join(one[:2])))
def test_no_command_steers_the_terminal(
    command: tuple[str, ...],
    is_json: bool,
    server: RunningServer,
    hostile_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """On neither stream, whatever it says and however it ends; what is JSON stays JSON."""
    monkeypatch.setenv("TABARD_ADDRESS", server.address)
    monkeypatch.setenv("TABARD_ACTOR", f"mallory {TAKEN}")
    folder = tmp_path / "ui\x1b[2J"
    folder.mkdir()
    shutil.copy(hostile_file, folder)
    broken = tmp_path / "broken\x1b[2J\u202e.safetensors"
    broken.write_bytes(b"\x08\0\0\0\0\0\0\0{\x1b[2J\x9b}")
    places = {
        "{tmp}": tmp_path,
        "{file}": hostile_file,
        "{broken}": broken,
        "{folder}": folder,
        "{url}": server.registry.as_uri(),
    }
    arguments = list(command)
    for place, path in places.items():
        arguments = [one.replace(place, str(path)) for one in arguments]

    run([*arguments, *(["--json"] if is_json else [])])

    told = capfd.readouterr()
    assert told.out or told.err
    assert not STEERING.search(told.out + told.err)
    if is_json and told.out:
        documents = told.out.splitlines() if command[0] == "watch" else [told.out]
        assert [json.loads(one) for one in documents]


def test_words_are_there_though_escaped(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The commands above do print them: JSON exactly, text as escapes, markup as it stands."""
    monkeypatch.setenv("TABARD_ADDRESS", server.address)

    run(["history", "--json"])
    document = json.loads(capfd.readouterr().out)
    run(["show", "acme/ink@1.0.0"])
    text = capfd.readouterr().out

    reasons = [act["reason"] for record in document["records"] for act in record["actions"]]
    assert LINES in reasons
    assert r"[red]x[/red]\u202egpj" in text
    assert "\nerror: not an error" not in text


def test_no_log_line_steers_the_terminal(server: RunningServer) -> None:
    """Nor does what the server wrote of all that."""
    log = server.log.read_bytes().decode()

    assert "registry.act" in log
    assert r"[red]x[/red]\u202egpj" in log
    assert not STEERING.search(log)
