# SPDX-License-Identifier: Apache-2.0
"""HTML for notebooks: what others wrote is text, never markup."""

import io
from html.parser import HTMLParser

from PIL import Image

from tabard import Client, Release
from tabard.notebook import pictures, sheet, table

HOSTILE = '<script>alert("x")</script>&'


class _Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_cells_are_text() -> None:
    """Markup in titles, headings and cells is shown, not obeyed."""
    found = _Tags(table(HOSTILE, (HOSTILE,), ((HOSTILE,), (1,))))

    assert "script" not in found.tags
    assert found.text == HOSTILE * 3 + "1"
    assert found.tags.count("tr") == 3


def test_captions_are_text() -> None:
    """So are the texts below pictures, and their alternative texts."""
    found = _Tags(pictures([(b"png", HOSTILE)], caption=HOSTILE))

    assert "script" not in found.tags
    assert found.tags.count("img") == 1
    assert found.text == HOSTILE * 2


def test_values_show_themselves(client: Client, stable: Release) -> None:
    """Results, images, adapters and histories are pictures and tables in a notebook."""
    result = client.generate("x", adapters=["acme/watercolor"], seed=7, num_images=2)

    page = _Tags(result._repr_html_())
    assert page.tags.count("img") == 2
    assert "seed 7" in page.text
    assert "acme/watercolor@1.0.0" in page.text
    with Image.open(io.BytesIO(result._repr_png_())) as shown:
        assert shown.size == (2 * result.images[0].pil.width, result.images[0].pil.height)
    assert result.images[0]._repr_mimebundle_() == {"image/png": result.images[0].content}
    assert "1.0.0stable" in _Tags(client.get("acme/watercolor")._repr_html_()).text
    assert "promote" in _Tags(client.history("acme/watercolor")._repr_html_()).text


def png(colour: str) -> bytes:
    """Return a picture of one colour."""
    written = io.BytesIO()
    Image.new("RGB", (4, 3), colour).save(written, format="PNG")
    return written.getvalue()


def test_sheet_holds_every_picture() -> None:
    """Row by row; a single one keeps its bytes, and what is said in them."""
    colours = ["red", "lime", "blue", "black", "yellow"]

    with Image.open(io.BytesIO(sheet([png(colour) for colour in colours]))) as found:
        corners = [found.getpixel((n % 4 * 4, n // 4 * 3)) for n in range(6)]
        size = found.size

    assert size == (16, 6)
    assert corners[:5] == [Image.new("RGB", (1, 1), one).getpixel((0, 0)) for one in colours]
    assert corners[5] == (255, 255, 255)
    assert sheet([png("red")]) == png("red")
