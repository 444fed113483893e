# SPDX-License-Identifier: Apache-2.0
"""How a client reaches its server: address, TLS, token, actor, deadline, gRPC's channel options.

Comes from arguments, a profile that is named, variables, and the default profile, in this order.
"""

from __future__ import annotations

import getpass
import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Any, TypedDict, Unpack

from tabard.access.address import TLS_SCHEME, Address, read_address
from tabard.access.profiles import Profile, default_profile, named_profile
from tabard.access.tls import Tls, read_tls
from tabard.access.tokens import can_be_read_again, read_token, read_token_file
from tabard.calls.call import Call, Caller
from tabard.errors import (
    CONNECTION_LOST,
    NOBODY_ANSWERS,
    FailedPrecondition,
    InvalidArgument,
    TabardError,
)
from tabard.patience import (
    REFUSAL_PATIENCE_SECONDS,
    Metadata,
    OnWait,
    Retries,
    require_timeout,
)
from tabard.routing import BASE_METADATA, base_hint

DEFAULT_ADDRESS = "127.0.0.1:50051"
DEFAULT_TIMEOUT_SECONDS = 60.0
MESSAGE_BYTES_MAX = 64 * 1024 * 1024

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
_RETRIED_OF_CANARY = ("StartCanary", "GetCanary", "ListCanaries", "StopCanary")
_RETRIED_OF_IDENTITY = (
    "WhoAmI",
    "ListTokens",
    "RevokeToken",
    "GetPolicy",
    "SetPolicy",
)


class Access(TypedDict, total=False):
    """Where a server is and who calls, as arguments say it; what is left out is looked for.

    Attributes:
        address: `host:port`, `grpcs://host:port` or `unix:PATH`.
        token: The token; empty: none, whatever else is said.
        token_file: A file that holds the token; read before every call.
        tls_ca: PEM file of the CA that signed the server's certificate.
        certificate: PEM files of the client's own certificate and of its private key.
        profile: A profile that `tabard login` wrote.
        insecure: Send a token even where others can read it on the way.
        base: The base to ask for, where one address leads to servers of several: its fingerprint,
            or the first 12 digits or more.
    """

    address: str | None
    token: str | None
    token_file: str | Path | None
    tls_ca: str | Path | None
    certificate: tuple[str | Path, str | Path] | None
    profile: str | None
    insecure: bool | None
    base: str | None


