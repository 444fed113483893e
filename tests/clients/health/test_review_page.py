# SPDX-License-Identifier: Apache-2.0
"""Addresses of pictures in a page: others in their place, and every word as it was."""

from tabard.health.review_page import page_pieces

ONE, TWO = "1" * 64, "a" * 64
PAGE = f'<p>src=&quot;{ONE}.png&quot; ü</p><img alt="x" src="{ONE}.png"><img src="{TWO}.png">end'


def test_pieces_are_the_page() -> None:
    """With what stands in place of each address between them."""
    pieces = list(page_pieces(PAGE.encode()))

    assert [digest for _, digest in pieces] == [f"sha256:{ONE}", f"sha256:{TWO}", ""]
    again = "".join(
        text + (f"{digest.removeprefix('sha256:')}.png" if digest else "")
        for text, digest in pieces
    )
    assert again == PAGE


def test_words_are_no_address() -> None:
    """What somebody wrote is escaped, and stays."""
    made = "".join(text + "NAME" * bool(digest) for text, digest in page_pieces(PAGE.encode()))

    assert made == (
        f'<p>src=&quot;{ONE}.png&quot; ü</p><img alt="x" src="NAME"><img src="NAME">end'
    )


def test_page_without_pictures_is_one_piece() -> None:
    """Nothing is lost."""
    assert list(page_pieces(b"<p>nothing</p>")) == [("<p>nothing</p>", "")]
