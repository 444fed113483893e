# SPDX-License-Identifier: Apache-2.0
"""`tabard config`: what is shown, checked and written is what a server would start with."""

import re
import sys
import tomllib
from pathlib import Path

import pytest
from pydantic import SecretStr

from tabard_server import settings_sources
from tabard_server.settings import Settings
from tabard_server.settings_sources import load_settings, setting_names
from tests.clients.cli.conftest import Tabard


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the environment say nothing of its own."""
    monkeypatch.delenv("TABARD_REGISTRY", raising=False)


def uncommented(text: str) -> str:
    """Return an example with every default said."""
    return re.sub(r"^#(?=\w+ = (?!unset$))", "", text, flags=re.MULTILINE)


def test_show_tells_every_setting(tabard: Tabard) -> None:
    """As text and as JSON: name, value, source, meaning."""
    names = set(setting_names())

    text, document = tabard("config", "show"), tabard("config", "show", "--json").document

    assert text.code == 0
    assert {line.split()[0] for line in text.out.splitlines() if line[0] != " "} >= names
    assert {one["name"] for one in document} == names
    assert all(one["meaning"] and one["source"] == "default" for one in document)


def test_show_names_sources(
    tabard: Tabard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File, variable, flag; later ones win."""
    file = tmp_path / "tabard.toml"
    file.write_text('base = "file"\ndevice = "cpu"\n[limits]\nsteps_max = 70\n')
    monkeypatch.setenv("TABARD_DEVICE", "cuda:1")

    ran = tabard("config", "show", file, "--set", "limits.steps_max=90", "--json")

    told = {one["name"]: (one["value"], one["source"]) for one in ran.document}
    assert told["base"] == ("file", f"file {file}")
    assert told["device"] == ("cuda:1", "variable TABARD_DEVICE")
    assert told["limits.steps_max"] == (90, "flag")


@pytest.mark.parametrize("is_json", [True, False])
def test_show_masks_secrets(tabard: Tabard, monkeypatch: pytest.MonkeyPatch, is_json: bool) -> None:
    """A secret setting, and the password within an address."""

    class Guarded(Settings):
        password: SecretStr = SecretStr("")
        """What opens the door."""

    monkeypatch.setattr(settings_sources, "Settings", Guarded)
    monkeypatch.setenv("TABARD_PASSWORD", "hunter2")
    monkeypatch.setenv("TABARD_REGISTRY", "https://ann:hunter2@store/styles")

    ran = tabard("config", "show", *["--json"] * is_json)

    assert ran.code == 0
    assert "hunter2" not in ran.out + ran.err
    assert ran.out.count("**********") == 2
    assert "variable TABARD_PASSWORD" in ran.out


def test_example_names_every_setting(tabard: Tabard) -> None:
    """With its meaning above it and its default behind it."""
    text = tabard("config", "example").out

    for one in settings_sources.explain_settings():
        leaf = one.name.rpartition(".")[2]
        said = re.search(rf"(?:^# .+\n)+^#{leaf} = .+$", text, flags=re.MULTILINE)
        assert said, one.name
        assert one.meaning.split()[0] in said.group()


def test_example_is_accepted(tabard: Tabard, tmp_path: Path) -> None:
    """As it is, saying nothing; and with every default written out, which changes nothing."""
    file = tmp_path / "tabard.toml"
    text = tabard("config", "example").out

    said_by_default = len(setting_names()) - text.count("= unset")

    for content, said in ((text, 0), (uncommented(text), said_by_default)):
        file.write_text(content, encoding="utf-8")
        checked = tabard("config", "check", file, "--json")
        assert (checked.code, checked.document) == (0, {"accepted": True, "settings_said": said})
        assert load_settings(file=file) == Settings()


def test_example_is_one_document_of_json(tabard: Tabard) -> None:
    """The same file as a string."""
    document = tabard("config", "example", "--json").document

    assert set(tomllib.loads(uncommented(document["toml"]))) >= {"listen", "limits", "defaults"}


def test_check_offers_near_name(tabard: Tabard, tmp_path: Path) -> None:
    """Exit code 4, the file and the name that was meant."""
    file = tmp_path / "tabard.toml"
    file.write_text("[limits]\nsteps_mx = 3\n")

    ran = tabard("config", "check", file)

    assert ran.code == 4
    assert f"limits.steps_mx (in {file})" in ran.err
    assert "hint: did you mean limits.steps_max?" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("absent.toml",), 4, "absent.toml"),
        (("--set", "listen=0.0.0.0:1"), 4, "reason: INSECURE_LISTEN"),
        (("--set", "limits.steps_max=many"), 4, "limits.steps_max is 'many' (flag)"),
        (("--set", "limits.steps_max"), 2, "is not NAME=VALUE"),
        (("--set", "listen=127.0.0.1:0"), 0, ""),
    ],
)
def test_check_says_whether_it_would_start(
    tabard: Tabard, arguments: tuple[str, ...], code: int, told: str
) -> None:
    """With the exit code of `tabard serve` and its words, and nothing is started."""
    ran = tabard("config", "check", *arguments)

    assert ran.code == code
    assert told in ran.err


def test_check_tells_all_that_serve_would_refuse(tabard: Tabard, tmp_path: Path) -> None:
    """Four mistakes of a file at once, and with the words of `tabard serve`."""
    file = tmp_path / "tabard.toml"
    file.write_text('dtype = "float8"\ndevice = "gpu"\nbase = "nope"\nregistry = "htp://x"\n')

    checked, served = tabard("config", "check", file), tabard("serve", "--config", file)

    assert (checked.code, checked.out) == (4, "")
    for words in (
        "dtype: write auto or float16",
        "no device is called 'gpu'",
        "the base 'nope' is neither",
        "no store for 'htp://x'",
    ):
        assert words in checked.err
    assert (served.code, served.err) == (checked.code, checked.err)


def test_check_hears_the_environment(tabard: Tabard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong variable would stop a server, whatever the file says."""
    monkeypatch.setenv("TABARD_INSECURE", "perhaps")

    ran = tabard("config", "check")

    assert ran.code == 4
    assert "variable TABARD_INSECURE" in ran.err


@pytest.mark.parametrize("word", ["show", "check", "example"])
@pytest.mark.parametrize("absent", ["tabard_server.settings_sources", "pydantic_settings"])
def test_missing_extra_is_named(
    tabard: Tabard, monkeypatch: pytest.MonkeyPatch, word: str, absent: str
) -> None:
    """A base install says what to install."""
    monkeypatch.delitem(sys.modules, "tabard_server.settings_sources")
    monkeypatch.setitem(sys.modules, absent, None)

    ran = tabard("config", word)

    assert ran.code == 5
    assert absent in ran.err
    assert "hint: pip install 'tabard[server]'" in ran.err
