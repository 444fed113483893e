# SPDX-License-Identifier: Apache-2.0
"""The settings of encoders: said in a file or a variable, and refused when they make no sense."""

from pathlib import Path

import pytest

from tabard_server.encoders.settings import EncoderSettings
from tabard_server.errors import BadSettings
from tabard_server.settings_sources import load_settings

TABLE = '[[encoders]]\nname = "dino"\nkind = "subject"\npath = "/models/dino"\n'
AS_JSON = '[{"name": "dino", "kind": "subject", "path": "/models/dino"}]'


def test_encoders_are_tables(tmp_path: Path) -> None:
    """Of a variable they are JSON, and mean the same."""
    file = tmp_path / "tabard.toml"
    file.write_text(TABLE)

    of_file = load_settings(file=file).encoders
    of_variable = load_settings(environment={"TABARD_ENCODERS": AS_JSON}).encoders

    wanted = EncoderSettings(name="dino", kind="subject", path="/models/dino")
    assert of_file == of_variable == (wanted,)
    assert (wanted.format, wanted.device) == ("auto", "cpu")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ('"kind": "taste"', "write style or subject or copy"),
        ('"kind": "style", "format": "clp"', "did you mean clip?"),
        ('"kind": "style", "pth": "x"', "did you mean path?"),
        ('"kind": "style", "device": "cuda"', "write cpu or engine"),
    ],
)
def test_wrong_words_are_refused(said: str, words: str) -> None:
    """With what to write instead."""
    text = f'[{{"name": "x", "path": "/x", {said}}}]'

    with pytest.raises(BadSettings) as refusal:
        load_settings(environment={"TABARD_ENCODERS": text})

    assert words in refusal.value.hint


def test_captured_graphs_have_the_device_alone() -> None:
    """Nothing else may run there while one is captured."""
    table = AS_JSON.replace('"kind"', '"device": "engine", "kind"')

    with pytest.raises(BadSettings, match="captured") as refusal:
        load_settings(environment={"TABARD_ENCODERS": table, "TABARD_COMPILED": "true"})

    assert set(refusal.value.names) == {"encoders", "compiled"}
