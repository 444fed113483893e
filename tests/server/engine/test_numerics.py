# SPDX-License-Identifier: Apache-2.0
"""Who changes the bytes of a deterministic picture raises `NUMERICS`, which provenance names.

`tests/golden/deterministic.safetensors` has pictures of the version that its header says. On the
kind of machine that drew them they come again to the byte; elsewhere rounding may differ by a level
of 255 in a few values.
"""

from safetensors import safe_open

from tabard_server.engine_port.base_facts import NUMERICS
from tests.golden.make_deterministic import FILE, draw_all, machine

MAY_DIFFER = 0.01
"""Share of the values that another processor may round to the next level."""


def test_bytes_are_those_of_this_version() -> None:
    """Every picture, bare and with a style."""
    with safe_open(FILE, framework="pt") as golden:
        told = golden.metadata()
        kept = {name: golden.get_tensor(name).int() for name in golden.keys()}  # noqa: SIM118 - no mapping
    assert told["numerics"] == NUMERICS, "raised: run python -m tests.golden.make_deterministic"
    may_differ = 0.0 if told["machine"] == machine() else MAY_DIFFER

    drawn = draw_all()

    assert drawn.keys() == kept.keys()
    for name, picture in drawn.items():
        apart = (picture.int() - kept[name]).abs()
        assert apart.max() <= (1 if may_differ else 0), name
        assert (apart > 0).float().mean() <= may_differ, name
    bare, worn = kept["ddim, bare"], kept["ddim, style"]
    assert (bare - worn).abs().max() > 10
