# SPDX-License-Identifier: Apache-2.0
"""The textual-inversion dialect: vectors, their key the placeholder token.

A file for SDXL has vectors for each of its two text encoders, under the names of the encoders.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tabard_registry.grammar import counted
from tabard_registry.intake.dialect import Context, Reading
from tabard_registry.intake.files.safetensors import TensorFile
from tabard_registry.intake.layers.checked import CheckedToken
from tabard_registry.report import Problem

COMPONENT = "text_encoder"
"""The text encoder that a file with one tensor is for."""
PAIR: Mapping[str, str] = {"clip_l": "text_encoder", "clip_g": "text_encoder_2"}
"""Keys of a file for SDXL, and the text encoder of each."""

_UNSAYABLE = re.compile(
    r"(?:<|\uff1c|&lt;)\s*(?:lora|lyco|lycoris|locon|loha|lokr|dora|oft|boft|ia3|glora|hypernet(?:work)?)"
    r"\s*[:\uff1a=;|/\\]"
    r"|(?<!\w)embedding:",
    re.IGNORECASE,
)
"""What a prompt reads as the tag of an adapter, or as the name of an embedding."""
_SIGNS = ("AND", "BREAK")
"""What A1111's syntax reads as signs."""
_NAMELESS = frozenset({"emb_params", "*", *PAIR})
_NAME_KEYS = ("token", "modelspec.trigger_phrase")
_FAMILY_OF_WIDTH = {
    768: "sd1",
    1024: "sd2",
    1280: "sdxl (second encoder)",
    4096: "a T5, which is taught no words here",
}


class TextualInversion:
    """Implements `Dialect`."""

    name = "textual_inversion"
    has_configs = False

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
        if not file.tensors:
            return Reading()
        encoders = _encoders(file, context=context)
        token = _token(file, context=context)
        found = (
            find_token_problem(token, key=next(iter(encoders)), context=context),
            _pair_problem(file, encoders=encoders, context=context),
            *(
                find_vector_problem(file, key, component=component, context=context)
                for key, component in encoders.items()
            ),
        )
        problems = tuple(problem for problem in found if problem is not None)
        if token is None or problems:
            return Reading(problems=problems)
        tokens = tuple(
            CheckedToken(
                token=token,
                component=component,
                count=count_vectors(file, key),
                source=file,
                key=key,
            )
            for key, component in encoders.items()
        )
        return Reading(tokens=tokens, applied=frozenset(encoders))


def count_vectors(file: TensorFile, key: str) -> int:
    """Return how many vectors a key holds."""
    shape = file.tensors[key].shape
    return shape[0] if len(shape) > 1 else 1


def find_token_problem(token: str | None, *, key: str, context: Context) -> Problem | None:
    """Return why a word cannot stand for vectors; usually None."""
    if token is None:
        message = "it is not clear which word of a prompt stands for these vectors"
    elif not token or len(token) > context.limits.token_chars_max or not token.isprintable():
        message = f"{token[:80]!r} cannot be a placeholder token"
    elif any(character.isspace() for character in token):
        message = f"the placeholder token {token!r} has a space in it"
    elif _is_unsayable(token):
        message = f"a prompt reads {token[:80]!r} as something else, so that it cannot be said"
    else:
        return None
    return Problem(
        reason="NO_TRIGGER",
        message=message,
        remedy="Give exactly one trigger word, such as `<my-style>`.",
        keys=(key,),
    )


def _is_unsayable(token: str) -> bool:
    """Whether prompts take a word for a tag, a name or a sign."""
    return token in _SIGNS or _UNSAYABLE.search(token) is not None


