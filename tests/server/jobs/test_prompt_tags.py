# SPDX-License-Identifier: Apache-2.0
"""Tags in prompts mean what A1111 users expect."""

import pytest

from tabard_server.jobs.prompt_tags import read_tags


@pytest.mark.parametrize(
    ("prompt", "text", "refs"),
    [
        ("a cat", "a cat", ()),
        ("a cat <lora:acme/ink:0.8>", "a cat", ("acme/ink:0.8",)),
        ("a <lora:acme/ink> cat", "a  cat", ("acme/ink",)),
        ("<lora:a/b:1><lora:c/d@1.2.0:-0.5>x", "x", ("a/b:1", "c/d@1.2.0:-0.5")),
        ("<lora:a/b@sha256:0123456789ab:0.5> x", "x", ("a/b@sha256:0123456789ab:0.5",)),
        ("a <teal> cat, 1 < 2 > 0", "a <teal> cat, 1 < 2 > 0", ()),
        ("a <lora: cat", "a <lora: cat", ()),
    ],
)
def test_tags_leave_the_prompt(prompt: str, text: str, refs: tuple[str, ...]) -> None:
    """Tags become refs; everything else stays as it was."""
    tagged = read_tags(prompt)

    assert (tagged.text, tagged.refs) == (text, refs)
