# SPDX-License-Identifier: Apache-2.0
"""A server on a fake engine that never ends its first step, and somebody who asks for an image.

`python -m tests.deploy.machines.stuck_server FOLDER`: for the watchdog of whoever starts it.
"""

import json
import sys
import threading
import time
from pathlib import Path

import grpc

from tabard.v1 import generation_service_pb2, generation_service_pb2_grpc
from tests.server.life.server_program import main

SETTINGS = {
    "engine_stall_seconds_max": 1.0,
    "watchdog_seconds": 0.1,
    "drain_seconds_max": 0.5,
    "stop_seconds_max": 1.0,
}


def ask(folder: Path) -> None:
    """Ask for an image, once there is somebody to ask; it never comes."""
    ready = folder / "ready.json"
    while not ready.exists():
        time.sleep(0.05)
    with grpc.insecure_channel(json.loads(ready.read_text())["address"]) as channel:
        stub = generation_service_pb2_grpc.GenerationServiceStub(channel)
        request = generation_service_pb2.GenerateRequest(prompt="x")
        try:
            for _event in stub.Generate(request):
                continue
        except grpc.RpcError:
            return


if __name__ == "__main__":
    where = Path(sys.argv[1])
    threading.Thread(target=ask, args=(where,), daemon=True).start()
    sys.exit(main({"folder": str(where), "stuck": "step", "settings": SETTINGS}))
