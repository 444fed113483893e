# SPDX-License-Identifier: Apache-2.0
"""How prompts are read: an existing style is a possible one."""

import pytest

from tabard_server.engine_port.prompt_style import PLAIN, PROMPT_SYNTAXES, WINDOWS_MAX, PromptStyle


def test_plain_is_as_the_base_was_trained() -> None:
    """Every character is text, in one window."""
    assert (PLAIN.syntax, PLAIN.windows_max) == ("plain", 1)
    assert PromptStyle() == PLAIN


@pytest.mark.parametrize("syntax", PROMPT_SYNTAXES)
def test_every_syntax_makes_a_style(syntax: str) -> None:
    """As many windows as there may be."""
    style = PromptStyle(syntax=syntax, windows_max=WINDOWS_MAX)  # type: ignore[arg-type]

    assert style.windows_max == WINDOWS_MAX


@pytest.mark.parametrize(
    "changes", [{"syntax": "compel"}, {"windows_max": 0}, {"windows_max": WINDOWS_MAX + 1}]
)
def test_impossible_style_is_not_made(changes: dict[str, object]) -> None:
    """No syntax that nobody reads, no window that nobody encodes."""
    with pytest.raises(AssertionError):
        PromptStyle(**changes)  # type: ignore[arg-type]
