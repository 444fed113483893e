# SPDX-License-Identifier: Apache-2.0
"""How prompts are read, and what one comes to. Frozen values; imports next to nothing."""

from dataclasses import dataclass
from typing import Literal, get_args

PromptSyntax = Literal["plain", "a1111"]
"""How a prompt may be read. `plain`: every character is text. `a1111`: brackets weigh."""
PROMPT_SYNTAXES: tuple[PromptSyntax, ...] = get_args(PromptSyntax)
"""All of them."""
TokenMatch = Literal["whole", "anywhere"]
"""Where a taught word counts. `whole`: as a word of its own. `anywhere`: in longer words too."""
TOKEN_MATCHES: tuple[TokenMatch, ...] = get_args(TokenMatch)
"""All of them."""
WINDOWS_MAX = 4
"""Most windows that a prompt may have, however it is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptStyle:
    """How prompts are read.

    Attributes:
        syntax: What brackets mean.
        windows_max: Windows of the text encoder that a prompt may fill; 1 as it was trained.
        token_match: Where taught words count.
    """

    syntax: PromptSyntax = "plain"
    windows_max: int = 1
    token_match: TokenMatch = "whole"

    def __post_init__(self) -> None:
        assert self.syntax in PROMPT_SYNTAXES
        assert 1 <= self.windows_max <= WINDOWS_MAX
        assert self.token_match in TOKEN_MATCHES


PLAIN = PromptStyle()


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptReading:
    """What a prompt comes to, before anything is encoded.

    Attributes:
        token_count: Tokens without begin and end.
        token_limit: The most that fit.
        used: Placeholders that occur in it.
        window_count: Windows that it fills.
        window_limit: The most that it may fill.
    """

    token_count: int
    token_limit: int
    used: frozenset[str]
    window_count: int
    window_limit: int

    @property
    def fits(self) -> bool:
        """Whether it can be encoded whole."""
        return self.window_count <= self.window_limit
