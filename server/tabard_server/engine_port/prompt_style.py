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
class ClipBeginning:
    """What CLIP reads of a prompt that a T5 reads whole: one window.

    Attributes:
        token_count: Tokens in it, without begin and end.
        token_total: Tokens of the whole prompt, as CLIP counts them.
        used: Placeholders that occur in it.
        behind: Placeholders that occur only in what is left.
    """

    token_count: int
    token_total: int
    used: frozenset[str]
    behind: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptReading:
    """What a prompt comes to, before anything is encoded.

    Attributes:
        token_count: Tokens without begin and end, as the encoder counts them that bounds it.
        token_limit: The most that fit.
        used: Placeholders that occur in it.
        window_count: Windows that it fills.
        window_limit: The most that it may fill.
        encoder: Which kind of text encoder bounds it.
        windows_max: Most windows that this encoder reads, whatever a request allows.
        clip_beginning: What CLIP reads of it where a T5 reads the whole; None: the same.
    """

    token_count: int
    token_limit: int
    used: frozenset[str]
    window_count: int
    window_limit: int
    encoder: Literal["CLIP", "T5"] = "CLIP"
    windows_max: int = WINDOWS_MAX
    clip_beginning: ClipBeginning | None = None

    @property
    def fits(self) -> bool:
        """Whether it can be encoded whole."""
        return self.window_count <= self.window_limit
