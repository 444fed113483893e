# SPDX-License-Identifier: Apache-2.0
"""Where settings are said: a TOML file, `TABARD_*` variables and overrides, later ones winning.

Names are those of the fields; within a section `limits.steps_max`, `TABARD_LIMITS_STEPS_MAX`.
Whatever is unknown or of the wrong kind is refused, and where it was said is named.
"""

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypedDict, Unpack

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource

from tabard_server.errors import BadSettings
from tabard_server.setting_words import what_is_wrong, what_to_write
from tabard_server.settings import Settings

CLIENT_VARIABLES = frozenset(
    {
        *("TABARD_ADDRESS", "TABARD_ACTOR", "TABARD_PROFILE"),
        *("TABARD_TOKEN", "TABARD_TOKEN_FILE", "TABARD_TLS_CA"),
    }
)
"""Variables of the command line, which the server leaves alone."""
TEST_VARIABLES = frozenset({"TABARD_TEST_S3", "TABARD_CEPH_FOLDER"})
"""Variables of the test suite, which may stand in the environment of a server that it starts."""
_OF_A_SERVICE = re.compile(
    r"TABARD_(?:\w+_)?(?:"
    r"SERVICE_HOST=[0-9a-fA-F.:]+|SERVICE_PORT(?:_\w+)?=[0-9]+|"
    r"PORT(?:_[0-9]+_(?:TCP|UDP|SCTP))?=(?:tcp|udp|sctp)://\S+|"
    r"PORT_[0-9]+_(?:TCP|UDP|SCTP)_(?:PROTO=(?:tcp|udp|sctp)|PORT=[0-9]+|ADDR=[0-9a-fA-F.:]+)"
    r")"
)
"""What Kubernetes puts into every pod for a Service called tabard, or tabard-something."""

_PREFIX = "TABARD_"
_LIKENESS_MIN = 0.7
_OF_AN_ADDRESS = frozenset({"address", "bind", "host", "port"})
"""What others call the setting `listen`, or a half of it."""
_CREDENTIALS = re.compile(r"^(?!file:)([\w+.-]+://).*@")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting as people are shown it.

    Attributes:
        name: Dotted name.
        value: Its value; secrets are masked.
        source: Who said it: `default`, `file PATH`, `variable NAME` or `flag`.
        meaning: What it is for.
    """

    name: str
    value: Any
    source: str
    meaning: str


class Sources(TypedDict, total=False):
    """Where settings are said; later ones win."""

    file: Path | None
    """TOML, with the names of the fields; sections are tables."""
    environment: Mapping[str, str]
    """Variables; those that do not begin with `TABARD_` are left alone."""
    overrides: Mapping[str, object]
    """Values by dotted name, read like the texts of variables; None means "not said"."""


def load_settings(**sources: Unpack[Sources]) -> Settings:
    """Read the settings.

    Raises:
        BadSettings: A name is unknown or a value is wrong; it tells of all of them.
    """
    settings, mistakes = read_settings(**sources)
    BadSettings.refuse(mistakes)
    return settings


def read_settings(**sources: Unpack[Sources]) -> tuple[Settings, list[BadSettings]]:
    """Read what is right of the settings, and return it with all that is wrong.

    Raises:
        BadSettings: The file cannot be read.
    """
    said, unknown = _gather(**sources)
    settings, wrong = _build(said)
    return settings, [*unknown, *wrong]


def explain_settings(**sources: Unpack[Sources]) -> tuple[Setting, ...]:
    """Read the settings as `load_settings` does, and say of each where it comes from."""
    said, unknown = _gather(**sources)
    settings, wrong = _build(said)
    BadSettings.refuse([*unknown, *wrong])
    values = dict(_flatten(settings.model_dump()))
    return tuple(
        Setting(
            name=name,
            value=_masked(values[name]),
            source=said[name][1] if name in said else "default",
            meaning=" ".join((field.description or "").split()),
        )
        for name, field in _leaves(Settings)
    )


def service_variables(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Name the variables that an orchestrator made of a Service's name: no settings of a server."""
    return tuple(
        sorted(
            name for name, text in environment.items() if _OF_A_SERVICE.fullmatch(f"{name}={text}")
        )
    )


def setting_names() -> tuple[str, ...]:
    """Return the dotted name of every setting."""
    return tuple(name for name, _field in _leaves(Settings))


_Said = dict[str, tuple[object, str]]
"""What was said, by dotted name: the value, and who said it."""


