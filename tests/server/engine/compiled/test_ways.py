# SPDX-License-Identifier: Apache-2.0
"""Which graph runs a kind of pass."""

from dataclasses import replace

from tabard_server.engine.compiled.ways import way_of
from tabard_server.engine_port.costs import INDUCTOR, OPENVINO
from tests.server.engine.compiled.conftest import shape


def test_inductor_has_one_for_each_kind() -> None:
    """Larger kernels are no kind of their own: its layers all wear."""
    kind_of = way_of(INDUCTOR).kind_of
    worn = replace(shape(), rows=2, ranks=16)

    assert kind_of(worn) == worn == kind_of(replace(worn, has_kernels=True))
    assert len({kind_of(shape()), kind_of(shape(4)), kind_of(worn)}) == 3


def test_openvino_has_one_for_each_size() -> None:
    """Whatever rows wear there, but for magnitudes and larger kernels."""
    kind_of = way_of(OPENVINO).kind_of
    worn = replace(shape(8), rows=8, ranks=64, blocks=3)

    assert kind_of(worn) == kind_of(shape(2)) == shape(2)
    assert kind_of(replace(worn, height=16)) != kind_of(worn)
    assert kind_of(replace(worn, magnitudes=1)) is kind_of(replace(worn, has_kernels=True)) is None
