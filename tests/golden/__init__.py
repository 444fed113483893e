# SPDX-License-Identifier: Apache-2.0
"""Files that other programs wrote, kept so that tests need not install those programs."""

from pathlib import Path

GOLDEN = Path(__file__).parent
