# SPDX-License-Identifier: Apache-2.0
"""How a verb shows itself as a method of a client: its name, its words, and a true signature.

A builder takes the caller and returns a value to send; the method takes a client and returns what
the server says. `help`, editors and notebooks ask `inspect`, and shall hear of the method.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from inspect import Parameter, Signature, signature
from typing import Any, TypeVar

from tabard.calls.options import GenerateOptions

MethodT = TypeVar("MethodT", bound=Callable[..., Any])

_CALLER_LINE = re.compile(r"^ +caller: .*\n", re.MULTILINE)
_SENT = re.compile(r"^(?:Call|Upload|Pages)\[(?:\w+, )?(.*)\]$")


def shown_as(
    build: Callable[..., Any], *, owner: str, returns: str = "{}"
) -> Callable[[MethodT], MethodT]:
    """Return a decorator that gives a method the looks of its builder, as a caller sees them.

    Args:
        build: The builder of the verb.
        owner: Name of the client's class.
        returns: What the method returns; `{}` stands for what the builder's call is read as.
    """

    def decorate(method: MethodT) -> MethodT:
        shown = signature(build)
        read_as = _SENT.sub(r"\1", str(shown.return_annotation))
        method.__name__ = build.__name__
        method.__qualname__ = f"{owner}.{build.__name__}"
        method.__module__ = "tabard"
        method.__doc__ = _CALLER_LINE.sub("", build.__doc__ or "")
        method.__signature__ = Signature(  # type: ignore[attr-defined]
            [Parameter("self", Parameter.POSITIONAL_ONLY), *_parameters(shown)],
            return_annotation=returns.format(read_as),
        )
        return method

    return decorate


def _parameters(shown: Signature) -> list[Parameter]:
    """Return a builder's parameters but the caller, each option of a request by its own name."""
    _, *own = shown.parameters.values()
    if not own or own[-1].kind is not Parameter.VAR_KEYWORD:
        return own
    options = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=_optional(annotation))
        for name, annotation in GenerateOptions.__annotations__.items()
    ]
    return [*own[:-1], *options]


def _optional(annotation: Any) -> str:
    """Every option may be left out, which is what None says."""
    text = str(getattr(annotation, "__forward_arg__", annotation))
    return text if text.endswith("| None") else f"{text} | None"
