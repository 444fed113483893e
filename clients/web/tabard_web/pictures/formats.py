# SPDX-License-Identifier: Apache-2.0
"""How pictures are written: the formats, and what browsers call them."""

from __future__ import annotations

from typing import Literal

Format = Literal["png", "jpeg", "webp"]

MEDIA_TYPES: dict[Format, str] = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
