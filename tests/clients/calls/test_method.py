# SPDX-License-Identifier: Apache-2.0
"""What `help` and editors are told of a client's methods is what the methods take."""

import asyncio
import inspect
import pydoc
import subprocess
import sys
from collections.abc import Callable
from typing import Any, get_args, get_type_hints

import pytest

from tabard import AsyncClient, Client, GenerateOptions, GenerateResult, Release
from tabard.calls.method import late
from tests.clients.fakes.server import FakeServer

CLIENTS = (Client, AsyncClient)


def verbs(client: type) -> list[str]:
    """Return the names of a client's methods."""
    return [name for name, one in inspect.getmembers(client, callable) if name[0] != "_"]


@pytest.mark.parametrize("client", CLIENTS)
def test_signatures_have_no_caller(client: type) -> None:
    """What the client fills in itself is not asked for."""
    wrong = [
        name
        for name in verbs(client)
        if (found := list(inspect.signature(getattr(client, name)).parameters))[0] != "self"
        or "caller" in found
    ]

    assert wrong == []
    assert len(verbs(client)) > 25
    assert not any("caller:" in (getattr(client, name).__doc__ or "") for name in verbs(client))


@pytest.mark.parametrize("client", CLIENTS)
def test_returns_are_what_a_method_returns(client: type) -> None:
    """No method says that it returns the value it sends."""
    returns = {
        name: str(inspect.signature(getattr(client, name)).return_annotation)
        for name in verbs(client)
    }

    told = ("Call[", "Upload[", "Pages[", "Download", "Collecting")
    assert [name for name, said in returns.items() if said.startswith(told)] == []
    assert returns["generate"] == "GenerateResult"
    assert returns["pull"] == "Pulled"
    assert "Generator[GenerateEvent" in returns["stream"]


@pytest.mark.parametrize("client", CLIENTS)
def test_every_option_is_a_parameter(client: type) -> None:
    """An editor completes each option of a request by its name."""
    parameters = inspect.signature(client.generate).parameters  # type: ignore[attr-defined]

    assert (
        list(GenerateOptions.__annotations__)
        == list(parameters)[-len(GenerateOptions.__annotations__) :]
    )
    assert all(p.kind is not inspect.Parameter.VAR_KEYWORD for p in parameters.values())


def test_help_names_the_method() -> None:
    """The heading of the help is the method's own."""
    text = pydoc.plain(pydoc.render_doc(Client.promote))

    assert text.startswith("Python Library Documentation: function promote in module tabard")
    assert inspect.iscoroutinefunction(AsyncClient.promote)
    assert AsyncClient.promote.__qualname__ == "AsyncClient.promote"


def test_what_is_shown_can_be_called(client: Client, stable: Release) -> None:
    """A call by the shown names is the call that is made."""
    shown = inspect.signature(Client.generate)
    bound = shown.bind(client, "a circle", adapters="acme/watercolor:0.8", seed=7)

    assert Client.generate(*bound.args, **bound.kwargs).images


@pytest.mark.parametrize("client", CLIENTS)
def test_help_of_a_class_shows_its_methods(client: type) -> None:
    """Also those that nobody has looked for yet."""
    program = (
        f"import pydoc, tabard; print(pydoc.plain(pydoc.render_doc(tabard.{client.__name__})))"
    )

    text = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    methods, _, rest = text.partition("Data descriptors defined here")
    assert [name for name in verbs(client) if f" {name}(self, " not in methods] == ["close"]
    assert not [name for name in verbs(client) if f" {name} = " in rest]


def test_method_is_made_once() -> None:
    """A class has it from then on; a subclass that has its own may still ask for it."""
    made: list[str] = []

    def make() -> Callable[[object], str]:
        made.append("")
        return lambda self: f"of {type(self).__name__}"

    class Base:
        method = late(make)

    class Sub(Base):
        def method(self) -> str:
            return super().method() + ", and its own"

    assert made == []
    assert (Sub().method(), Base().method()) == ("of Sub, and its own", "of Base")
    assert Base.method(Base()) == "of Base"
    assert len(made) == 1


@pytest.mark.parametrize("client", CLIENTS)
def test_verb_imports_its_own_module(client: type) -> None:
    """Who looks for one verb waits for no other."""
    program = (
        f"import sys, {client.__module__} as home;"
        f"home.{client.__name__}.resolve;"
        "print(*(name.removeprefix('tabard.calls.') for name in sys.modules if name.startswith("
        "('tabard.calls.', 'tabard.result', 'tabard.rpc_errors'))))"
    )

    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    assert set(loaded.split()) == {"call", "method", "registry"}


def text_parameters() -> list[tuple[str, str]]:
    """Return every verb of a client with each parameter that is a text."""
    return [
        (verb, one.name)
        for verb in verbs(Client)
        for one in inspect.signature(getattr(Client, verb)).parameters.values()
        if one.annotation == "str"
    ]


@pytest.mark.parametrize(("verb", "name"), text_parameters(), ids=str)
def test_none_is_no_text(client: Client, server: FakeServer, verb: str, name: str) -> None:
    """A message would take it for nothing said: an empty prompt, no reason."""
    parameters = inspect.signature(getattr(client, verb)).parameters.values()
    said: dict[str, object] = {
        one.name: "x" for one in parameters if one.default is inspect.Parameter.empty
    }
    said = {key: value for key, value in said.items() if key not in ("files", "paths")}

    with pytest.raises(TypeError) as caught:
        getattr(client, verb)(**(said | {name: None}))

    assert str(caught.value).startswith(f"{name} is a text, not None: ")
    assert server.state.requests == []


@pytest.mark.parametrize("prompt", [None, 5, b"x"])
def test_prompt_is_a_text(server: FakeServer, client: Client, prompt: Any) -> None:
    """By either client; what may be said instead is told."""

    async def draw() -> None:
        async with AsyncClient(server.address) as other:
            await other.generate(prompt)

    for run in (lambda: client.generate(prompt), lambda: asyncio.run(draw())):
        with pytest.raises(TypeError) as caught:
            run()
        assert str(caught.value) == f"prompt is a text, not {prompt!r}: it may be empty: ''"


@pytest.mark.parametrize("client", CLIENTS)
def test_help_describes_every_option_by_name(client: Any) -> None:
    """The signature has no `options`."""
    words = client.generate.__doc__

    assert "**options" not in words
    assert [
        one for one in GenerateOptions.__annotations__ if f"\n        {one}: " not in words
    ] == []
    assert "\n    Raises:\n" in words


@pytest.mark.parametrize("client", CLIENTS)
def test_types_can_be_asked_for(client: type) -> None:
    """As frameworks do that make a form or a tool of a function."""
    hints = {name: get_type_hints(getattr(client, name)) for name in verbs(client)}

    assert hints["generate"]["num_images"] == int | None
    assert GenerateResult in (hints["generate"]["return"], *get_args(hints["generate"]["return"]))
    assert all("return" in one for one in hints.values())
