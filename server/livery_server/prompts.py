# SPDX-License-Identifier: Apache-2.0
"""The words of a request: not empty, not too long, and every taught token used.

In: the prompts without tags, and the pinned stack. Out: a violation for each thing that is wrong.
Counts tokens through the engine's prompt reader; encodes nothing.
"""

from collections.abc import Iterable, Iterator, Mapping

from livery_server.engine_port import PromptReaderLike
from livery_server.errors import Violation
from livery_server.job import JobSpec, Worn
from livery_server.limits import Limits


class PromptChecker:
    """Checks prompts on the asyncio thread, with a reader of its own."""

    def __init__(self, *, reader: PromptReaderLike, limits: Limits) -> None:
        self._reader = reader
        self._limits = limits

    def check_text(self, spec: JobSpec, *, prompt: str) -> list[Violation]:
        """Check what can be seen without a stack.

        Args:
            spec: The request, with its prompts as written.
            prompt: The prompt without tags.
        """
        violations = []
        most = self._limits.prompt_chars_max
        for field, text in (("prompt", spec.prompt), ("negative_prompt", spec.negative_prompt)):
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
        if not prompt and not violations:
            violations.append(
                Violation(
                    field="prompt",
                    description="the prompt is empty",
                    reason="PROMPT_EMPTY",
                    hint="say what to draw, like 'a red circle'; tags alone are not enough",
                )
            )
        return violations

    def check_tokens(
        self, prompt: str, *, negative_prompt: str, worn: Iterable[Worn]
    ) -> list[Violation]:
        """Check lengths in tokens, and that every taught token occurs."""
        owners = {
            tokens.token: (one, tokens.count) for one in worn for tokens in one.release.tokens
        }
        counts = {token: count for token, (_one, count) in owners.items()}
        used: frozenset[str] = frozenset()
        violations = []
        for field, text in (("prompt", prompt), ("negative_prompt", negative_prompt)):
            reading = self._reader.read(text, counts)
            used |= reading.used
            if reading.token_count > reading.token_limit:
                violations.append(
                    Violation(
                        field=field,
                        description=f"{field} has {reading.token_count} tokens, this base takes "
                        f"{reading.token_limit}",
                        reason="PROMPT_TOO_LONG",
                        hint=f"shorten it to {reading.token_limit} tokens; nothing is cut off",
                    )
                )
        return [*violations, *_unused({t: o for t, (o, _) in owners.items()}, used=used)]


def _unused(owners: Mapping[str, Worn], *, used: frozenset[str]) -> Iterator[Violation]:
    for token, one in owners.items():
        if token not in used:
            yield Violation(
                field="prompt",
                description=f"{one.release.adapter} teaches {token!r}, which neither prompt uses",
                reason="TOKEN_NOT_USED",
                hint=f"write {token} where its subject belongs, or leave the adapter out",
            )
