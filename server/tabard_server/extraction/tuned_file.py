# SPDX-License-Identifier: Apache-2.0
"""A single file in the original Stable Diffusion key layout as a tuned model.

It is read as a base is, with the models of the base, so that nothing is fetched from anywhere.
Tensors stay mapped from the file.
"""

from pathlib import Path

from tabard_registry.intake.report.training_words import predictions
from tabard_registry.refs.digest import sha256_file
from tabard_server.engine.base.files.checkpoint import arrange, open_checkpoint
from tabard_server.engine.base.loading import Base
from tabard_server.extraction.errors import TunedModelMismatch
from tabard_server.extraction.tuned_model import TunedModel


def open_file(path: Path, *, base: Base) -> TunedModel:
    """Open a file with a tuned model.

    Raises:
        BaseNotLoadable: It is no tuned model in safetensors.
        TunedModelMismatch: It is of another family.
    """
    checkpoint = open_checkpoint(path)
    if checkpoint.family != base.family:
        raise TunedModelMismatch(
            f"{path} is of the {checkpoint.family} family, the base is {base.family}",
            hint="extract against the base it was trained from",
        )
    stored = arrange(checkpoint, models=base.models)
    return TunedModel(
        path=path,
        sha256=str(sha256_file(path)),
        components=stored.components,
        unused=stored.elsewhere,
        predictions=tuple(one.value for one in predictions(stored.words, family=checkpoint.family)),
        is_eight_bit=stored.is_eight_bit,
    )
