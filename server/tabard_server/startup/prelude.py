# SPDX-License-Identifier: Apache-2.0
"""What comes before a server: its settings, its log, and the places that it is sent to.

In: where settings are said. Out: the settings of a server that is worth starting, or all that is
wrong with them. Loads no model library, so that a slip of the hand is answered at once.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.util import find_spec
from typing import Unpack

from tabard_registry import RegistryError
from tabard_registry.place import open_store
from tabard_server.access.certificate_files import CertificateFiles
from tabard_server.c2pa.signer import signer_for
from tabard_server.encoders.files import require_encoders
from tabard_server.engine.base.place import require_base
from tabard_server.engine_port.device import require_device
from tabard_server.engine_port.errors import EngineError
from tabard_server.errors import BadSettings
from tabard_server.life.ready_file import remove_stale, require_place
from tabard_server.safety.files import require_classifier
from tabard_server.settings import Settings
from tabard_server.settings_sources import Sources, read_settings, service_variables
from tabard_server.telemetry.logs import log_event, set_up_logging


def prepare(**sources: Unpack[Sources]) -> Settings:
    """Read the settings, set up the log of this process as they say, and look for their places.

    Raises:
        BadSettings: A name is unknown, a value is wrong, or there is no such base or registry; it
            tells of all of them.
    """
    environment = sources.get("environment") or {}
    settings, mistakes = read_settings(**sources)
    set_up_logging(log_format=settings.log_format, level=settings.log_level)
    if ignored := service_variables(environment):
        why = "Kubernetes sets them for a Service of this name"
        log_event("settings.variables_ignored", names=ignored, why=why)
    if settings.ready_file is not None:
        remove_stale(settings.ready_file)
    here: _Trials = {
        "device": partial(require_device, settings.device),
        "listen": partial(_require_no_socket, environment),
    }
    BadSettings.refuse([*mistakes, *_failed(_places(settings) | here)])
    return settings


def check(**sources: Unpack[Sources]) -> None:
    """Refuse what `prepare` would refuse but for the device, and change nothing in this process.

    Raises:
        BadSettings: As there.
    """
    settings, mistakes = read_settings(**sources)
    BadSettings.refuse([*mistakes, *_failed(_places(settings))])


_Trials = dict[str, Callable[[], object]]
"""What a setting leads to, by its name; each raises if it is not there."""


def _places(settings: Settings) -> _Trials:
    """Say what can be seen at once: that a base is there, and that a registry can be.

    A store that is opened is not yet asked for anything.
    """
    trials: _Trials = {
        "base": partial(require_base, settings.base),
        "registry": partial(open_store, settings.registry, single_writer=settings.single_writer),
    }
    if settings.encoders:
        trials["encoders"] = partial(
            require_encoders, settings.encoders, bytes_max=settings.limits.encoder_bytes_max
        )
    if settings.tls.is_on:
        trials["tls.certificate"] = partial(CertificateFiles, settings.tls)
    if settings.c2pa.is_on:
        trials["c2pa.certificate"] = partial(signer_for, settings.c2pa)
    if settings.safety.is_on:
        trials["safety.path"] = partial(
            require_classifier, settings.safety, bytes_max=settings.limits.encoder_bytes_max
        )
    if settings.base_config is not None:
        trials["base_config"] = partial(require_base, settings.base_config)
    if settings.ready_file is not None:
        trials["ready_file"] = partial(require_place, settings.ready_file)
    if settings.compiled == "openvino":
        trials["compiled"] = _require_openvino
    if settings.telemetry.otlp_endpoint:
        trials["telemetry.otlp_endpoint"] = _require_telemetry
    return trials


def _failed(trials: _Trials) -> Iterator[BadSettings]:
    for name, trial in trials.items():
        try:
            trial()
        except (BadSettings, EngineError, RegistryError) as error:
            names = getattr(error, "names", ()) or (name,)
            yield BadSettings(str(error), names=names, reason=error.reason, hint=error.hint)


def _require_no_socket(environment: Mapping[str, str]) -> None:
    """See that systemd has passed no socket to this process: gRPC cannot listen at one.

    Raises:
        BadSettings: It has, and holds the port that this server is meant to take.
    """
    is_mine = environment.get("LISTEN_PID") == str(os.getpid())
    if is_mine and environment.get("LISTEN_FDS", "0") != "0":
        raise BadSettings(
            "systemd passes a socket to this server, and gRPC takes an address only",
            reason="SOCKET_NOT_TAKEN",
            hint="remove the .socket unit of this service, and say the address: listen",
        )


def _require_telemetry() -> None:
    """See that traces can be sent, without importing what sends them.

    Raises:
        BadSettings: The extra is not installed.
    """
    try:
        found = find_spec("opentelemetry.exporter.otlp.proto.grpc")
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise BadSettings(
            "traces need OpenTelemetry, which is not installed",
            reason="EXTRA_MISSING",
            hint="pip install 'tabard[telemetry]'",
        )


def _require_openvino() -> None:
    """See that OpenVINO is here, without importing it.

    Raises:
        BadSettings: The extra is not installed.
    """
    if find_spec("openvino") is None:
        raise BadSettings(
            'compiled = "openvino" needs OpenVINO, which is not installed',
            reason="EXTRA_MISSING",
            hint="pip install 'tabard[openvino]'",
        )
