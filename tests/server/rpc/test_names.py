# SPDX-License-Identifier: Apache-2.0
"""Members of enums by their short names, and back."""

import pytest

from tabard.v1 import adapter_pb2, registry_service_pb2
from tabard_server.rpc.names import name_of, names_of, number_of

KIND = adapter_pb2.ReleaseKind.DESCRIPTOR


@pytest.mark.parametrize("name", names_of(KIND))
def test_names_go_both_ways(name: str) -> None:
    """Every member but the one that says nothing."""
    assert name_of(KIND, number_of(KIND, name)) == name


def test_silence_and_the_unknown_differ() -> None:
    """What a newer client says is not taken for silence; what the API cannot say is."""
    assert (name_of(KIND, 0), name_of(KIND, 99)) == ("", None)
    assert number_of(KIND, "poem") == number_of(KIND, "") == 0
    assert names_of(registry_service_pb2.WearMode.DESCRIPTOR) == ("rows", "merged")
