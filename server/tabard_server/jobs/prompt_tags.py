# SPDX-License-Identifier: Apache-2.0
"""`<lora:namespace/name:0.8>` in a prompt, with the meaning it has in A1111.

In: a prompt. Out: the prompt without its tags, and the refs they hold. Knows no registry: whether
an adapter exists is not its business.
"""

import re
from dataclasses import dataclass

_TAG = re.compile(r"<(lora|lyco|hypernet):([^<>]*)>")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedPrompt:
    """A prompt taken apart.

    Attributes:
        text: The prompt without tags, outer blanks removed.
        refs: What the `lora` tags hold, in order: `namespace/name[@selector][:weight]`.
        foreign: Whole tags of kinds that are not served here.
    """

    text: str
    refs: tuple[str, ...]
    foreign: tuple[str, ...]


def read_tags(prompt: str) -> TaggedPrompt:
    """Take the tags out of a prompt. A `lora` tag without a weight has the weight 1."""
    found = list(_TAG.finditer(prompt))
    return TaggedPrompt(
        text=_TAG.sub("", prompt).strip(),
        refs=tuple(match[2].strip() for match in found if match[1] == "lora"),
        foreign=tuple(match[0] for match in found if match[1] != "lora"),
    )


def write_tag(name: str, *, weight: float) -> str:
    """Write an adapter as A1111 shows it in image metadata."""
    return f"<lora:{name}:{weight:g}>"
