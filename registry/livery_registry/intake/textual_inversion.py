# SPDX-License-Identifier: Apache-2.0
"""The textual-inversion dialect: vectors, their key the placeholder token.

A file for SDXL has vectors for each of its two text encoders, under the names of the encoders.
"""

from __future__ import annotations

from collections.abc import Mapping

from livery_registry.intake.dialect import Context, Reading
from livery_registry.intake.header import TensorFile
from livery_registry.report import CheckedToken, Problem

COMPONENT = "text_encoder"
"""The text encoder that a file with one tensor is for."""
PAIR: Mapping[str, str] = {"clip_l": "text_encoder", "clip_g": "text_encoder_2"}
"""Keys of a file for SDXL, and the text encoder of each."""

_NAMELESS = frozenset({"emb_params", *PAIR})
_FAMILY_OF_WIDTH = {768: "sd1", 1024: "sd2", 1280: "sdxl (second encoder)"}


class TextualInversion:
    """Implements `Dialect`."""

    name = "textual_inversion"

    def claimed(self, file: TensorFile) -> frozenset[str]:
        """Claim SDXL's pair, or the only tensor of a file when it is a list of vectors."""
        if frozenset(file.tensors) == frozenset(PAIR):
            return frozenset(PAIR)
        if len(file.tensors) != 1:
            return frozenset()
        key, entry = next(iter(file.tensors.items()))
        is_vectors = len(entry.shape) in (1, 2) and not key.endswith((".weight", ".bias", ".alpha"))
        return frozenset({key}) if is_vectors else frozenset()

    def read(self, file: TensorFile, *, context: Context) -> Reading:
        """Name the token, and check width, number and values of its vectors."""
        encoders = PAIR if frozenset(file.tensors) == frozenset(PAIR) else {_key(file): COMPONENT}
        token = _token(next(iter(encoders)), trigger_words=context.trigger_words)
        problems = (
            *_token_problems(token, key=next(iter(encoders)), context=context),
            *_pair_problems(file, encoders=encoders, context=context),
            *(
                problem
                for key, component in encoders.items()
                for problem in _vector_problems(file, key, component=component, context=context)
            ),
        )
        if token is None or problems:
            return Reading(problems=problems)
        tokens = tuple(
            CheckedToken(
                token=token, component=component, count=_count(file, key), source=file, key=key
            )
            for key, component in encoders.items()
        )
        return Reading(tokens=tokens, applied=frozenset(encoders))


def _key(file: TensorFile) -> str:
    return next(iter(file.tensors))


def _count(file: TensorFile, key: str) -> int:
    shape = file.tensors[key].shape
    return shape[0] if len(shape) > 1 else 1


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


def _pair_problems(
    file: TensorFile, *, encoders: Mapping[str, str], context: Context
) -> tuple[Problem, ...]:
    """Every text encoder of the base learns the token, each as many vectors of it."""
    missing = sorted(context.profile.token_widths.keys() - set(encoders.values()))
    counts = {key: _count(file, key) for key in encoders}
    if missing:
        message = f"it has no vectors for the {missing[0]} of this base"
    elif len(set(counts.values())) > 1:
        message = " and ".join(f"{count} vectors in {key}" for key, count in counts.items())
    else:
        return ()
    return (
        Problem(
            reason="INCOMPLETE_PAIR",
            message=message,
            remedy="Send one file with clip_l and clip_g, equally many vectors in both.",
            keys=tuple(encoders),
        ),
    )


def _vector_problems(
    file: TensorFile, key: str, *, component: str, context: Context
) -> tuple[Problem, ...]:
    if len(file.tensors[key].shape) not in (1, 2):
        return (
            Problem(
                reason="WRONG_WIDTH",
                message=f"{key} is no list of vectors",
                remedy="Export the file again.",
                keys=(key,),
            ),
        )
    width, count = file.tensors[key].shape[-1], _count(file, key)
    expected = context.profile.token_widths.get(component, 0)
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
