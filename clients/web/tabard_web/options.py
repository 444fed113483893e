# SPDX-License-Identifier: Apache-2.0
"""What the SDK is asked, from what a request says: what it leaves out is left to the server.

In: parameters by the names of the SDK. Out: those that say something. 0 says something.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tabard import GenerateOptions


def options_of(said: Mapping[str, Any]) -> GenerateOptions:
    """Give the parameters that say something: no empty text or list, nothing switched off."""
    options: GenerateOptions = {  # type: ignore[assignment]
        name: value
        for name, value in said.items()
        # By identity, for 0 is equal to False.
        if value is not False and value not in (None, "", ())
    }
    return options