def _gather(
    *,
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> tuple[_Said, list[BadSettings]]:
    names, environment = setting_names(), environment or {}
    of_others = CLIENT_VARIABLES | TEST_VARIABLES | {*service_variables(environment)}
    document = dict(_flatten(_read_toml(file))) if file else {}
    texts = {
        variable: text
        for variable, text in environment.items()
        if variable.startswith(_PREFIX) and variable not in of_others
    }
    flags = {name: str(value) for name, value in (overrides or {}).items() if value is not None}
    variables = [*map(_variable, names)]
    unknown = [
        *_unknown(document, known=names, where=f"in {file}"),
        *_unknown(texts, known=variables, where="in the environment"),
        *_unknown(overrides or (), known=names, where="among the overrides"),
    ]
    texts = {name: text for name, text in texts.items() if name in variables}
    flags = {name: text for name, text in flags.items() if name in names}
    said: _Said = {
        name: (value, f"file {file}") for name, value in document.items() if name in names
    }
    for name, value in _read_texts(texts, prefix=_PREFIX, delimiter="_"):
        said[name] = value, f"variable {_variable(name)}"
    for name, value in _read_texts(flags, prefix="", delimiter="."):
        said[name] = value, "flag"
    return said, unknown


def _read_toml(file: Path) -> dict[str, Any]:
    # Not by the library, which passes over a file that is not there and cannot read a pipe.
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadSettings(
            f"{file} cannot be read: {error.strerror}",
            hint="check that it is there, and who reads it",
        ) from error
    except UnicodeDecodeError as error:
        raise BadSettings(
            f"{file} cannot be read: it is not UTF-8", hint="save it as UTF-8"
        ) from error
    except tomllib.TOMLDecodeError as error:
        # Where it stands is the reader's own word, and no other tells it.
        raise BadSettings(
            f"{file} cannot be read as TOML: {error}", hint="`tabard config example` writes one"
        ) from error


def _read_texts(
    texts: Mapping[str, str], *, prefix: str, delimiter: str
) -> Iterator[tuple[str, object]]:
    """Turn texts into the kinds of their settings; what cannot be turned is refused later."""
    source = _Texts(
        Settings, env_prefix=prefix, env_nested_delimiter=delimiter, env_nested_max_split=1
    )
    source.env_vars = {name.lower(): text for name, text in texts.items()}
    return _flatten(source())


class _Texts(EnvSettingsSource):
    """Reads texts; one that should be JSON and is none is refused with all that is wrong."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Return what a text says, or the text."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def _build(said: _Said) -> tuple[Settings, list[BadSettings]]:
    """Take away what is wrong, and look again at the rest, until nothing more is wrong."""
    rest, mistakes = dict(said), list[BadSettings]()
    while True:
        try:
            return Settings(**_tree(rest)), mistakes
        except ValidationError as error:
            found = _mistakes(error, said=said)
        except BadSettings as error:
            found = [error]
        known = {one.names[0] for one in mistakes}
        for one in found:
            # What contradicts a name that is already wrong says nothing new.
            if not known & {*one.names}:
                mistakes.append(one)
            # The wrong name has its default now, if the other is to blame for it.
            rest.pop(next((name for name in one.names if name in rest), ""), None)


def _tree(said: _Said) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, (value, _source) in said.items():
        section, _dot, leaf = name.rpartition(".")
        (tree.setdefault(section, {}) if section else tree)[leaf] = value
    return tree


def _mistakes(error: ValidationError, *, said: _Said) -> list[BadSettings]:
    fields = dict(_leaves(Settings))
    by_place: dict[tuple[str, tuple[int | str, ...]], ErrorDetails] = {}
    for one in error.errors():
        name = _setting_at(one["loc"], fields=fields)
        table = one["loc"][name.count(".") + 1 :][:2]
        if table and isinstance(table[0], int):
            # A list that lost a wrong word is said to be too short as well.
            by_place.setdefault((name, table), one)
        else:
            by_place[name, ()] = one
    return [
        BadSettings(
            f"{what_is_wrong(one, name=name)} ({said[name][1]})",
            names=(name,),
            hint=what_to_write(one, field=fields.get(name)),
        )
        for (name, _table), one in by_place.items()
    ]


def _setting_at(place: Sequence[int | str], *, fields: Collection[str]) -> str:
    """Return the setting that a place is in: one may hold tables, with fields of their own."""
    names = [".".join(map(str, place[:length])) for length in range(len(place), 0, -1)]
    return next((name for name in names if name in fields), names[0])


def _unknown(
    names: Collection[str], *, known: Collection[str], where: str
) -> Iterator[BadSettings]:
    for name in names:
        if name not in known:
            near = _nearest(name, known=known)
            hint = f"did you mean {near}?" if near else "`tabard config example` names them all"
            yield BadSettings(f"there is no setting {name} ({where})", names=(name,), hint=hint)


def _nearest(name: str, *, known: Collection[str]) -> str | None:
    """Return the known name that a wrong one is like, the prefix of all variables aside."""
    prefix = _PREFIX if name.startswith(_PREFIX) else ""
    rest = name.removeprefix(prefix)
    if rest.lower() in _OF_AN_ADDRESS:
        return f"{prefix}LISTEN" if prefix else "listen"
    by_rest = {one.removeprefix(prefix): one for one in known}
    near = get_close_matches(rest, by_rest, n=1, cutoff=_LIKENESS_MIN)
    return by_rest[near[0]] if near else None


def _leaves(section: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _leaves(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, field


def _flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _variable(name: str) -> str:
    return _PREFIX + name.upper().replace(".", "_")


def _masked(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return str(value)
    if isinstance(value, dict):
        return {name: _masked(inner) for name, inner in value.items()}
    if isinstance(value, tuple):
        return tuple(map(_masked, value))
    return _CREDENTIALS.sub(r"\1**********@", value) if isinstance(value, str) else value
