# SPDX-License-Identifier: Apache-2.0
"""What an operator is told of files: what is not read, and how coarse they are."""

from tabard_server.engine.base.files.stored_model import StoredModel


def test_remarks_name_what_is_not_read() -> None:
    """Keys elsewhere are counted and quoted; eight bits are said."""
    stored = StoredModel(source="x", components={}, elsewhere=("junk", "more"), is_eight_bit=True)

    first, second = stored.remarks

    assert first == "2 keys of no component, not read: junk, more"
    assert "eight bits" in second


def test_sound_files_need_no_remark() -> None:
    """A clean checkpoint is loaded without a word."""
    assert StoredModel(source="x", components={}).remarks == ()
