# SPDX-License-Identifier: Apache-2.0
"""The settings of a server: one frozen tree of values, refused loudly when they make no sense.

The text below a field is its meaning, here and in `tabard config`. Knows nothing of files and
variables: `settings_sources` reads them.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from tabard_server.access.settings import IdentitySettings, TlsSettings, is_loopback
from tabard_server.c2pa.settings import C2paSettings
from tabard_server.encoders.settings import EncoderSettings
from tabard_server.engine_port.device import DEVICE, DEVICES, Dtype, StorageDtype, nearest_device
from tabard_server.engine_port.errors import UnknownSampler
from tabard_server.engine_port.prompt_style import PromptSyntax, TokenMatch
from tabard_server.engine_port.samplers import resolve_sampler
from tabard_server.errors import BadSettings
from tabard_server.judgement.verdict import GatePolicy
from tabard_server.limits import VALUES, Limits, TenantLimits
from tabard_server.safety.settings import SafetySettings
from tabard_server.telemetry.logs import LogFormat, LogLevel
from tabard_server.webhooks.settings import JobsSettings

_POLLS_MISSED_MIN = 3
_UNIX_PATH_BYTES_MAX = 107


class Defaults(BaseModel):
    """What a request means where it says nothing."""

    model_config = VALUES

    steps: PositiveInt = 25
    """Denoise steps."""
    guidance_scale: Annotated[float, Field(ge=0.0)] = 7.5
    """Classifier-free guidance."""
    sampler: str = ""
    """Name of the sampler, in any spelling; empty: `ddim`, or `euler` on a flow base."""
    prompt_syntax: PromptSyntax = "plain"
    """How prompts are read: `plain` or `a1111`."""
    token_match: TokenMatch = "whole"
    """Where the word of an embedding counts: `whole`, as a word of its own, or `anywhere`, in
    longer words too, as in diffusers."""


class TelemetrySettings(BaseModel):
    """Traces of jobs; with nothing said there are none."""

    model_config = VALUES

    otlp_endpoint: str = ""
    """Where traces are sent, by OTLP over gRPC: `http://host:4317`, or `https://` with TLS; needs
    the extra `tabard[telemetry]`, and heeds the variables `OTEL_…`; empty: nowhere."""

    @model_validator(mode="after")
    def _endpoint_is_one(self) -> Self:
        if self.otlp_endpoint and not _is_endpoint(self.otlp_endpoint):
            raise BadSettings(
                "telemetry.otlp_endpoint is no URL of a collector",
                names=("telemetry.otlp_endpoint",),
                hint="write http://host:4317, or https://host:4317",
            )
        return self


def _is_endpoint(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname and parts.port)
    except ValueError:
        return False


def _default_registry() -> str:
    return (Path.home() / ".local" / "share" / "tabard" / "registry").as_uri()


def _default_cache() -> str:
    return str(Path.home() / ".cache" / "tabard")


class Settings(BaseSettings):
    """Everything a server is told at start."""

    model_config = VALUES

    listen: str = "127.0.0.1:50051"
    """Address of the gRPC port; port 0 lets the system choose."""
    operators_listen: str = "auto"
    """A second address for operators, with connections and places of its own, whatever callers hold
    of the first; `auto`: a unix socket that only this user can open, named after `listen` and kept
    in `$XDG_RUNTIME_DIR/tabard`, or in `tabard-UID` among the temporary files, unless the port of
    `listen` is 0; empty: none."""
    metrics_listen: str = "127.0.0.1:9464"
    """Address of the HTTP pages: `/metrics` for Prometheus, `/livez` and `/readyz` for
    orchestrators; empty: none."""
    metrics_private_names: bool = False
    """Name adapters of private namespaces in metrics and traces; otherwise they are counted
    together, as `private`."""
    insecure: bool = False
    """Allow addresses that others can reach, without identity or encryption."""
    trusted_proxy: str = ""
    """What ends TLS in front of this server, by any name that people know it by: addresses that
    others can reach then need identity and no encryption of their own; empty: there is none."""
    registry: str = Field(default_factory=_default_registry)
    """URL of the registry, `s3://bucket/prefix`, `file:///…`, or a folder."""
    single_writer: bool = False
    """Write to a bucket that keeps no conditions; nobody else may then write."""
    cache: str = Field(default_factory=_default_cache, min_length=1)
    """Folder of what can be made again: the index for search and history, and adapters of a remote
    registry. Servers may share it."""
    checkpoint_records: NonNegativeInt = 1_000
    """A checkpoint is kept every so many records; 0: never."""
    advertise: Annotated[str, Field(max_length=256)] = ""
    """Address at which others reach this server, as a proxy in front of it does: told to operators
    who ask for the replicas of its registry, and to callers who list jobs or ask another server for
    a job that this one keeps; empty: its machine's name alone is told, to operators."""
    heartbeat_seconds: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 60.0
    """How often it says in its registry that it is there and how it stands; 0: never, and the
    others do not know of it."""
    base: str = "demo"
    """`demo`, a diffusers folder, a `.safetensors` file, or a hub id."""
    base_config: str | None = None
    """For a single file: `demo`, folder or hub id with its configs and tokenizer."""
    base_prediction: Literal["epsilon", "v_prediction"] | None = None
    """What the base's UNet predicts, where its files contradict each other or say nothing; unset:
    as they say."""
    base_zero_snr: bool | None = None
    """Whether the base's noise schedule ends in pure noise (zero terminal SNR); unset: as its files
    say."""
    base_family: Literal["sd1", "sd2", "sdxl", "sd3", "flux"] | None = None
    """Family of the base, where what its files are called and what they hold contradict each other;
    unset: as both say."""
    adapters_that_contradict: bool = False
    """Take adapters whose own words contradict the base (its prediction, its noise schedule or its
    architecture), with a warning instead of a refusal."""
    releases_of: Literal["family", "base"] = "family"
    """Whose releases are drawn: `family`: those checked against any base of this family; `base`:
    only those checked against this very one, as where servers of several bases of a family stand
    behind one address."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`, …."""
    dtype: Dtype = "auto"
    """What the base is computed in; `auto`: float32 on a CPU; on CUDA float16, or bfloat16 for SD3
    and Flux, which overflow in float16."""
    storage_dtype: StorageDtype | None = None
    """What most weights of its network are kept in, cast layer by layer when used; unset: `dtype`.
    `float8_e4m3fn` takes half of the memory of float16, and is coarser."""
    torch_threads: Annotated[int | None, Field(gt=0)] = None
    """CPU threads of torch; unset: torch's own choice."""
    slot_rank_total: PositiveInt = 256
    """Rank rows of all slots together."""
    merged_copy: bool | None = None
    """Keep a second copy of the weights that adapters change, for stacks that own the traffic and
    for adapters that are not low-rank; unset: where it fits into memory beside four images."""
    compiled: bool | Literal["openvino"] = False
    """Compile the UNet, in processes beside the server, which serves as ever until a kind of pass
    is compiled; kept in the cache folder. On a CPU only where that is sooner; on CUDA as captured
    graphs, and SD3 and Flux, which no such process builds, at the first step of each size. Needs
    g++. `openvino`: by OpenVINO, for the base's own size on a CPU; needs `tabard[openvino]`."""
    memory_bytes_max: Annotated[int | None, Field(gt=0)] = None
    """What may be used of the device; unset: what it has free."""
    poll_seconds: PositiveFloat = 0.5
    """How often the registry is asked for what others wrote, give or take a fifth."""
    staleness_seconds_max: Annotated[float | None, Field(gt=0)] = None
    """How long the registry may not answer before `when_stale` is done; unset: for ever."""
    when_stale: Literal["degrade", "refuse"] = "degrade"
    """What a server does that has not heard of its registry for too long: `degrade`: says so, and
    serves on; `refuse`: takes no new jobs until it answers."""
    engine_stall_seconds_max: PositiveFloat = 60.0
    """How long the engine may be silent, though it has work, before the server says that it does
    not serve; above what a step may take, and with `compiled` on CUDA a graph to be built."""
    watchdog_seconds: PositiveFloat = 1.0
    """How often the server looks at its engine and at the age of what it knows."""
    drain_seconds_max: PositiveFloat = 30.0
    """How long a stopping server waits for running jobs."""
    stop_seconds_max: PositiveFloat = 5.0
    """What a stopping server has beyond that to tell its callers and end its threads; what is at
    work even then is abandoned."""
    log_format: LogFormat = "auto"
    """How the log is written: `json`, `text`, or `auto`, which is text on a terminal."""
    log_level: LogLevel = "info"
    """From which level on events are logged: `debug`, `info`, `warning` or `error`; `debug` tells
    also of acts through other servers."""
    log_prompts: bool = False
    """Write prompts into the log, with the end of each job."""
    log_jobs_per_second_max: PositiveInt = 20
    """Jobs whose end is logged in one second, failures before others; of the rest the log has the
    number by outcome."""
    previews_at_publish: bool = False
    """Draw a few pictures of every release that is published, behind everybody else, and keep them
    beside it; without this, of those that `tabard publish --preview` asks it for."""
    ready_file: str | None = None
    """Where to write address, metrics address and process id once ready; gone at the end."""
    tenants: Annotated[tuple[TenantLimits, ...], Field(strict=False)] = ()
    """What tenants have: tables with `name`, and any of `weight` (1), `queue_rows_max`,
    `pixel_steps_per_minute`, `resident_bytes_max`, `jobs_max` and `job_bytes_max`; `default` is the
    name of all others. Of a variable it is JSON."""
    encoders: Annotated[tuple[EncoderSettings, ...], Field(strict=False)] = ()
    """Learned encoders that evaluations score by, one of a kind: tables with `name`, `kind`
    (`style`, `subject` or `copy`) and `path`, and maybe `format` and `device`; none: scores are of
    colours, textures and edges. Of a variable it is JSON."""
    identity: IdentitySettings = IdentitySettings()
    tls: TlsSettings = TlsSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    limits: Limits = Limits()
    defaults: Defaults = Defaults()
    evaluation: GatePolicy = GatePolicy()
    jobs: JobsSettings = JobsSettings()
    c2pa: C2paSettings = C2paSettings()
    safety: SafetySettings = SafetySettings()

    @classmethod
    def settings_customise_sources(
        cls, *_sources: Any, **sources: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let nothing in but the values given: `settings_sources` reads the others."""
        return (sources["init_settings"],)

    @model_validator(mode="after")
    def _listen_where_allowed(self) -> Self:
        self._check_address("listen", self.listen)
        if self.metrics_listen:
            self._check_address("metrics_listen", self.metrics_listen)
        if self.operators_listen not in ("", "auto"):
            self._check_address("operators_listen", self.operators_listen)
        return self

    @model_validator(mode="after")
    def _certificates_are_asked_for(self) -> Self:
        if self.identity.certificate_grants and not self.tls.client_ca:
            raise BadSettings(
                "identity.certificate_grants says who may do what, and nobody is asked for a "
                "certificate",
                names=("identity.certificate_grants", "tls.client_ca"),
                hint="say whose certificates count: tls.client_ca",
            )
        return self

    @model_validator(mode="after")
    def _device_has_a_word(self) -> Self:
        if not DEVICE.fullmatch(self.device):
            near = nearest_device(self.device)
            raise BadSettings(
                f"no device is called {self.device!r}",
                names=("device",),
                hint=f"write {DEVICES}" + (f"; did you mean {near}?" if near else ""),
            )
        return self

    @model_validator(mode="after")
    def _stale_after_polls(self) -> Self:
        least, most = _POLLS_MISSED_MIN * self.poll_seconds, self.staleness_seconds_max
        if most is not None and most < least:
            raise BadSettings(
                f"staleness_seconds_max is {most:g}, and the registry is asked every "
                f"{self.poll_seconds:g} s",
                names=("staleness_seconds_max", "poll_seconds"),
                hint=f"use {least:g} or more, or ask more often (poll_seconds)",
            )
        return self

    @model_validator(mode="after")
    def _tenants_are_said_once(self) -> Self:
        names = [one.name for one in self.tenants]
        for name in names:
            if names.count(name) > 1:
                raise BadSettings(
                    f"tenants has {name!r} twice", names=("tenants",), hint="write one table of it"
                )
        return self

    @model_validator(mode="after")
    def _graphs_have_the_device(self) -> Self:
        if self.compiled and any(one.device == "engine" for one in self.encoders):
            raise BadSettings(
                "an encoder is on the device of the engine, and compiled lets nothing else run "
                "there while a graph is captured",
                names=("encoders", "compiled"),
                hint='give the encoder device = "cpu", or switch compiled off',
            )
        return self

    @model_validator(mode="after")
    def _defaults_are_served(self) -> Self:
        for name in ("steps", "guidance_scale"):
            value, most = getattr(self.defaults, name), getattr(self.limits, f"{name}_max")
            if value > most:
                raise BadSettings(
                    f"defaults.{name} is {value:g}, and limits.{name}_max {most:g}: a request "
                    "that says nothing of it would be refused",
                    names=(f"defaults.{name}", f"limits.{name}_max"),
                    hint=f"use {most:g} or less, or raise limits.{name}_max",
                )
        try:
            if self.defaults.sampler:
                resolve_sampler(self.defaults.sampler)
        except UnknownSampler as error:
            raise BadSettings(
                f"defaults.sampler: {error}", names=("defaults.sampler",), hint=error.hint
            ) from error
        return self

    def _check_address(self, name: str, address: str) -> None:
        if address.startswith("unix:") and name != "metrics_listen":
            self._check_path(name, address.removeprefix("unix:"))
            return
        host, colon, port = address.rpartition(":")
        is_port = port.isdigit() and int(port) < 65_536
        if not (colon and host and is_port):
            raise BadSettings(
                f"{name} is {address!r}",
                names=(name,),
                hint="write host:port, like 127.0.0.1:50051",
            )
        if not (is_loopback(address) or self.insecure):
            self._check_reach(name, address)

    def _check_reach(self, name: str, address: str) -> None:
        """Refuse an address that others reach, unless callers are known and nobody listens in."""
        is_sealed = self.tls.is_on or bool(self.trusted_proxy.strip())
        if self.identity.is_on and is_sealed:
            return
        lacks = [
            *([] if self.identity.is_on else ["identity: identity.tokens = true"]),
            *([] if is_sealed else ["encryption: tls.certificate and tls.key, or trusted_proxy"]),
        ]
        may = "publish, promote and generate"
        if name == "metrics_listen":
            may = "read who uses what, how much of it, and when"
        if self.identity.is_on:
            may = "read along what callers send, their tokens too"
        raise BadSettings(
            f"{name} {address} can be reached from other machines, and whoever reaches it may "
            f"{may}",
            names=(name, "insecure"),
            reason="INSECURE_LISTEN",
            hint=f"switch on {'; and '.join(lacks)}; or listen on 127.0.0.1; or say insecure "
            "(--insecure, TABARD_INSECURE=true) on a network that you trust",
        )

    def _check_path(self, name: str, path: str) -> None:
        if not path or len(os.fsencode(path)) > _UNIX_PATH_BYTES_MAX:
            raise BadSettings(
                f"{name} is 'unix:{path}'",
                names=(name,),
                hint=f"write unix:/path, of at most {_UNIX_PATH_BYTES_MAX} bytes",
            )
