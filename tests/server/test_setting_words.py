# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a value is said in our words, with the nearest right one."""

import json
from typing import Any

import pytest
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tabard_server.errors import BadSettings
from tabard_server.setting_words import what_to_write
from tabard_server.settings import Settings
from tabard_server.settings_sources import load_settings, setting_names


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("torch_threads", "many", "write a whole number"),
        ("torch_threads", -1, "write more than 0"),
        ("limits.steps_max", "1.5", "write a whole number"),
        ("limits.uploads_queue_max", -1, "write 0 or more"),
        ("limits.caller_share_max", 2, "write 1 or less"),
        ("poll_seconds", "often", "write a number"),
        ("poll_seconds", "nan", "write a number that is not infinite"),
        ("insecure", "perhaps", "write true or false"),
        ("cache", "", "write a text of 1 or more characters"),
        ("device", "gpu", "write auto, cpu, cuda or cuda:1, …; did you mean cuda?"),
        ("device", "mps", "write auto, cpu, cuda or cuda:1, …"),
        (
            "dtype",
            "float8",
            "write auto or float16 or bfloat16 or float32 or float64; did you mean float16?",
        ),
        ("log_level", "warn", "write debug or info or warning or error; did you mean warning?"),
        ("base_family", "sd15", "write sd1 or sd2 or sdxl or sd3 or flux; did you mean sd1?"),
        ("defaults.prompt_syntax", "comfy", "write plain or a1111"),
    ],
)
def test_value_is_answered_in_plain_words(name: str, value: object, words: str) -> None:
    """The setting, and what to write in its place."""
    with pytest.raises(BadSettings) as refusal:
        load_settings(overrides={name: value})

    assert (refusal.value.names, refusal.value.hint) == ((name,), words)


@pytest.mark.parametrize(
    ("table", "wrong", "words"),
    [
        (
            {"name": "a", "wieght": 3},
            "tenants, table 2 has no name 'wieght'",
            "did you mean weight?",
        ),
        ({"name": "a", "weight": "b"}, "tenants, table 2, weight is 'b'", "write a number"),
        ({"weight": 2}, "tenants, table 2 lacks name", "write it into the table"),
    ],
)
def test_mistake_in_a_table_is_named(table: dict[str, Any], wrong: str, words: str) -> None:
    """Which table, which of its names, what is there, and what would be right."""
    with pytest.raises(BadSettings) as refusal:
        load_settings(overrides={"tenants": json.dumps([{"name": "b"}, table])})

    assert str(refusal.value).startswith(wrong)
    assert words in refusal.value.hint


def test_text_that_may_be_a_secret_is_not_repeated() -> None:
    """Only of what is a number or one of some words the value is told."""
    with pytest.raises(BadSettings) as refusal:
        load_settings(overrides={"cache": "", "limits.steps_max": 0})

    assert "cache is wrong" in str(refusal.value)
    assert "limits.steps_max is 0" in str(refusal.value)


@pytest.mark.parametrize("name", setting_names())
def test_no_library_speaks(name: str) -> None:
    """Whatever stands in the place of a value, pydantic's own sentence is not told."""
    section, _dot, leaf = name.rpartition(".")
    for value in ([], {"a": 1}, "\0", -1, float("nan"), object):
        settings: dict[str, Any] = {section: {leaf: value}} if section else {name: value}
        for error in _errors(settings):
            words = what_to_write(error, field=None)

            assert "nput should" not in words
            assert words.startswith(("write ", "it is a section", "`tabard config example`"))


def test_section_is_told_as_one() -> None:
    """A value in the place of a whole section."""
    [error] = _errors({"limits": 5})

    assert "section" in what_to_write(error, field=None)


def _errors(settings: dict[str, Any]) -> list[ErrorDetails]:
    try:
        Settings(**settings)
    except ValidationError as error:
        return error.errors()
    except BadSettings:
        pass
    return []
