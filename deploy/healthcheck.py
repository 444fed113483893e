#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ask a server whether it serves, by the standard gRPC health service; the container's probe.

Address in, exit status out: 0 serving, 1 anything else. Knows nothing of Tabard. `grpcs://` before
the address is TLS; a unix socket needs none.
"""

import argparse
import sys
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

WAIT_SECONDS = 4.0
TLS = "grpcs://"


def is_serving(address: str, *, credentials: grpc.ChannelCredentials, name: str) -> bool:
    """Return whether the server at `address` answers SERVING within `WAIT_SECONDS`.

    Args:
        address: `host:port`, `unix:/path`, or either behind `grpcs://`.
        credentials: What TLS is spoken with.
        name: The name in the server's certificate; empty: the host.
    """
    request = health_pb2.HealthCheckRequest(service="")
    options = [("grpc.ssl_target_name_override", name)] if name else []
    if address.startswith(TLS):
        open_channel = grpc.secure_channel(address.removeprefix(TLS), credentials, options=options)
    else:
        open_channel = grpc.insecure_channel(address)
    with open_channel as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=WAIT_SECONDS)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def main() -> int:
    """Probe as the command line says; return the exit status."""
    parser = argparse.ArgumentParser(description="Ask a gRPC server whether it serves.")
    parser.add_argument("address", help="host:port, unix:/path, or grpcs://host:port for TLS")
    parser.add_argument("--ca", help="PEM file of the CA of its certificate; else the system's")
    parser.add_argument("--name", default="", help="name in its certificate, where not the host")
    parser.add_argument("--certificate", help="PEM file to show, where it asks for one")
    parser.add_argument("--key", help="PEM file with the key of that")
    said = parser.parse_args()
    if bool(said.certificate) != bool(said.key):
        parser.error("--certificate and --key go together")
    files = (said.ca, said.key, said.certificate)
    try:
        ca, key, certificate = (Path(one).read_bytes() if one else None for one in files)
    except OSError as error:
        parser.error(str(error))
    credentials = grpc.ssl_channel_credentials(ca, key, certificate)
    return 0 if is_serving(said.address, credentials=credentials, name=said.name) else 1


if __name__ == "__main__":
    sys.exit(main())
