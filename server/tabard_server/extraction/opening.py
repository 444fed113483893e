# SPDX-License-Identifier: Apache-2.0
"""Which kind of tuned model a word means, and whether it can be a fine-tune of a base.

In: a diffusers folder, a single `.safetensors` file or a hub id, and the base it shall fit. Out:
memory-mapped tensors under the names of the base's parameters. Builds no model.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from tabard_server.engine.base.loading import Base
from tabard_server.engine.base.place import find_base
from tabard_server.engine.base.schedules.schedule import Asked
from tabard_server.engine_port.errors import BaseNotLoadable
from tabard_server.extraction.errors import TunedModelMismatch, TunedModelUnreadable
from tabard_server.extraction.tuned_file import open_file
from tabard_server.extraction.tuned_folder import open_folder
from tabard_server.extraction.tuned_model import TunedModel


def open_tuned_model(tuned: str, *, base: Base, asked: Asked) -> TunedModel:
    """Open a tuned model that shall be a fine-tune of a base.

    What is asked holds for both: a model says what its base said, rightly or wrongly.

    Raises:
        TunedModelUnreadable: It is not there, or is not read.
        TunedModelMismatch: It is of another family, or parts of it are missing.
    """
    with _as_a_tuned_model():
        path = find_base(tuned)
        found = open_folder(path, base=base) if path.is_dir() else open_file(path, base=base)
    for prediction in found.predictions if asked.prediction is None else ():
        if prediction != base.prediction:
            raise TunedModelMismatch(
                f"the network of {tuned} predicts {prediction}, that of the base {base.prediction}",
                hint="extract against the base it was trained from; if one of the two says wrong, "
                "name what both predict by --base-prediction",
            )
    return found


@contextmanager
def _as_a_tuned_model() -> Iterator[None]:
    """What makes a base unloadable makes a tuned model unreadable."""
    try:
        yield
    except BaseNotLoadable as error:
        said = str(error).replace("the base ", "the checkpoint ", 1)
        raise TunedModelUnreadable(said, hint=error.hint) from error
    except OSError as error:
        raise TunedModelUnreadable(
            f"the checkpoint cannot be read: {error.strerror}", hint="check who may read it"
        ) from error
