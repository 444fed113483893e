#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ask a server whether it serves, by the standard gRPC health service; the container's probe.

Address in, exit status out: 0 serving, 1 anything else. Knows nothing of Tabard.
"""

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

WAIT_SECONDS = 4.0


def is_serving(address: str) -> bool:
    """Return whether the server at `address` answers SERVING within `WAIT_SECONDS`."""
    request = health_pb2.HealthCheckRequest(service="")
    with grpc.insecure_channel(address) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=WAIT_SECONDS)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


if __name__ == "__main__":
    sys.exit(0 if is_serving(sys.argv[1]) else 1)
