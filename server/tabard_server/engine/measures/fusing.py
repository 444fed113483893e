# SPDX-License-Identifier: Apache-2.0
"""Which layers of a network gain by a kernel of their own on a CUDA device, measured there.

In: a base on the device, with slots. Out: how many layers make what rows wear in their own product.
"""

from tabard_server.engine.base.loading import Base
from tabard_server.engine.measures.calibration import dtype_of
from tabard_server.engine.measures.passes import denoising
from tabard_server.engine.slots.fused.choice import fuse_where_it_pays
from tabard_server.engine_port.work import GUIDED_SAMPLES


def fuse(base: Base, *, rows: int, is_compiled: bool) -> int:
    """Let layers of the network that gain by it make what rows wear in their own product.

    Args:
        base: On its device.
        rows: Rows that may share a step.
        is_compiled: Whether passes are captured graphs.
    """
    from tabard_server.engine.slots.fused.kernel import multiply  # noqa: PLC0415 - Triton

    one = denoising(
        base,
        side=base.native_pixels // base.latent_factor,
        device=base.network.module.device,
        dtype=dtype_of(base),
        samples=GUIDED_SAMPLES,
    )
    return fuse_where_it_pays(
        base.network.module, one.run, rows=rows, is_compiled=is_compiled, multiply=multiply
    )
