# SPDX-License-Identifier: Apache-2.0
"""An extension of griffe: the verbs of the clients as the methods they are.

`Client.generate` and its like are made of builders when they are looked for, which nobody sees who
only reads the source. Here the class itself is asked: names, signatures and words are true ones.
"""

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import griffe

CLIENTS = ("client.Client", "aio.AsyncClient")
_KINDS = {
    inspect.Parameter.POSITIONAL_ONLY: griffe.ParameterKind.positional_only,
    inspect.Parameter.POSITIONAL_OR_KEYWORD: griffe.ParameterKind.positional_or_keyword,
    inspect.Parameter.VAR_POSITIONAL: griffe.ParameterKind.var_positional,
    inspect.Parameter.KEYWORD_ONLY: griffe.ParameterKind.keyword_only,
    inspect.Parameter.VAR_KEYWORD: griffe.ParameterKind.var_keyword,
}


class Verbs(griffe.Extension):
    """Puts methods where reading the source found attributes."""

    def on_package(self, *, pkg: griffe.Module, **_kwargs: Any) -> None:
        """Take the verbs from the imported classes."""
        if pkg.path != "tabard":
            return
        for path in CLIENTS:
            module, _, name = path.partition(".")
            client = getattr(importlib.import_module(f"tabard.{module}"), name)
            for verb, read in list(pkg[path].members.items()):
                if read.is_attribute and callable(found := getattr(client, verb, None)):
                    pkg[path].set_member(verb, method(verb, found, line=read.lineno))


def method(name: str, found: Callable[..., Any], *, line: int | None) -> griffe.Function:
    """Return a method as griffe knows it, with the signature that `inspect` tells."""
    shown = inspect.signature(found)
    parameters = [
        griffe.Parameter(
            one.name,
            annotation=_annotation(one.annotation),
            kind=_KINDS[one.kind],
            default=None if one.default is inspect.Parameter.empty else repr(one.default),
        )
        for one in list(shown.parameters.values())[1:]
    ]
    function = griffe.Function(
        name,
        lineno=line,
        endlineno=line,
        parameters=griffe.Parameters(*parameters),
        returns=_annotation(shown.return_annotation),
    )
    function.docstring = griffe.Docstring(
        inspect.getdoc(found) or "", parent=function, parser=griffe.Parser.google
    )
    return function


def _annotation(told: Any) -> str | None:
    if told is inspect.Signature.empty:
        return None
    return told if isinstance(told, str) else inspect.formatannotation(told)
