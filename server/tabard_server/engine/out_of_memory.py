# SPDX-License-Identifier: Apache-2.0
"""Running out of memory, told as an error that the loop can act on.

In: whatever torch says. Out: `DeviceMemoryFull`, once what can be made again was let go.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from tabard_server.engine_port.errors import DeviceMemoryFull

_CPU_SAYS = ("not enough memory", "can't allocate memory", "DefaultCPUAllocator")


@contextmanager
def translating_out_of_memory(free_memory: Callable[[], None]) -> Iterator[None]:
    """Turn a failed allocation within the block into `DeviceMemoryFull`.

    Args:
        free_memory: Frees what can be made again.

    Raises:
        DeviceMemoryFull: The block did not fit.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        free_memory()
        raise _full() from error
    except RuntimeError as error:
        # On a CPU torch has no class of its own for this.
        if not any(words in str(error) for words in _CPU_SAYS):
            raise
        free_memory()
        raise _full() from error


def _full() -> DeviceMemoryFull:
    return DeviceMemoryFull(
        "the device has no memory left for this image",
        hint="ask for a smaller image, or let the operator lower limits.rows_per_step_max",
    )
