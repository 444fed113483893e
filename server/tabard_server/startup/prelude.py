# SPDX-License-Identifier: Apache-2.0
"""What comes before a server: its settings, its log, and a base that is there at all.

In: where settings are said. Out: the settings of a server that is worth starting. Loads no model
library, so that a slip of the hand is answered at once.
"""

from typing import Unpack

from tabard_server.engine.base.place import require_base
from tabard_server.settings import Settings
from tabard_server.settings_sources import Sources, load_settings, service_variables
from tabard_server.telemetry.logs import log_event, set_up_logging


def prepare(**sources: Unpack[Sources]) -> Settings:
    """Read the settings, set up the log of this process as they say, and look for the base.

    Raises:
        BadSettings: A name is unknown or a value is of the wrong kind.
        BaseNotLoadable: There is no such base.
    """
    settings = load_settings(**sources)
    set_up_logging(log_format=settings.log_format, level=settings.log_level)
    if ignored := service_variables(sources.get("environment") or {}):
        why = "Kubernetes sets them for a Service of this name"
        log_event("settings.variables_ignored", names=ignored, why=why)
    require_base(settings.base)
    if settings.base_config is not None:
        require_base(settings.base_config)
    return settings
