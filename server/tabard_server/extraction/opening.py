# SPDX-License-Identifier: Apache-2.0
"""Which kind of tuned model a word means, and whether it can be a fine-tune of a base.

In: a diffusers folder, a single `.safetensors` file or a hub id, and the base it shall fit. Out:
memory-mapped tensors under the names of the base's parameters. Builds no model.
"""

from pathlib import Path

from diffusers import DiffusionPipeline

from tabard_server.engine.base.loading import HUB_ID, Base
from tabard_server.extraction.errors import TunedModelMismatch, TunedModelUnreadable
from tabard_server.extraction.tuned_file import open_file
from tabard_server.extraction.tuned_folder import open_folder
from tabard_server.extraction.tuned_model import TunedModel


def open_tuned_model(tuned: str, *, base: Base) -> TunedModel:
    """Open a tuned model that shall be a fine-tune of a base.

    Raises:
        TunedModelUnreadable: It is not there, or not in safetensors.
        TunedModelMismatch: It is of another family, or parts of it are missing.
    """
    path = Path(tuned)
    if path.is_dir():
        found = open_folder(path, base=base)
    elif path.is_file():
        found = open_file(path, base=base)
    elif HUB_ID.fullmatch(tuned):
        found = open_folder(_download(tuned), base=base)
    else:
        raise TunedModelUnreadable(
            f"the checkpoint {tuned!r} is neither a folder, nor a file, nor a hub id",
            hint="give a diffusers folder, a .safetensors checkpoint, or an id like owner/name",
        )
    own = str(base.scheduler_config.get("prediction_type", "epsilon"))
    if found.prediction and found.prediction != own:
        raise TunedModelMismatch(
            f"the UNet of {tuned} predicts {found.prediction}, that of the base {own}",
            hint="extract against the base it was trained from",
        )
    return found


def _download(hub_id: str) -> Path:
    try:
        return Path(DiffusionPipeline.download(hub_id, use_safetensors=True))
    except (OSError, ValueError) as error:
        raise TunedModelUnreadable(
            f"the checkpoint {hub_id!r} is not cached and cannot be fetched",
            hint="check the id, or give a folder or a file",
        ) from error
