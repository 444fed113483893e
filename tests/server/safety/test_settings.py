# SPDX-License-Identifier: Apache-2.0
"""The settings of the safety classifier: off unless named, and nothing of it without the rest."""

from pathlib import Path

import pytest

from tabard_server.errors import BadSettings
from tabard_server.settings_sources import load_settings
from tests.server.safety.classifiers import safety

TABLE = """
[safety]
path = "/models/eye"
policy = "blur"
[[safety.labels]]
label = "nsfw"
[[safety.labels]]
label = "gore"
threshold = 0.9
"""


def test_labels_are_tables(tmp_path: Path) -> None:
    """Of a variable they are JSON, and mean the same."""
    file = tmp_path / "tabard.toml"
    file.write_text(TABLE)

    of_file = load_settings(file=file).safety
    of_variables = load_settings(
        environment={
            "TABARD_SAFETY_PATH": "/models/eye",
            "TABARD_SAFETY_POLICY": "blur",
            "TABARD_SAFETY_LABELS": '[{"label": "nsfw"}, {"label": "gore", "threshold": 0.9}]',
        }
    ).safety

    assert of_file == of_variables == safety("blur")


def test_nothing_said_looks_at_nothing() -> None:
    """It is off unless a model is named."""
    assert not load_settings().safety.is_on


@pytest.mark.parametrize(("policy", "hides"), [("flag", False), ("blur", True), ("withhold", True)])
def test_previews_hide_what_the_image_may(policy: str, hides: bool) -> None:
    """What is only flagged is shown anyway."""
    assert safety(policy).hides_previews is hides
    assert not safety(policy, path="", labels=()).hides_previews


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"TABARD_SAFETY_PATH": "/x"}, "safety.labels"),
        ({"TABARD_SAFETY_LABELS": '[{"label": "nsfw"}]'}, "safety.path"),
        (
            {
                "TABARD_SAFETY_PATH": "/x",
                "TABARD_SAFETY_LABELS": '[{"label": "a"}, {"label": "a", "threshold": 0.1}]',
            },
            "safety.labels",
        ),
        (
            {
                "TABARD_SAFETY_PATH": "/x",
                "TABARD_SAFETY_LABELS": '[{"label": "a", "threshold": 0}]',
            },
            "safety.labels",
        ),
    ],
)
def test_half_of_it_is_refused(said: dict[str, str], name: str) -> None:
    """By the name of what is missing or wrong."""
    with pytest.raises(BadSettings) as refusal:
        load_settings(environment=said)

    assert refusal.value.names[0].startswith(name)
    assert refusal.value.hint
