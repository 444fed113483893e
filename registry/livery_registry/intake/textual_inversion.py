# SPDX-License-Identifier: Apache-2.0
"""The textual-inversion dialect: one tensor of vectors, its key the placeholder token."""

from __future__ import annotations

from livery_registry.intake.dialect import Context, Reading
from livery_registry.intake.header import TensorFile
from livery_registry.report import CheckedToken, Problem

COMPONENT = "text_encoder"
"""The text encoder that a file with one tensor is for."""

_NAMELESS = frozenset({"emb_params"})
_FAMILY_OF_WIDTH = {768: "sd1", 1024: "sd2", 1280: "sdxl (second encoder)"}


class TextualInversion:
    """Implements `Dialect`."""

    name = "textual_inversion"

    def claimed(self, file: TensorFile) -> frozenset[str]:
        """Claim the only tensor of a file when it is a vector or a list of vectors."""
        if len(file.tensors) != 1:
            return frozenset()
        key, entry = next(iter(file.tensors.items()))
        is_vectors = len(entry.shape) in (1, 2) and not key.endswith((".weight", ".bias", ".alpha"))
        return frozenset({key}) if is_vectors else frozenset()

    def read(self, file: TensorFile, *, context: Context) -> Reading:
        """Name the token, and check width, number and values of its vectors."""
        key, entry = next(iter(file.tensors.items()))
        token = _token(key, trigger_words=context.trigger_words)
        count = 1 if len(entry.shape) == 1 else entry.shape[0]
        problems = (
            *_token_problems(token, key=key, context=context),
            *_vector_problems(file, key, width=entry.shape[-1], count=count, context=context),
        )
        if token is None or problems:
            return Reading(problems=problems)
        found = CheckedToken(token=token, component=COMPONENT, count=count, source=file, key=key)
        return Reading(tokens=(found,), applied=frozenset({key}))


def _token(key: str, *, trigger_words: tuple[str, ...]) -> str | None:
    """The author's word if there is one; else the file's own name for it."""
    if len(trigger_words) == 1:
        return trigger_words[0]
    if key in _NAMELESS:
        return None
    return key if not trigger_words or key in trigger_words else None


def _token_problems(token: str | None, *, key: str, context: Context) -> tuple[Problem, ...]:
    if token is None:
        message = "it is not clear which word of a prompt stands for these vectors"
    elif not token or len(token) > context.limits.token_chars_max or not token.isprintable():
        message = f"{token[:80]!r} cannot be a placeholder token"
    elif any(character.isspace() for character in token):
        message = f"the placeholder token {token!r} has a space in it"
    else:
        return ()
    return (
        Problem(
            reason="NO_TRIGGER",
            message=message,
            remedy="Give exactly one trigger word, such as `<my-style>`.",
            keys=(key,),
        ),
    )


def _vector_problems(
    file: TensorFile, key: str, *, width: int, count: int, context: Context
) -> tuple[Problem, ...]:
    expected = context.profile.token_widths.get(COMPONENT, 0)
    if width != expected:
        family = _FAMILY_OF_WIDTH.get(width, "another base")
        return (
            Problem(
                reason="WRONG_WIDTH",
                message=f"its vectors are {width} wide, those of this base {expected}: "
                f"it is for {family}",
                remedy="Serve it on the base that it was trained on.",
                keys=(key,),
            ),
        )
    if count > context.limits.token_vectors_max:
        reason, message = "TOO_LARGE", f"{count} vectors for one token"
        remedy = f"At most {context.limits.token_vectors_max} are taken: a prompt has no more room."
    elif not file.tensors[key].is_float:
        reason, message = "UNSUPPORTED_DTYPE", f"{key} is {file.tensors[key].dtype}"
        remedy = "Export the file in float16, bfloat16 or float32."
    elif not file.is_finite(key):
        reason, message = "NOT_FINITE", f"{key} holds NaN or infinity"
        remedy = "The training diverged: publish an earlier checkpoint."
    else:
        return ()
    return (Problem(reason=reason, message=message, remedy=remedy, keys=(key,)),)
