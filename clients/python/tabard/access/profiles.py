# SPDX-License-Identifier: Apache-2.0
"""Profiles: servers and who one is there, by name, in one small file that only its owner can read.

`tabard login` writes it, every client may read it. In: a name. Out: a profile, or a true error.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from tabard.errors import InvalidArgument

DEFAULT_PROFILE = "default"
"""The one that is used where nobody says which server is meant, unless a variable names another."""
PROFILE_VARIABLE = "TABARD_PROFILE"
CONFIG_BYTES_MAX = 256 * 1024

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_HEADING = (
    "# Written by `tabard login`, which writes it anew. It holds secrets: keep it to yourself.\n"
)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A server, and who one is there.

    Attributes:
        address: Of the server.
        token: Shown to it; empty: none.
        tls_ca: File of the CA that signed the server's certificate.
        certificate: File of the client's own certificate.
        key: File of its private key.
        insecure: Whether the token may go where others can read it.
    """

    address: str
    token: str = field(default="", repr=False)
    tls_ca: str = ""
    certificate: str = ""
    key: str = ""
    insecure: bool = False

    @property
    def certificate_files(self) -> tuple[str, str] | None:
        """Certificate and key, if there are any."""
        return (self.certificate, self.key) if self.certificate else None


def config_file(environ: Mapping[str, str]) -> Path | None:
    """Say where the file of profiles is: `tabard/config.toml` in the user's folder for such files.

    None: there is no user.
    """
    folder = environ.get("XDG_CONFIG_HOME", "")
    if not folder.startswith("/"):  # the specification says to pass over what is relative
        home = environ.get("HOME", "")
        folder = f"{home}/.config" if home else ""
    return Path(folder, "tabard", "config.toml") if folder else None


def default_profile(environ: Mapping[str, str]) -> Profile | None:
    """Give the profile that is used where nobody says which server; None where there is none.

    Raises:
        InvalidArgument: The file cannot be read, others can read it, or a variable names a profile
            that is not there.
    """
    if name := environ.get(PROFILE_VARIABLE):
        return named_profile(name, environ)
    return _profiles_of(environ).get(DEFAULT_PROFILE)


def named_profile(name: str, environ: Mapping[str, str]) -> Profile:
    """Give a profile by its name.

    Raises:
        InvalidArgument: There is none, the file cannot be read, or others can read it.
    """
    found = _profiles_of(environ)
    if name not in found:
        raise unknown_profile(name, known=found)
    return found[name]


def unknown_profile(name: str, *, known: Mapping[str, Profile]) -> InvalidArgument:
    """Give the error of a profile that is not there."""
    names = ", ".join(sorted(known)) or "none yet"
    return InvalidArgument(
        f"there is no profile '{name}'",
        reason="PROFILE_UNKNOWN",
        hint=f"profiles are: {names}; make one: tabard login --profile NAME",
    )


def read_profiles(path: Path) -> dict[str, Profile]:
    """Read all profiles of a file; one that is not there has none.

    Raises:
        InvalidArgument: The file cannot be read, others can read it, or it is damaged.
    """
    try:
        content = _own_bytes(path)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise InvalidArgument(
            f"the configuration '{path}' cannot be read: {error.strerror or error}",
            reason="FILE_UNREADABLE",
            hint="check who may read it",
        ) from error
    import tomllib  # noqa: PLC0415 - only profiles need it

    try:
        tables = tomllib.loads(content.decode()).pop("profiles", {})
        return {name: _profile(name, table) for name, table in tables.items()}
    except (ValueError, TypeError, AttributeError):
        # Not from the error: TOML's own words may hold a piece of a token.
        raise InvalidArgument(
            f"the configuration '{path}' is damaged",
            reason="CONFIG_INVALID",
            hint="move it away, then say tabard login again",
        ) from None


def write_profiles(path: Path, profiles: Mapping[str, Profile]) -> None:
    """Write all profiles; whoever reads meanwhile sees those of before, or these.

    Raises:
        OSError: It cannot be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    parts = [_HEADING, *(_table(name, profiles[name]) for name in sorted(profiles))]
    with _replaced(path) as descriptor, os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(parts))
        file.flush()
        os.fsync(descriptor)


def check_profile_name(name: str) -> str:
    """Give a name that a profile can have.

    Raises:
        InvalidArgument: It cannot.
    """
    if not _NAME.fullmatch(name):
        raise InvalidArgument(
            f"a profile cannot be called '{name[:80]}'",
            reason="PROFILE_NAME_INVALID",
            hint="use up to 64 letters, digits, - and _",
        )
    return name


def _profiles_of(environ: Mapping[str, str]) -> dict[str, Profile]:
    path = config_file(environ)
    return read_profiles(path) if path else {}


def _own_bytes(path: Path) -> bytes:
    """Read a file that nobody else can read."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if os.fstat(descriptor).st_mode & _OTHERS:
            raise InvalidArgument(
                f"others can read the configuration '{path}', which holds secrets",
                reason="CONFIG_NOT_PRIVATE",
                hint=f"chmod 600 '{path}', and revoke its tokens if others may have read them",
            )
        content = file.read(CONFIG_BYTES_MAX + 1)
    if len(content) > CONFIG_BYTES_MAX:
        raise OSError(f"it has more than {CONFIG_BYTES_MAX} bytes")
    return content


def _profile(name: str, table: Mapping[str, Any]) -> Profile:
    kinds = {one.name: bool if one.name == "insecure" else str for one in fields(Profile)}
    if any(type(value) is not kinds.get(key) for key, value in table.items()):
        raise ValueError(name)
    return Profile(**table)


def _table(name: str, profile: Profile) -> str:
    said = {key: value for key, value in asdict(profile).items() if value}
    # What JSON writes of texts and truths, TOML reads; but for one character.
    lines = (
        f"{key} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")
        for key, value in said.items()
    )
    return "\n".join([f"[profiles.{name}]", *lines, ""])


@contextmanager
def _replaced(path: Path) -> Iterator[int]:
    """Give a new file, which takes its place when it is written."""
    import tempfile  # noqa: PLC0415 - only who writes needs it, and it imports much

    descriptor, name = tempfile.mkstemp(prefix=".config-", dir=path.parent)
    try:
        yield descriptor
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
