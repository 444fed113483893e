# SPDX-License-Identifier: Apache-2.0
"""How a client reaches its server: address, token, actor, deadline, and gRPC's channel options.

Comes from arguments, then `TABARD_ADDRESS`, `TABARD_TOKEN` and `TABARD_ACTOR`. Opens nothing.
"""

from __future__ import annotations

import getpass
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real

from tabard.calls.call import Metadata
from tabard.errors import FailedPrecondition, InvalidArgument
from tabard.patience import REFUSAL_PATIENCE_SECONDS, require_timeout

DEFAULT_ADDRESS = "127.0.0.1:50051"
DEFAULT_TIMEOUT_SECONDS = 60.0
MESSAGE_BYTES_MAX = 64 * 1024 * 1024

_LOOPBACK = ("127.", "localhost", "[::1]", "unix:")

# Reads, and acts that carry a request id, may be sent again when a server was not there.
_RETRIED_METHODS = (
    "GetAdapter",
    "ListAdapters",
    "Resolve",
    "GetManifest",
    "Diff",
    "GetDependents",
    "Search",
    "ServedAt",
    "History",
    "PublishRecipe",
    "Promote",
    "Rollback",
    "Yank",
    "Unyank",
    "Quarantine",
    "Lift",
    "Purge",
    "Sign",
    "Edit",
)
# A host with or without a port; what has a scheme or brackets is gRPC's to read.
_PLAIN = re.compile(r"([\w.-]+)(?::(\d{1,9}))?")
_PORTS = range(1, 65_536)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where to, as whom, and for how long.

    Attributes:
        address: `host:port` or any gRPC target.
        token: Sent as `authorization: Bearer …` when not empty.
        actor: Written into the records of this client's acts.
        timeout_seconds: Deadline of every call that does not set its own.
        patience_seconds: How long a call is sent again while the server asks to wait.
    """

    address: str
    token: str = field(default="", repr=False)
    actor: str
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    patience_seconds: float = REFUSAL_PATIENCE_SECONDS

    def __post_init__(self) -> None:
        for name, example in (("address", DEFAULT_ADDRESS), ("token", ""), ("actor", "alice")):
            if not isinstance(said := getattr(self, name), str):
                like = f" such as {example!r}" if example else ""
                raise TypeError(f"{name} is a text{like}, not a {type(said).__name__}")
        if not self.address.strip():
            raise InvalidArgument(
                "the server address is empty", reason="BAD_ADDRESS", hint="use host:port"
            )
        if (plain := _PLAIN.fullmatch(self.address)) and int(plain[2] or 0) not in _PORTS:
            raise InvalidArgument(
                f"the server address '{self.address}' has no port from 1 to {_PORTS[-1]}",
                reason="BAD_ADDRESS",
                hint=f"write the port that the server listens on, as {plain[1]}:50051",
            )
        require_timeout(self.timeout_seconds)
        if not isinstance(self.patience_seconds, Real):
            raise TypeError(f"patience is a number of seconds, not {self.patience_seconds!r}")
        if not self.patience_seconds >= 0:
            raise InvalidArgument(
                f"a patience of {self.patience_seconds} seconds cannot be kept",
                reason="BAD_PATIENCE",
                hint="use a number of seconds, or 0 to be refused at once",
            )

    @property
    def metadata(self) -> Metadata:
        """Request metadata of every call."""
        return (("authorization", f"Bearer {self.token}"),) if self.token else ()

    @property
    def options(self) -> list[tuple[str, str | int]]:
        """Channel options: sizes bounded, safe calls retried, no proxy on the way to loopback."""
        options: list[tuple[str, str | int]] = [
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
            ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
            ("grpc.service_config", _service_config()),
        ]
        if self.address.startswith(_LOOPBACK):
            options.append(("grpc.enable_http_proxy", 0))
        return options


def find_connection(
    *,
    address: str | None = None,
    token: str | None = None,
    actor: str | None = None,
    timeout_seconds: float | None = None,
    patience_seconds: float | None = None,
    environ: Mapping[str, str] | None = None,
) -> Connection:
    """Fill what is not given from the environment, then from the defaults.

    Raises:
        InvalidArgument: The address is empty, the timeout not positive, or the patience negative.
        TypeError: One of them is of another type.
    """
    environ = os.environ if environ is None else environ
    return Connection(
        address=address or environ.get("TABARD_ADDRESS") or DEFAULT_ADDRESS,
        token=environ.get("TABARD_TOKEN", "") if token is None else token,
        actor=actor or environ.get("TABARD_ACTOR") or _user(),
        timeout_seconds=DEFAULT_TIMEOUT_SECONDS if timeout_seconds is None else timeout_seconds,
        patience_seconds=(
            REFUSAL_PATIENCE_SECONDS if patience_seconds is None else patience_seconds
        ),
    )


def closed() -> FailedPrecondition:
    """Return the error of a call on a client that was closed."""
    return FailedPrecondition(
        "this client is closed",
        reason="CLIENT_CLOSED",
        hint="make another one, or call it within its `with` block",
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without a passwd entry
        return "unknown"


def _service_config() -> str:
    names = [{"service": "tabard.v1.RegistryService", "method": name} for name in _RETRIED_METHODS]
    names += [{"service": "tabard.v1.OperationsService", "method": "GetStatus"}]
    policy = {
        "maxAttempts": 4,
        "initialBackoff": "0.1s",
        "maxBackoff": "1s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    return json.dumps({"methodConfig": [{"name": names, "retryPolicy": policy}]})
