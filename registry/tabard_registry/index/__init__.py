# SPDX-License-Identifier: Apache-2.0
"""The derived index: search and history over all release lines, without reading them all.

Everything in it follows from the state. Whatever is missing, locked, damaged or another registry's
is built anew, and nobody who asks gets to know.
"""

from tabard_registry.index.index import Index
from tabard_registry.index.tables import SearchHit

__all__ = ["Index", "SearchHit"]
