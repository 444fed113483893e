# SPDX-License-Identifier: Apache-2.0
"""Help knows every command without importing one, and says what each says of itself."""

import sys
from types import ModuleType
from typing import Any

import click
import pytest
from click.testing import CliRunner

from tabard.cli.commands.release.key import key
from tabard.cli.lazy_group import CommandGroup, LazyGroup
from tabard.cli.program import commands


@pytest.mark.parametrize("group", [commands, key], ids=lambda group: str(group.name))
def test_tables_say_what_commands_say(group: LazyGroup) -> None:
    """The sentence in a folder's table is the first one of the command's own help."""
    told = {name: one.get_short_help_str(999) for name, one in group.commands.items()}

    found = {name: group.loaded(name).get_short_help_str(999) for name in group.commands}

    assert told == found


@pytest.mark.parametrize("group", [commands, key], ids=lambda group: str(group.name))
def test_commands_have_their_own_names(group: LazyGroup) -> None:
    """An underscore behind a word of Python's is not part of a name."""
    assert {name: group.loaded(name).name for name in group.commands} == {
        name: name for name in group.commands
    }


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> LazyGroup:
    """A group of one command, whose module says that it was run."""
    folder: Any = ModuleType("some_folder")
    folder.COMMANDS = {"import": "Import what there is."}
    module: Any = ModuleType("some_folder.import_")
    module.import_ = click.Command("import", callback=lambda: click.echo("imported"))
    monkeypatch.setitem(sys.modules, "some_folder", folder)
    monkeypatch.setitem(sys.modules, "some_folder.import_", module)
    return LazyGroup("some", folders=("some_folder",))


def test_command_is_found_in_its_file(group: LazyGroup) -> None:
    """And run as any other."""
    assert CliRunner().invoke(group, ["import"]).output == "imported\n"


def test_help_needs_no_command(group: LazyGroup, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though its module cannot be imported at all."""
    monkeypatch.setitem(sys.modules, "some_folder.import_", None)

    ran = CliRunner().invoke(group, ["--help"])

    assert (ran.exit_code, "import  Import what there is." in ran.output) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("pubish",), "Did you mean 'publish'?"),
        (("key", "trsut"), "Did you mean 'trust'?"),
        (("key", "sgn"), "Did you mean 'tabard sign'?"),
        (("config", "chek"), "Did you mean 'check'?"),
        (("config", "set"), "There are: check, example, show."),
        (("zzzz",), "There are: backup, canary, check, checkpoint, choose,"),
    ],
    ids=" ".join,
)
def test_unknown_command_names_the_nearest(arguments: tuple[str, ...], meant: str) -> None:
    """At every level; where none is near, those that there are."""
    ran = CliRunner().invoke(commands, arguments, prog_name="tabard")

    assert (ran.exit_code, meant in ran.output) == (2, True)
    assert f"No such command '{arguments[-1]}'. " in ran.output


def test_every_group_knows_what_was_meant() -> None:
    """None is a plain group of click's, whose help would cut sentences, too."""
    below = [commands.loaded(name) for name in commands.commands]

    groups = [one for one in (commands, *below) if isinstance(one, click.Group)]

    assert len(groups) >= 3
    assert all(isinstance(one, CommandGroup) for one in groups)


def test_help_of_groups_cuts_no_sentence() -> None:
    """Each is read to its end."""
    ran = CliRunner().invoke(commands, ["config", "--help"], prog_name="tabard")

    assert "..." not in ran.output.partition("Commands:")[2]


@pytest.mark.parametrize(
    ("arguments", "place"),
    [(("-v", "list"), "tabard COMMAND -v."), (("key", "--json", "list"), "key COMMAND --json.")],
    ids=" ".join,
)
def test_option_before_its_command_is_told_its_place(
    arguments: tuple[str, ...], place: str
) -> None:
    """Groups have no options but that for help."""
    ran = CliRunner().invoke(commands, arguments, prog_name="tabard")

    assert (ran.exit_code, place in ran.output) == (2, True)
