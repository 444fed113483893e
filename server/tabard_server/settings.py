# SPDX-License-Identifier: Apache-2.0
"""The settings of a server: one frozen tree, read once, refused loudly when wrong or unknown.

In: a TOML file, `TABARD_*` variables and overrides, later ones winning. Out: `Settings`.
Names are those of the fields; within a section `limits.steps_max`, `TABARD_LIMITS_STEPS_MAX`.
"""

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_type_hints

from tabard_server.errors import BadSettings
from tabard_server.jobs.job import PROMPT_SYNTAXES
from tabard_server.limits import Limits

CLIENT_VARIABLES = frozenset({"TABARD_ADDRESS", "TABARD_TOKEN", "TABARD_ACTOR"})
"""Variables of the command line, which the server leaves alone."""
TEST_VARIABLES = frozenset({"TABARD_TEST_S3", "TABARD_CEPH_FOLDER"})
"""Variables of the test suite, which may stand in the environment of a server that it starts."""

_PREFIX = "TABARD_"
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "unix")


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What a request means where it says nothing.

    Attributes:
        steps: Denoise steps.
        guidance_scale: Classifier-free guidance.
        sampler: Short name.
        prompt_syntax: How prompts are read: `plain` or `a1111`.
    """

    steps: int = 25
    guidance_scale: float = 7.5
    sampler: str = "ddim"
    prompt_syntax: str = "plain"

    def __post_init__(self) -> None:
        if self.steps < 1 or not math.isfinite(self.guidance_scale):
            raise BadSettings(
                "defaults.steps is below 1, or defaults.guidance_scale is not finite",
                hint="leave them out for 25 steps and a guidance of 7.5",
            )
        if self.prompt_syntax not in PROMPT_SYNTAXES:
            raise BadSettings(
                f"defaults.prompt_syntax is {self.prompt_syntax!r}",
                hint=f"choose one of: {', '.join(PROMPT_SYNTAXES)}",
            )


def _default_registry() -> str:
    return (Path.home() / ".local" / "share" / "tabard" / "registry").as_uri()


def _default_cache() -> str:
    return str(Path.home() / ".cache" / "tabard")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a server is told at start.

    Attributes:
        listen: Address of the gRPC port; port 0 lets the system choose.
        metrics_listen: Address of the Prometheus page; empty: none.
        insecure: Allow addresses that others can reach, without identity or encryption.
        registry: URL of the registry, `s3://bucket/prefix`, `file:///…`, or a folder.
        single_writer: Write to a bucket that keeps no conditions; nobody else may then write.
        cache: Folder of what can be made again: the index for search and history, and adapters
            of a remote registry. Servers may share it.
        checkpoint_records: A checkpoint is kept every so many records; 0: never.
        base: `demo`, a diffusers folder, a `.safetensors` file, or a hub id.
        base_config: For a single file: folder or hub id with its configs and tokenizer.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, ….
        dtype: `auto`, `float32`, `float16` or `bfloat16`.
        torch_threads: CPU threads of torch; None: torch's own choice.
        slot_rank_total: Rank rows of all slots together.
        merged_copy: Keep a second copy of the weights that adapters change, for stacks that own the
            traffic and for adapters that are not low-rank.
        compiled: Run the UNet as a compiled graph, on CUDA as a captured one: the first images of
            each batch size and pixel size then take long, all others less. Needs a C++ compiler.
        memory_bytes_max: What may be used of the device; None: what it has free.
        poll_seconds: How often the registry is asked for what others wrote, give or take a fifth.
        drain_seconds_max: How long a stopping server waits for running jobs.
        ready_file: Where to write address, metrics address and process id once ready.
        limits: Every bound.
        defaults: What a request means where it says nothing.
    """

    listen: str = "127.0.0.1:50051"
    metrics_listen: str = "127.0.0.1:9464"
    insecure: bool = False
    registry: str = field(default_factory=_default_registry)
    single_writer: bool = False
    cache: str = field(default_factory=_default_cache)
    checkpoint_records: int = 1_000
    base: str = "demo"
    base_config: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    torch_threads: int | None = None
    slot_rank_total: int = 256
    merged_copy: bool = True
    compiled: bool = False
    memory_bytes_max: int | None = None
    poll_seconds: float = 0.5
    drain_seconds_max: float = 30.0
    ready_file: str | None = None
    limits: Limits = field(default_factory=Limits)
    defaults: Defaults = field(default_factory=Defaults)

    def __post_init__(self) -> None:
        for name in ("listen", "metrics_listen"):
            self._check_address(name, getattr(self, name))
        if not self.listen:
            raise BadSettings("listen is empty", hint="write host:port, like 127.0.0.1:50051")
        for name in (
            "poll_seconds",
            "drain_seconds_max",
            "slot_rank_total",
            "torch_threads",
            "memory_bytes_max",
        ):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise BadSettings(f"{name} is {value!r}", hint=f"{name} is a number above 0")
        if self.checkpoint_records < 0 or not self.cache:
            raise BadSettings(
                "checkpoint_records is below 0, or cache is empty",
                hint="write 0 for no checkpoints; name a folder, or leave them out",
            )

    def _check_address(self, name: str, address: str) -> None:
        if not address:
            return
        host, colon, port = address.rpartition(":")
        is_port = port.isdigit() and int(port) < 65_536
        if not (colon and host and (is_port or host == "unix")):
            raise BadSettings(
                f"{name} is {address!r}", hint="write host:port, like 127.0.0.1:50051"
            )
        if host not in _LOOPBACK and not self.insecure:
            raise BadSettings(
                f"{name} {address} can be reached from other machines, and whoever reaches it "
                "may publish, promote and generate",
                reason="INSECURE_LISTEN",
                hint="listen on 127.0.0.1 behind a proxy that knows its callers, or say insecure "
                "(--insecure, TABARD_INSECURE=true) on a network that you trust",
            )


