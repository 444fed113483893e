# SPDX-License-Identifier: Apache-2.0
"""What `help` and editors are told of a client's methods is what the methods take."""

import inspect
import pydoc

import pytest

from tabard import AsyncClient, Client, GenerateOptions, Release

CLIENTS = (Client, AsyncClient)


def verbs(client: type) -> list[str]:
    """Return the names of a client's methods."""
    return [name for name, one in vars(client).items() if callable(one) and name[0] != "_"]


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
    assert not any("caller:" in (getattr(client, name).__doc__ or "") for name in verbs(client))


@pytest.mark.parametrize("client", CLIENTS)
def test_returns_are_what_a_method_returns(client: type) -> None:
    """No method says that it returns the value it sends."""
    returns = {
        name: str(inspect.signature(getattr(client, name)).return_annotation)
        for name in verbs(client)
    }

    told = ("Call[", "Upload[", "Pages[", "Download", "Job")
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
