# SPDX-License-Identifier: Apache-2.0
"""The table of methods: total, and operators' ways out of trouble are in their places."""

from tabard_server.callers.gate import Work
from tabard_server.rpc.door.methods import METHODS
from tabard_server.rpc.server import SERVED


def test_every_method_has_its_work() -> None:
    """No method of any service is missing, and none is listed that is not there."""
    paths = {f"/{service.full_name}/{one.name}" for service in SERVED for one in service.methods}

    assert paths == set(METHODS)


def test_ways_out_are_operators() -> None:
    """What an operator needs when everything is full is not counted with everything."""
    needed = ("Check", "GetStatus", "Drain", "Rollback", "Yank", "Quarantine", "Purge")
    found = {path.rpartition("/")[2]: work for path, work in METHODS.items()} | {
        "Check": METHODS["/grpc.health.v1.Health/Check"]
    }

    assert {found[name] for name in needed} == {Work.OPERATE}
    assert METHODS["/tabard.v1.RegistryService/Check"] is Work.UPLOAD
