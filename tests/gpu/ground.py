# SPDX-License-Identifier: Apache-2.0
"""What the scripts stand on: this checkout's packages, no network, libraries that exist.

They run on whatever interpreter they are given, without `make setup`: its own torch must do, and
what it lacks may lie in folders of PYTHONPATH. What is missing is said by name, before anything
else is done.
"""

import importlib.util
import os
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("clients/python", "clients/web", "registry", "server")
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # Asks the driver's own library which devices there are: a process that asked CUDA cannot fork.
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
}
LIBRARIES = (
    *("accelerate", "anyascii", "click", "cryptography", "diffusers", "google.rpc", "grpc"),
    *("grpc_health", "grpc_reflection", "grpc_status", "jwt", "msgspec", "numpy", "peft", "PIL"),
    *("prometheus_client", "pydantic", "pydantic_settings", "pytest", "safetensors", "scipy"),
    *("structlog", "torch", "torchsde", "transformers", "xxhash"),
)
"""What the scripts import, by the names that Python knows."""


def stand_on(root: Path = ROOT) -> None:
    """Put the packages of a checkout on the path, of this process and of those that it starts."""
    places = [str(root), *(str(root / package) for package in PACKAGES)]
    sys.path[:0] = [place for place in places if place not in sys.path]
    already = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = [place for place in already if place and place not in places]
    os.environ["PYTHONPATH"] = os.pathsep.join([*places, *kept])
    os.environ.update(OFFLINE)


def missing(libraries: Iterable[str] = LIBRARIES) -> list[str]:
    """Return which of these cannot be imported; imports none of them."""
    return [name for name in libraries if not _exists(name)]


def _exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # the package that it would lie in
        return False