def find_vector_problem(
    file: TensorFile, key: str, *, component: str, context: Context
) -> Problem | None:
    """Return why the vectors of a key cannot be those of a text encoder; usually None."""
    entry, count, count_max = (
        file.tensors[key],
        count_vectors(file, key),
        context.limits.token_vectors_max,
    )
    width = entry.shape[-1] if entry.shape else 0
    expected = context.profile.token_widths.get(component, 0)
    if len(entry.shape) not in (1, 2):
        reason, message = "WRONG_WIDTH", f"{key} is no list of vectors"
        remedy = "Export the file again."
    elif entry.is_empty:
        reason, message = "BAD_SHAPE", f"{key} holds no vectors"
        remedy = "Export the file again."
    elif width != expected:
        family = _FAMILY_OF_WIDTH.get(width, "another base")
        reason = "WRONG_WIDTH"
        message = f"its vectors are {width} wide, those of this base {expected}: it is for {family}"
        remedy = "Serve it on the base that it was trained on."
    elif count > count_max:
        reason, message = "TOO_LARGE", f"{count} vectors for one token"
        remedy = f"At most {count_max} are taken: a prompt has no more room."
    elif not entry.is_float:
        reason, message = "UNSUPPORTED_DTYPE", f"{key} is {entry.dtype}"
        remedy = "Export the file in float16, bfloat16 or float32."
    elif not file.is_finite(key):
        reason, message = "NOT_FINITE", f"{key} holds NaN or infinity"
        remedy = "The training diverged: publish an earlier checkpoint."
    else:
        return None
    return Problem(reason=reason, message=message, remedy=remedy, keys=(key,))


def _encoders(file: TensorFile, *, context: Context) -> Mapping[str, str]:
    """Return keys and the text encoder of each: both of a pair's file, one of two files' each."""
    if frozenset(file.tensors) == frozenset(PAIR):
        return PAIR
    key = _key(file)
    if len(_siblings(file, context=context)) == 1:
        return {key: COMPONENT}
    if key in PAIR:
        return {key: PAIR[key]}
    width = file.tensors[key].shape[-1]
    fitting = [name for name, known in context.profile.token_widths.items() if known == width]
    return {key: fitting[0] if len(fitting) == 1 else COMPONENT}


def _siblings(file: TensorFile, *, context: Context) -> tuple[TensorFile, ...]:
    """Return the files that teach one token together: where there are two encoders, all of them."""
    if len(context.profile.token_widths) < 2:
        return (file,)
    return tuple(one for one in context.files if one.tensors) or (file,)


def _key(file: TensorFile) -> str:
    return next(iter(file.tensors))


def _token(file: TensorFile, *, context: Context) -> str | None:
    """The author's word if there is one; else the one name that the files have for it."""
    words = context.trigger_words
    if len(words) == 1:
        return words[0]
    siblings = _siblings(file, context=context)
    names = {name for one in siblings if (name := _name(one)) is not None}
    if len(names) != 1:
        return None
    name = names.pop()
    return name if not words or name in words else None


def _name(file: TensorFile) -> str | None:
    """The file's own name for it: a tensor's, or a word in the header."""
    key = _key(file)
    if key not in _NAMELESS:
        return key
    return next((file.metadata[word] for word in _NAME_KEYS if file.metadata.get(word)), None)


def _pair_problem(
    file: TensorFile, *, encoders: Mapping[str, str], context: Context
) -> Problem | None:
    """Every text encoder of the base learns the token, each as many vectors of it."""
    found = [
        (key, component, count_vectors(one, key))
        for one in _siblings(file, context=context)
        for key, component in (encoders if one is file else _encoders(one, context=context)).items()
    ]
    components = [component for _, component, _ in found]
    missing = sorted(context.profile.token_widths.keys() - set(components))
    if missing:
        message = f"it has no vectors for the {missing[0]} of this base"
    elif len(components) > len(set(components)):
        message = f"{len(components)} files, of which several are for one text encoder"
    elif len({count for _, _, count in found}) > 1:
        message = " and ".join(f"{counted(count, 'vector')} in {key}" for key, _, count in found)
    else:
        return None
    return Problem(
        reason="INCOMPLETE_PAIR",
        message=message,
        remedy="Send clip_l and clip_g, in one file or two, equally many vectors in both.",
        keys=tuple(encoders),
    )
