# SPDX-License-Identifier: Apache-2.0
"""The configurations of a pipeline's folder, and the models that they describe, without weights.

In: a diffusers folder. Out: JSON objects, and empty models. Whatever a library says of a broken
configuration is told in our own words.
"""

import inspect
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import diffusers
import transformers
from torch import nn
from transformers.initialization import no_init_weights

from tabard_registry.grammar import with_article
from tabard_registry.regular_file import open_regular
from tabard_server.engine.base.config_bounds import refuse_oversized
from tabard_server.engine.base.families import PipelineKind, kind_of
from tabard_server.engine.base.files.scales import refuse_quantised
from tabard_server.engine.base.files.tensor_file import unreadable
from tabard_server.engine_port.errors import BaseNotLoadable

_AGAIN = "copy or download the folder again, or save the pipeline again"
_CONFIG_BYTES_MAX = 16 << 20
_TEXT_ENCODER = "text_encoder"


def read_json(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises:
        BaseNotLoadable: It holds anything else.
    """
    try:
        with open_regular(path) as file:
            content = file.read(_CONFIG_BYTES_MAX + 1)
        if len(content) > _CONFIG_BYTES_MAX:
            raise BaseNotLoadable(f"{path} is too large for a configuration", hint=_AGAIN)
        found = json.loads(content.decode())
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        raise BaseNotLoadable(f"{path} is not JSON", hint=_AGAIN) from error
    if not isinstance(found, dict):
        raise BaseNotLoadable(f"{path} is not a JSON object", hint=_AGAIN)
    return found


def read_index(folder: Path) -> dict[str, Any]:
    """Read the `model_index.json` of a pipeline's folder.

    Raises:
        BaseNotLoadable: It has none; what the folder is instead is named.
    """
    file = folder / "model_index.json"
    if file.is_file():
        return read_json(file)
    config = folder / "config.json"
    other = ""
    if (folder / "adapter_config.json").is_file():
        other = ": it is an adapter's folder, which is published and not served as a base"
    elif config.is_file():
        said = read_json(config)
        name = said.get("_class_name") or next(iter(said.get("architectures") or ()), "")
        other = f": it is one component alone, {with_article(str(name)[:80])}" if name else ""
    raise BaseNotLoadable(
        f"{folder} has no model_index.json{other}",
        hint="a diffusers folder holds model_index.json beside unet/, vae/, text_encoder/, …",
    )


def kind_of_folder(index: Mapping[str, Any], *, source: str) -> PipelineKind:
    """Return the kind of a pipeline, once everything with weights is what that kind has.

    Text encoders that may be absent and are, are not of it.

    Raises:
        BaseNotLoadable: It is not served, or a component is another.
    """
    kind = kind_of(str(index.get("_class_name"))[:80], source=source)
    entries = {name: _entry(index, name) for name in kind.models}
    kind = kind.without({name for name in kind.optional if entries[name] is None})
    for component, class_name in kind.models.items():
        found = entries[component]
        if found != class_name:
            raise BaseNotLoadable(
                f"{source} has {found or 'nothing'} for its {component}, not "
                f"{with_article(class_name)}",
                hint="serve a complete pipeline, saved by diffusers' save_pretrained",
            )
    return kind


def empty_models(folder: Path, *, kind: PipelineKind) -> dict[str, Any]:
    """Return the models of a pipeline without their weights, by component.

    Raises:
        BaseNotLoadable: A configuration is missing, broken, or describes no such model.
    """
    return {
        component: _empty_model(folder / component, class_name=class_name)
        for component, class_name in kind.models.items()
    }


def refuse_other_kinds(config: Mapping[str, Any], *, of: Any, file: Path) -> None:
    """Refuse a configuration with a value of another kind than its constructor's default.

    A constructor keeps most values unseen; a text for a number fails at the first picture.

    Raises:
        BaseNotLoadable: There is one.
    """
    for name, parameter in inspect.signature(of.__init__).parameters.items():
        value = config.get(name, parameter.default)
        # Defaults are no better than what they are: an infinity and an empty list are among them.
        is_own = type(value) is type(parameter.default) and value == parameter.default
        # JSON knows no tuples.
        is_own |= parameter.default == () and value == []
        if not (
            is_own or _is_of_kind(value, like=parameter.default, kind=str(parameter.annotation))
        ):
            raise BaseNotLoadable(
                f"{file} says {str(value)[:40]!r} for {name}, and is broken", hint=_AGAIN
            )


def _is_of_kind(value: Any, *, like: Any, kind: str) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(
            _is_of_kind(one, like=like, kind=kind) for one in value if isinstance(like, bool | int)
        )
    if isinstance(like, bool):
        return value is None or isinstance(value, bool)
    if isinstance(like, int | float):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return math.isfinite(value) if is_number else value is None and "None" in kind
    return not isinstance(like, str) or value is None or isinstance(value, str)


def _entry(index: Mapping[str, Any], component: str) -> str | None:
    """Return the class that an index names for a component; None: there is none."""
    entry = index.get(component)
    return entry[1] if isinstance(entry, list) and len(entry) == 2 else None


def _empty_model(folder: Path, *, class_name: str) -> Any:
    file = folder / "config.json"
    config = read_json(file)
    refuse_quantised(config, source=str(file))
    _refuse_other_class(config, class_name=class_name, file=file)
    refuse_oversized(config, file=file)
    if not folder.name.startswith(_TEXT_ENCODER):
        # transformers' own configurations judge the kinds of their values themselves.
        refuse_other_kinds(config, of=getattr(diffusers, class_name), file=file)
    try:
        # Nothing is drawn at random for weights that have no memory, and are given later.
        with _without_memory(), no_init_weights():
            return _build(folder, config=config, class_name=class_name)
    # A constructor of a library stumbles in its own way over every value that cannot be.
    except Exception as error:
        raise BaseNotLoadable(f"{file} describes no {class_name}", hint=_AGAIN) from error


@contextmanager
def _without_memory() -> Iterator[None]:
    """Let the parameters of models that are made have no memory; buffers are what they are."""
    own = nn.Module.register_parameter

    def register(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        own(module, name, parameter)
        if parameter is not None:
            empty = parameter.detach().to("meta")
            module._parameters[name] = nn.Parameter(empty, requires_grad=parameter.requires_grad)

    setattr(nn.Module, "register_parameter", register)  # noqa: B010 - mypy knows methods
    try:
        yield
    finally:
        setattr(nn.Module, "register_parameter", own)  # noqa: B010 - likewise


def _refuse_other_class(config: Mapping[str, Any], *, class_name: str, file: Path) -> None:
    said = config.get("_class_name")
    if said is not None and said != class_name:
        raise BaseNotLoadable(
            f"{file} describes {with_article(str(said)[:80])}, not {with_article(class_name)}",
            hint="the folders of two components may have been exchanged; save the pipeline again",
        )


def _build(folder: Path, *, config: dict[str, Any], class_name: str) -> Any:
    if folder.name.startswith(_TEXT_ENCODER):
        # CLIP's finds the text half of a whole CLIP's configuration.
        kind = transformers.T5Config if class_name.startswith("T5") else transformers.CLIPTextConfig
        said = kind.from_pretrained(str(folder), local_files_only=True)
        return getattr(transformers, class_name)(said)
    return getattr(diffusers, class_name).from_config(config)