def load_settings(
    *,
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Read the settings: file, then environment, then overrides; later ones win.

    Args:
        file: TOML, with the names of the fields; sections are tables.
        environment: Variables; those that do not begin with `TABARD_` are left alone.
        overrides: Values by dotted name; None means "not said".

    Raises:
        BadSettings: A name is unknown or a value is of the wrong kind.
    """
    known = dict(_leaves(Settings))
    said: dict[str, Any] = {}
    if file is not None:
        said |= _from_file(file, known=known)
    said |= _from_environment(environment or {}, known=known)
    for name, value in (overrides or {}).items():
        if name not in known:
            raise _unknown(name, known=known, where="among the overrides")
        if value is not None:
            said[name] = _read(name, value, known[name])
    return _build(said)


def setting_names() -> tuple[str, ...]:
    """Return the dotted name of every setting."""
    return tuple(name for name, _kind in _leaves(Settings))


def _leaves(tree: type, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, kind in get_type_hints(tree).items():
        if is_dataclass(kind) and isinstance(kind, type):
            yield from _leaves(kind, f"{prefix}{name}.")
        else:
            yield prefix + name, kind


def _from_file(file: Path, *, known: Mapping[str, Any]) -> dict[str, Any]:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSettings(
            f"{file} cannot be read: {error}", hint="it must be a TOML file in UTF-8"
        ) from error
    said = dict(_flatten(document))
    for name in said:
        if name not in known:
            raise _unknown(name, known=known, where=f"in {file}")
    return {name: _read(name, value, known[name]) for name, value in said.items()}


def _from_environment(
    environment: Mapping[str, str], *, known: Mapping[str, Any]
) -> dict[str, Any]:
    variables = {_PREFIX + name.upper().replace(".", "_"): name for name in known}
    said = {}
    for variable, text in environment.items():
        if not variable.startswith(_PREFIX) or variable in CLIENT_VARIABLES | TEST_VARIABLES:
            continue
        if variable not in variables:
            raise _unknown(variable, known=variables, where="in the environment")
        name = variables[variable]
        said[name] = _read(variable, text, known[name])
    return said


def _flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _read(name: str, value: Any, kind: Any) -> Any:
    """Turn a TOML value or a text into the kind of the setting; never guess."""
    allowed = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    plain = next(option for option in allowed if option is not type(None))
    if plain is float and type(value) is int:
        return float(value)
    if type(value) is plain:
        return value
    try:
        if isinstance(value, Path) and plain is str:
            return str(value)
        if not isinstance(value, str):
            raise ValueError(f"it is a {type(value).__name__}")
        if plain is bool:
            return {"true": True, "1": True, "false": False, "0": False}[value.strip().lower()]
        return plain(value)
    except (ValueError, KeyError) as error:
        raise BadSettings(
            f"{name} is {value!r}, not a {plain.__name__}",
            hint=f"write a {plain.__name__}, or leave {name} out",
        ) from error


def _build(said: Mapping[str, Any]) -> Settings:
    sections: dict[str, dict[str, Any]] = {"limits": {}, "defaults": {}}
    top: dict[str, Any] = {}
    for name, value in said.items():
        section, dot, leaf = name.partition(".")
        if dot:
            sections[section][leaf] = value
        else:
            top[name] = value
    return Settings(
        **top, limits=Limits(**sections["limits"]), defaults=Defaults(**sections["defaults"])
    )


def _unknown(name: str, *, known: Mapping[str, Any], where: str) -> BadSettings:
    near = [other for other in known if name.lower().split(".")[-1][:6] in other.lower()]
    hint = f"did you mean {', '.join(near[:3])}?" if near else "see `tabard serve --help`"
    return BadSettings(f"there is no setting {name} ({where})", hint=hint)
