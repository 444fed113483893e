# SPDX-License-Identifier: Apache-2.0
"""The intake: files from any trainer come in, a report and a checked reading go out.

Files are hostile: content decides what they are, and every tensor is applied or the file is
refused by name with a remedy.
"""

from tabard_registry.intake.check import check
from tabard_registry.intake.files.limits import IntakeLimits

__all__ = ["IntakeLimits", "check"]
