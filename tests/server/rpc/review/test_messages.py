# SPDX-License-Identifier: Apache-2.0
"""What people say of releases as messages."""

from pathlib import Path

from tabard.v1 import identity_service_pb2
from tabard_registry import Registry
from tabard_registry.identity.roles import EVERYTHING
from tabard_registry.release.gates import Gate
from tabard_server.publishing.policies import Policies
from tabard_server.rpc.review.messages import write_explanation
from tests.registry.evidence.reports import ANN
from tests.registry.fakes import publish, ref


def test_explanation_is_written(tmp_path: Path) -> None:
    """Every gate by its pattern, every lack with its role."""
    registry = Registry.open(str(tmp_path / "registry"))
    publish(registry, "1.0.0", folder=tmp_path)
    gates = {"stable": Gate(reviews=1), "*": Gate(require_success=True)}
    registry.set_policy("acme", author=ANN, channels=gates)
    found = Policies(registry, ways=()).explain(ref("1.0.0"), channel="", grants=EVERYTHING)

    written = write_explanation(found)

    assert {one.pattern for one in written.gates} == {"stable", "*"}
    assert [one.role for one in written.missing] == [
        identity_service_pb2.ROLE_PUBLISH,
        identity_service_pb2.ROLE_REVIEW,
    ]
    assert (written.version, written.channel) == ("1.0.0", "stable")
