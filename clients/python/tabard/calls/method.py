# SPDX-License-Identifier: Apache-2.0
"""How a verb shows itself as a method of a client: its name, its words, and a true signature.

A builder takes the caller and returns a value to send; the method takes a client and returns what
the server says. `help`, editors and notebooks ask `inspect`, and shall hear of the method. All of
that is made for the verbs that are looked at, with what they import, and for no others. What is no
text where a text is asked for is refused here, for all of them.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Generator
from importlib import import_module
from inspect import Parameter, Signature, signature
from types import FunctionType, SimpleNamespace
from typing import Any, ParamSpec, TypeVar, cast, get_type_hints

P = ParamSpec("P")
T = TypeVar("T")
MethodT = TypeVar("MethodT", bound=Callable[..., Any])

_CALLER_LINE = re.compile(r"^ +caller: .*\n", re.MULTILINE)
_OPTIONS_LINE = re.compile(r"^ +\*\*options: .*\n(?: {12,}.*\n)*", re.MULTILINE)
_GENERATORS = {"Generator": Generator, "AsyncGenerator": AsyncGenerator}
_SENT = re.compile(r"^(?:Call|Upload|Pages)\[(?:\w+, )?(.*)\]$")


def late(make: Callable[[], MethodT]) -> MethodT:
    """Stand for a method of a class until somebody looks for it; then it is made, once."""
    return cast("MethodT", _Late(make))


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
        method.__doc__ = _words(build)
        method_shown = Signature(
            [Parameter("self", Parameter.POSITIONAL_ONLY), *_parameters(shown)],
            return_annotation=returns.format(read_as),
        )
        method.__signature__ = method_shown  # type: ignore[attr-defined]
        method.__annotations__ = _types(method_shown, build=build)
        return method

    return decorate


def typed(build: Callable[P, T]) -> Callable[P, T]:
    """Return a builder that takes texts for texts only.

    A message takes None for nothing said, so that a prompt would be empty; what it says of other
    values is no help.

    Raises:
        TypeError: At the call; it names the parameter and its value.
    """
    shown = signature(build)
    texts = [one.name for one in shown.parameters.values() if one.annotation == "str"]

    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        said = shown.bind(*args, **kwargs).arguments
        for name in texts:
            if name in said and not isinstance(said[name], str):
                is_needed = shown.parameters[name].default is Parameter.empty
                advice = "it may be empty: ''" if name == "prompt" else "give one"
                advice = advice if is_needed else "or leave it out"
                raise TypeError(f"{name} is a text, not {said[name]!r}: {advice}")
        return build(*args, **kwargs)

    return checked


class _Late:
    """What stands in a class for a method that takes its place when it is looked for."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner, self._name = owner, name

    def __get__(self, instance: object, owner: type) -> Any:
        method: FunctionType = self._make()
        setattr(self._owner, self._name, method)
        return method.__get__(instance, owner)


def _parameters(shown: Signature) -> list[Parameter]:
    """Return a builder's parameters but the caller, each option of a request by its own name."""
    _, *own = shown.parameters.values()
    if not own or own[-1].kind is not Parameter.VAR_KEYWORD:
        return own
    from tabard.calls.options import GenerateOptions  # noqa: PLC0415 - only those who draw need it

    options = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=_optional(annotation))
        for name, annotation in GenerateOptions.__annotations__.items()
    ]
    return [*own[:-1], *options]


def _types(shown: Signature, *, build: Callable[..., Any]) -> dict[str, Any]:
    """Return the types of parameters and of what is returned, as `typing.get_type_hints` would."""
    said = {one.name: one.annotation for one in shown.parameters.values() if one.name != "self"}
    names = vars(import_module(build.__module__))
    if said.keys() - signature(build).parameters.keys():
        # What its options are made of, and what is drawn: the builder has both imported.
        drawn = vars(import_module("tabard.result"))
        names = vars(import_module("tabard.calls.options")) | drawn | names
    said["return"] = shown.return_annotation
    stand_in = SimpleNamespace(__annotations__=said)
    return get_type_hints(stand_in, _GENERATORS | names)


def _words(build: Callable[..., Any]) -> str:
    """Return a builder's words without the caller, each option of a request by its own name."""
    words = _CALLER_LINE.sub("", build.__doc__ or "")
    if _OPTIONS_LINE.search(words) is None:
        return words
    from tabard.calls.options import GenerateOptions  # noqa: PLC0415 - only those who draw need it

    options = (GenerateOptions.__doc__ or "").partition("Attributes:\n")[2].rstrip() + "\n"
    return _OPTIONS_LINE.sub(lambda _found: options, words)


def _optional(annotation: Any) -> str:
    """Every option may be left out, which is what None says."""
    text = str(getattr(annotation, "__forward_arg__", annotation))
    return text if text.endswith("| None") else f"{text} | None"
