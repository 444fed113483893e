# SPDX-License-Identifier: Apache-2.0
"""What a field of a request is called on the command line: the option that sets it.

An error of the SDK or a server comes in, which names fields and parameters; the same error goes
out, in the words of the command that failed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import click

from tabard.errors import FieldViolation, TabardError

_PARAMETER_OF = {
    "crop_top_left": "crops_coords_top_left",
    "expect_digest": "expect",
    "height": "size",
    "timeout_seconds": "timeout",
    "to_version": "to",
    "width": "size",
}
"""Fields that a parameter of another name sets; the others are called as their parameter."""


def option_names(parameters: Iterable[click.Parameter]) -> dict[str, str]:
    """Return the option of every field that options of a command set."""
    named = {
        str(one.name): max(one.opts, key=len) for one in parameters if isinstance(one, click.Option)
    }
    others = {field: named[name] for field, name in _PARAMETER_OF.items() if name in named}
    return named | others


def in_options(error: TabardError, *, names: Mapping[str, str]) -> TabardError:
    """Return the error with options in the place of fields.

    In sentences only what is no English word is taken for a field, as `mask_image` is; so are
    assignments, as `seed=7`.
    """
    return type(error)(
        _sentence(str(error), names),
        reason=error.reason,
        hint=_sentence(error.hint, names),
        status=error.status,
        violations=tuple(
            FieldViolation(
                field=_field(one.field, names), description=_sentence(one.description, names)
            )
            for one in error.violations
        ),
        retry_after_seconds=error.retry_after_seconds,
    )


def _field(path: str, names: Mapping[str, str]) -> str:
    """Find the option of a path like `adapters[0]` or `draft.notes`."""
    name = re.sub(r"\[\d+\]$", "", path.rpartition(".")[2])
    return names.get(name, path)


def _sentence(text: str, names: Mapping[str, str]) -> str:
    for field, option in names.items():
        # Parts of paths, settings, tags and quoted words are no fields.
        word = rf"(?<![\w./:<'\"-]){re.escape(field)}"
        text = re.sub(rf"{word}=True\b", option, text)
        text = re.sub(rf"{word}=(?=\w)", f"{option} ", text)
        text = re.sub(rf"{word}=(?![\w=])", option, text)
        if "_" in field:
            text = re.sub(rf"{word}(?![\w'\"=]|[./:-]\w)", option, text)
    return text
