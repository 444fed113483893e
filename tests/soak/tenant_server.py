# SPDX-License-Identifier: Apache-2.0
"""A server that believes callers who say which tenant they are of; for tests alone."""

import sys
from typing import Any

from tabard_server.__main__ import main
from tabard_server.callers.caller import Caller
from tabard_server.rpc.door.door import Door
from tabard_server.rpc.door.exchange import Exchange

TENANT_METADATA = "test-tenant"


def _exchange(self: Door, context: Any) -> Exchange:
    said = dict(context.invocation_metadata())
    caller = Caller(context.peer(), tenant=said.get(TENANT_METADATA, ""))
    return Exchange(context, caller=caller, threads=self._threads, limits=self._limits)


if __name__ == "__main__":
    Door._exchange = _exchange  # type: ignore[method-assign]
    sys.exit(main(sys.argv[1:]))