@dataclass(frozen=True, kw_only=True)
class Connection:
    """Where to, as whom, and for how long.

    Attributes:
        address: `host:port`, `grpcs://host:port` or any gRPC target.
        token: Sent as `authorization: Bearer …` when not empty.
        token_file: Where it is read anew before every call; None: it stays as it is.
        tls: What is brought to a TLS handshake; None: there is none.
        insecure: Whether a token may go where others can read it.
        base: The base to ask for; empty: whichever the releases of a request need.
        actor: Written into the records of this client's acts.
        timeout_seconds: Deadline of every call that does not set its own.
        patience_seconds: How long a call is sent again while the server asks to wait.
    """

    address: str
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    tls: Tls | None = None
    insecure: bool = False
    base: str = ""
    actor: str
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    patience_seconds: float = REFUSAL_PATIENCE_SECONDS

    def __post_init__(self) -> None:
        for name, example in (("address", DEFAULT_ADDRESS), ("token", ""), ("actor", "alice")):
            _require_text(name, getattr(self, name), example=example)
        self._check_secrecy()
        if self.base and not base_hint(self.base):
            raise InvalidArgument(
                f"{self.base[:80]!r} names no base",
                reason="BAD_BASE",
                hint="use 12 or more digits of its fingerprint, as tabard status shows it",
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

    @cached_property
    def place(self) -> Address:
        """The address, read."""
        return read_address(self.address)

    @property
    def shows_identity(self) -> bool:
        """Whether a server can know who calls: by a token, or by a certificate."""
        return bool(self.token or (self.tls and self.tls.certificate))

    @property
    def metadata(self) -> Metadata:
        """Request metadata of every call.

        Raises:
            TabardError: The file of the token does not hold one any more.
        """
        token = read_token_file(self.token_file) if self.token_file else self.token
        hints = ((BASE_METADATA, base_hint(self.base)),) if self.base else ()
        return ((("authorization", f"Bearer {token}"),) if token else ()) + hints

    def caller(self) -> Caller:
        """Give the one that calls by this connection."""
        return Caller(actor=self.actor, new_id=lambda: uuid.uuid4().hex, base=self.base)

    def retries(
        self, timeout_seconds: float | None, *, call: object, on_wait: OnWait | None
    ) -> Retries:
        """Give what counts the tries of a call; what is no `Call` is not safe to repeat."""
        said = call if isinstance(call, Call) else None
        return Retries(
            patience_seconds=self.patience_seconds,
            timeout_seconds=timeout_seconds,
            on_wait=on_wait,
            given=said.given if said else None,
            on_base=said.on_base if said else None,
            on_server=said.on_server if said else None,
            is_base_said=bool(self.base),
        )

    @property
    def options(self) -> list[tuple[str, str | int]]:
        """Channel options: sizes bounded, safe calls retried, no proxy on the way to loopback."""
        options: list[tuple[str, str | int]] = [
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
            ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
            ("grpc.service_config", _service_config()),
        ]
        if self.place.is_near:
            options.append(("grpc.enable_http_proxy", 0))
        return options

    def open_channel(self, api: Any) -> Any:
        """Open a channel of gRPC (`api` is `grpc`), or of its asyncio (`grpc.aio`)."""
        target = self.place.target
        if self.tls is None:
            return api.insecure_channel(target, options=self.options)
        import grpc  # noqa: PLC0415 - whoever opens a channel has it already

        credentials = grpc.ssl_channel_credentials(
            self.tls.ca, private_key=self.tls.key, certificate_chain=self.tls.certificate
        )
        return api.secure_channel(target, credentials, options=self.options)

    def explained(self, failure: TabardError) -> TabardError:
        """Give a better reason for a failure that gRPC itself found, if there is one.

        Looks at the server once more, for seconds at most.
        """
        if failure.reason not in (NOBODY_ANSWERS, CONNECTION_LOST):
            return failure
        from tabard.access.handshake import (  # noqa: PLC0415 - only failures need it
            handshake_failure,
        )

        return handshake_failure(self.place, self.tls) or failure

    def _check_secrecy(self) -> None:
        is_secret = self.place.is_tls or self.place.is_near or self.insecure
        if self.token and not is_secret:
            raise InvalidArgument(
                f"a token is not sent to {self.address} without TLS: others could read it",
                reason="TOKEN_OVER_PLAIN",
                hint=f"write {TLS_SCHEME}{self.address}; or, if you trust every machine on the "
                "way, insecure=True, once and for all by tabard login --insecure",
            )


def find_connection(
    *,
    actor: str | None = None,
    timeout_seconds: float | None = None,
    patience_seconds: float | None = None,
    environ: Mapping[str, str] | None = None,
    **said: Unpack[Access],
) -> Connection:
    """Fill what is not said from a profile and the environment, then from the defaults.

    A profile that is named stands for all of the environment. The default profile counts where
    neither an argument nor the environment says an address. No secret of a profile goes to
    another server than its own.

    Raises:
        InvalidArgument: Something of all this cannot be, or a file cannot be read.
        Unauthenticated: What is given as a token is none.
        TypeError: An argument is of another type.
    """
    environ = os.environ if environ is None else environ
    access: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
    profile = _profile(access, environ)
    variables = {} if "profile" in access else environ
    address = (
        access.get("address")
        or variables.get("TABARD_ADDRESS")
        or (profile.address if profile else DEFAULT_ADDRESS)
    )
    _require_text("address", address, example=DEFAULT_ADDRESS)
    token, token_file = _token(access, variables, profile)
    return Connection(
        address=address,
        token=token,
        token_file=token_file,
        tls=_tls(access, variables, profile, address=address),
        insecure=bool(access.get("insecure", profile.insecure if profile else False)),
        base=access.get("base", variables.get("TABARD_ROUTE_BASE", "")),
        actor=find_actor(actor, environ=environ),
        timeout_seconds=DEFAULT_TIMEOUT_SECONDS if timeout_seconds is None else timeout_seconds,
        patience_seconds=(
            REFUSAL_PATIENCE_SECONDS if patience_seconds is None else patience_seconds
        ),
    )


def find_actor(actor: str | None = None, *, environ: Mapping[str, str] | None = None) -> str:
    """Say who acts, as they say themselves: as given, `TABARD_ACTOR`, or the user's name."""
    environ = os.environ if environ is None else environ
    return actor or environ.get("TABARD_ACTOR") or _user()


def closed() -> FailedPrecondition:
    """Return the error of a call on a client that was closed."""
    return FailedPrecondition(
        "this client is closed",
        reason="CLIENT_CLOSED",
        hint="make another one, or call it within its `with` block",
    )


def _require_text(name: str, said: object, *, example: str) -> None:
    if not isinstance(said, str):
        like = f" such as {example!r}" if example else ""
        raise TypeError(f"{name} is a text{like}, not a {type(said).__name__}")


def _profile(access: Mapping[str, Any], environ: Mapping[str, str]) -> Profile | None:
    if "profile" not in access:
        is_said = access.get("address") or environ.get("TABARD_ADDRESS")
        return None if is_said else default_profile(environ)
    if access.get("address"):
        raise InvalidArgument(
            "an address and a profile both say which server is meant",
            reason="PROFILE_AND_ADDRESS",
            hint="give one of them",
        )
    return named_profile(access["profile"], environ)


def _token(
    access: Mapping[str, Any], variables: Mapping[str, str], profile: Profile | None
) -> tuple[str, Path | None]:
    """Give the token, and the file where it is read anew."""
    if "token" in access and "token_file" in access:
        raise InvalidArgument(
            "a token and a token file are both given", reason="TOKEN_TWICE", hint="give one of them"
        )
    if "token" in access:
        token = access["token"]
        _require_text("token", token, example="")
        return (read_token(token, said_by="the argument token") if token else ""), None
    file = access.get("token_file")
    if file is None and (token := variables.get("TABARD_TOKEN", "")):
        return read_token(token, said_by="TABARD_TOKEN"), None
    if file := file or variables.get("TABARD_TOKEN_FILE"):
        path = Path(file)
        is_lasting = can_be_read_again(path)
        return read_token_file(path), path if is_lasting else None
    token = profile.token if profile else ""
    return (read_token(token, said_by="the profile") if token else ""), None


def _tls(
    access: Mapping[str, Any],
    variables: Mapping[str, str],
    profile: Profile | None,
    *,
    address: str,
) -> Tls | None:
    said = [name for name in ("tls_ca", "certificate") if name in access]
    if not read_address(address).is_tls:
        if said:
            raise InvalidArgument(
                f"{said[0]} is given, but no TLS is spoken to {address}",
                reason="TLS_NOT_ASKED_FOR",
                hint=f"write {TLS_SCHEME}{address}",
            )
        return None
    ca = access.get("tls_ca") or variables.get("TABARD_TLS_CA") or (profile and profile.tls_ca)
    files = access.get("certificate") or (profile and profile.certificate_files)
    return read_tls(
        ca_file=Path(ca) if ca else None,
        certificate_files=(Path(files[0]), Path(files[1])) if files else None,
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without a passwd entry
        return "unknown"


def _service_config() -> str:
    names = [{"service": "tabard.v1.RegistryService", "method": name} for name in _RETRIED_METHODS]
    names += [
        {"service": "tabard.v1.IdentityService", "method": name} for name in _RETRIED_OF_IDENTITY
    ]
    names += [{"service": "tabard.v1.CanaryService", "method": name} for name in _RETRIED_OF_CANARY]
    names += [{"service": "tabard.v1.OperationsService", "method": "GetStatus"}]
    policy = {
        "maxAttempts": 4,
        "initialBackoff": "0.1s",
        "maxBackoff": "1s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    return json.dumps({"methodConfig": [{"name": names, "retryPolicy": policy}]})
