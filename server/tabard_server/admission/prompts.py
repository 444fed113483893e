# SPDX-License-Identifier: Apache-2.0
"""The words of a request: well written, not too long, and every taught token used.

In: the prompts without tags, and the pinned stack. Out: a violation for each thing that is wrong.
Counts tokens through the engine's prompt reader; encodes nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from tabard_server.engine_port.drawing import Drawing, WantedDrawing
from tabard_server.engine_port.errors import EngineError
from tabard_server.engine_port.port import PromptReaderLike
from tabard_server.engine_port.prompt_style import (
    PROMPT_SYNTAXES,
    TOKEN_MATCHES,
    PromptReading,
    PromptStyle,
)
from tabard_server.engine_port.work import Work
from tabard_server.errors import InvalidRequest, Violation, invalid
from tabard_server.jobs.job import SamplingWarning, Worn
from tabard_server.limits import Limits
from tabard_server.settings import Defaults

_SYNTAXES = {str(syntax): syntax for syntax in PROMPT_SYNTAXES}
_MATCHES = {str(match): match for match in TOKEN_MATCHES}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadWords:
    """What the prompts of a request come to.

    Attributes:
        windows: Windows that the longest one fills.
        violations: Everything that is wrong with them.
        away: Taught words that only the negative prompt uses.
        warnings: What of them a text encoder does not read, which another reads.
    """

    windows: int
    violations: list[Violation]
    away: frozenset[str]
    warnings: tuple[SamplingWarning, ...] = ()


class PromptChecker:
    """Checks prompts in the thread of admission, with a reader of its own."""

    def __init__(
        self,
        *,
        reader: PromptReaderLike,
        limits: Limits,
        defaults: Defaults,
        work: Callable[[], Work] = Work,
    ) -> None:
        """Take the reader, the bounds, what requests say by default, and what encoding takes."""
        self._reader = reader
        self._limits = limits
        self._defaults = defaults
        self._work = work

    def style_of(self, wanted: WantedDrawing) -> tuple[PromptStyle, list[Violation]]:
        """Return how the prompts of a request are read, and what is wrong with that.

        Who says no number of windows gets one in plain syntax, as the base was trained, and all
        that are allowed in A1111's, where people expect that a long prompt simply works.
        """
        violations: list[Violation] = []
        most = self._limits.prompt_windows_max
        name = wanted.prompt_syntax or self._defaults.prompt_syntax
        syntax = _SYNTAXES.get(name)
        if syntax is None:
            violations += _unknown("prompt_syntax", name, among=PROMPT_SYNTAXES).violations
            syntax = "plain"
        match_name = wanted.token_match or self._defaults.token_match
        match = _MATCHES.get(match_name)
        if match is None:
            violations += _unknown("token_match", match_name, among=TOKEN_MATCHES).violations
            match = "whole"
        windows = wanted.prompt_windows_max
        if windows is None:
            windows = most if syntax == "a1111" else 1
        if not 1 <= windows <= most:
            violations += invalid(
                "prompt_windows_max",
                f"prompt_windows_max {windows} is not from 1 to {most}",
                reason="PROMPT_WINDOWS_OUT_OF_RANGE",
                hint=f"use 1 to {most} (limits.prompt_windows_max)",
            ).violations
            windows = most
        return PromptStyle(syntax=syntax, windows_max=windows, token_match=match), violations

    def check_text(self, wanted: WantedDrawing) -> list[Violation]:
        """Check what can be seen without a stack; an empty prompt is one."""
        violations = []
        most = self._limits.prompt_chars_max
        for field, text in _texts(wanted):
            if len(text) > most:
                violations.append(
                    Violation(
                        field=field,
                        description=f"{field} has {len(text)} characters, at most {most}",
                        reason="PROMPT_TOO_LONG",
                        hint="shorten it (limits.prompt_chars_max)",
                    )
                )
            elif "\0" in text:
                violations.append(
                    Violation(
                        field=field,
                        description=f"{field} holds a NUL character",
                        reason="PROMPT_INVALID",
                        hint="send plain text",
                    )
                )
        return violations

    def read_words(
        self, drawing: Drawing, *, worn: Iterable[Worn], may_lack_words: bool = False
    ) -> ReadWords:
        """Read the prompts of a picture and of its regions.

        They are written in their syntax, not too long, and every taught token occurs, unless it is
        said that it may be lacking.
        """
        owners = {
            tokens.token: (one, tokens.count) for one in worn for tokens in one.release.tokens
        }
        counts = {token: count for token, (_one, count) in owners.items()}
        used: dict[str, frozenset[str]] = {}
        behind: dict[str, int] = {}
        violations: list[Violation] = []
        warnings: list[SamplingWarning] = []
        windows = 1
        for field, text in _texts(drawing):
            try:
                reading = self._reader.read(text, counts, drawing.style)
            except EngineError as error:
                violations += invalid(
                    field, str(error), reason=error.reason, hint=error.hint
                ).violations
                used[field] = frozenset(counts)
                continue
            used[field] = reading.used
            windows = max(windows, reading.window_count)
            if not reading.fits:
                violations.append(self._too_long(field, reading))
            warnings += _unread(field, reading)
            beginning = reading.clip_beginning
            behind |= dict.fromkeys(beginning.behind, beginning.token_count) if beginning else {}
        texts = " ".join(text for _field, text in _texts(drawing))
        owned = {token: owner for token, (owner, _) in owners.items()}
        unused = (
            []
            if may_lack_words
            else _unused(owned, used=frozenset().union(*used.values()), behind=behind, texts=texts)
        )
        slow = self._too_slow(drawing, windows=windows)
        return ReadWords(
            windows=windows,
            violations=[*violations, *unused, *slow],
            away=used.pop("negative_prompt").difference(*used.values()),
            warnings=tuple(warnings),
        )

    def _too_slow(self, drawing: Drawing, *, windows: int) -> Iterator[Violation]:
        """Refuse words that would hold the engine up; one window of each prompt never does."""
        work, each = self._work(), drawing.samples * self._work().text_window_seconds
        most = work.bound(self._limits.step_seconds_max)
        if windows > 1 and windows * each > most:
            yield Violation(
                field="prompt",
                description=f"prompts of {windows} windows take about {windows * each:.1f} s here, "
                f"in which nobody else is served, above {most:.1f} s",
                reason="PROMPT_TOO_SLOW",
                hint=f"shorten them to {max(1, int(most / each))} windows "
                "(limits.step_seconds_max)",
            )

    def _too_long(self, field: str, reading: PromptReading) -> Violation:
        needed, allowed = reading.window_count, reading.window_limit
        size = reading.token_limit // allowed
        most = min(self._limits.prompt_windows_max, reading.windows_max)
        what = f"{field} has {reading.token_count} tokens as {reading.encoder} counts them,"
        if needed <= most:
            hint = f"shorten it, or allow it windows: prompt_windows_max={needed}"
        else:
            hint = f"shorten it to {size * most} tokens"
            if allowed < most:
                hint += f", and allow it windows: prompt_windows_max={most}"
        return Violation(
            field=field,
            description=f"{what} in {needed} windows of {size}, and may fill {allowed}",
            reason="PROMPT_TOO_LONG",
            hint=f"{hint}; nothing is cut off",
        )


def _texts(drawing: Drawing | WantedDrawing) -> tuple[tuple[str, str], ...]:
    if isinstance(drawing, WantedDrawing):
        own = [one.prompt for one in drawing.regions]
    else:
        own = [
            one.prompt if one.has_own_prompt else None for one in drawing.regions if one.is_named
        ]
    return (
        ("prompt", drawing.prompt),
        ("negative_prompt", drawing.negative_prompt),
        *((f"regions[{i}].prompt", text) for i, text in enumerate(own) if text is not None),
    )


def _unknown(field: str, name: str, *, among: tuple[str, ...]) -> InvalidRequest:
    return invalid(
        field,
        f"no {field.replace('_', ' ')} is called {name!r}",
        reason=f"{field.upper()}_UNKNOWN",
        hint=f"choose one of: {', '.join(among)}",
    )


def _unread(field: str, reading: PromptReading) -> Iterator[SamplingWarning]:
    """Tell of what CLIP leaves of a text that a T5 reads whole."""
    beginning = reading.clip_beginning
    if beginning is not None and beginning.token_count < beginning.token_total:
        yield SamplingWarning(
            release="",
            field=field,
            message=f"CLIP reads the first {beginning.token_count} of its {beginning.token_total} "
            "tokens; T5 reads the whole text",
        )


def _unused(
    owners: Mapping[str, Worn],
    *,
    used: frozenset[str],
    behind: Mapping[str, int],
    texts: str,
) -> Iterator[Violation]:
    """Refuse what would change nothing; layers act without the word that came with them."""
    for token, one in owners.items():
        if token not in used and token in behind:
            yield Violation(
                field="prompt",
                description=f"{one.release.adapter} teaches {token!r} to CLIP, which reads "
                f"{behind[token]} tokens of this prompt and does not come to it",
                reason="TOKEN_NOT_USED",
                hint=f"write {token} nearer to the beginning",
            )
        elif token not in used and token in texts:
            yield Violation(
                field="prompt",
                description=f"{one.release.adapter} teaches {token!r}, which the prompts have only "
                "within longer words",
                reason="TOKEN_NOT_USED",
                hint=f"write {token} as a word of its own, or say token_match=anywhere",
            )
        elif token not in used and one.release.kind == "textual_inversion":
            yield Violation(
                field="prompt",
                description=f"{one.release.adapter} teaches {token!r}, which neither prompt uses",
                reason="TOKEN_NOT_USED",
                hint=f"write {token} where its subject belongs, or leave the adapter out",
            )
