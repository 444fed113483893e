# SPDX-License-Identifier: Apache-2.0
"""What OpenAI calls a model is what an image wears here: refs, several of them, or the bare base.

`acme/ink@^1`, `acme/ink:0.8+acme/pen:0.4`, `base`. What a ref means is the server's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from pydantic import BaseModel

from tabard import Adapter, FieldViolation, InvalidArgument, NotFound

BASE_MODEL = "base"
DEFAULT_CHANNEL = "stable"


class Model(BaseModel):
    """A model, as OpenAI lists it.

    Attributes:
        id: What a request names.
        object: `model`.
        created: When that release was published, in seconds since 1970.
        owned_by: Its namespace; `tabard` for the base.
    """

    id: str
    object: str = "model"
    created: int
    owned_by: str


class ModelList(BaseModel):
    """All models.

    Attributes:
        object: `list`.
        data: The models.
    """

    object: str = "list"
    data: list[Model]


def read_model(model: str | None) -> tuple[str, ...]:
    """Give the refs of a model; none is the bare base.

    Raises:
        InvalidArgument: It joins nothing with something.
        NotFound: It is no ref.
    """
    if model is None or model == BASE_MODEL:
        return ()
    refs = tuple(part.strip() for part in model.split("+"))
    if not all(refs):
        message = f"the model {model[:200]!r} has nothing before or behind a '+'"
        raise InvalidArgument(
            message,
            reason="MODEL_UNREADABLE",
            hint="join refs as acme/ink:0.8+acme/pen:0.4",
            violations=(FieldViolation(field="model", description=message),),
        )
    if unknown := [ref for ref in refs if "/" not in ref]:
        message = f"there is no model {unknown[0][:200]!r} here"
        raise NotFound(
            message,
            reason="MODEL_UNKNOWN",
            hint=f"name a style as namespace/name, or {BASE_MODEL!r}; GET /v1/models lists them",
            violations=(FieldViolation(field="model", description=message),),
        )
    return refs


def list_models(adapters: Iterable[Adapter]) -> Iterator[Model]:
    """Give the base, and whatever a channel points to: a line without one has no bare name."""
    yield Model(id=BASE_MODEL, created=0, owned_by="tabard")
    for adapter in adapters:
        published = {one.digest: one.published_at for one in adapter.releases}
        for channel in adapter.channels:
            is_default = channel.name == DEFAULT_CHANNEL
            yield Model(
                id=adapter.name if is_default else f"{adapter.name}@{channel.name}",
                created=seconds_of(published.get(channel.digest, "")),
                owned_by=adapter.name.partition("/")[0],
            )


def seconds_of(time: str) -> int:
    """Give a time of the registry as seconds since 1970; 0 for none."""
    return int(datetime.fromisoformat(time).timestamp()) if time else 0
