# SPDX-License-Identifier: Apache-2.0
"""The page of a review, as a server gives it, with other addresses for its pictures. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

_PICTURE = re.compile(r'src="([0-9a-f]{64})\.png"')


def page_pieces(page: bytes) -> Iterator[tuple[str, str]]:
    """Cut a page at the addresses of its pictures.

    Yields:
        Text up to the address of a picture, and the picture's digest; the last text has none. What
        stands for the address is written between them, as the value of an attribute in quotes.
    """
    text, end = page.decode(), 0
    for found in _PICTURE.finditer(text):
        # Every word that somebody wrote is escaped, so no text can look like this.
        yield f'{text[end : found.start()]}src="', f"sha256:{found[1]}"
        end = found.end() - 1
    yield text[end:], ""
