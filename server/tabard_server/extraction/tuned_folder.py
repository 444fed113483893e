# SPDX-License-Identifier: Apache-2.0
"""A diffusers folder as a tuned model, read as a base is: which files hold its weights."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from tabard_registry.intake.report.training_words import predictions
from tabard_registry.refs.digest import sha256_file
from tabard_server.engine.base.configs import read_index, read_json
from tabard_server.engine.base.files.component_files import read_components, weight_files
from tabard_server.engine.base.loading import Base
from tabard_server.engine.base.schedules.schedule import prediction_of
from tabard_server.extraction.errors import TunedModelMismatch
from tabard_server.extraction.tuned_model import TunedModel


def open_folder(path: Path, *, base: Base) -> TunedModel:
    """Open a diffusers folder.

    Raises:
        BaseNotLoadable: It holds no weights in safetensors.
        TunedModelMismatch: Its components are not those of the base.
    """
    read_index(path)
    _refuse_other_encoders(path, base=base)
    stored = read_components(path, models=base.models)
    said = [one.value for one in predictions(stored.words, family=base.family)]
    return TunedModel(
        path=path,
        sha256=_digest({component: weight_files(path / component) for component in base.models}),
        components=stored.components,
        predictions=(*said, *_configured(path)),
        is_eight_bit=stored.is_eight_bit,
    )


def _refuse_other_encoders(path: Path, *, base: Base) -> None:
    mine = {part.component for part in base.text_parts}
    theirs = {one.name for one in path.glob("text_encoder*") if one.is_dir()}
    if mine != theirs:
        raise TunedModelMismatch(
            f"{path} has {len(theirs)} text encoders, the {base.family} base {len(mine)}",
            hint="extract against the base it was trained from",
        )


def _digest(files: Mapping[str, Sequence[Path]]) -> str:
    lines = [
        f"{component}/{file.name} {sha256_file(file)}\n"
        for component, found in sorted(files.items())
        for file in found
    ]
    return f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"


def _configured(path: Path) -> tuple[str, ...]:
    file = path / "scheduler" / "scheduler_config.json"
    return (prediction_of(read_json(file)),) if file.is_file() else ()
