# SPDX-License-Identifier: Apache-2.0
"""`tabard choose`: which kind of fine-tuning to train, and what to ask of it afterwards.

Asks no server. `docs/choosing.md` says the same at length, with where every figure comes from.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import click

from tabard.cli.choices import Named
from tabard.cli.layout import Text
from tabard.cli.output import Output, fields, table
from tabard.cli.session import with_output
from tabard.enums import Kind, Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One kind of fine-tuning, as somebody who has to choose needs it.

    Attributes:
        method: How trainers call it.
        kind: What a release of it is.
        purpose: What `tabard publish --purpose` says of it; it selects the grid and the gates.
        for_what: When it is the right one.
        changes: What of the base it changes.
        pictures: What it is trained on.
        training: What training costs.
        file: How large it is.
        serving: What wearing it costs.
        asked: How a prompt asks for it.
        risk: What goes wrong with it.
        evaluation: What to ask of it before it is `stable`.
        commands: How that is asked.
    """

    method: str
    kind: Kind
    purpose: Purpose
    for_what: str
    changes: str
    pictures: str
    training: str
    file: str
    serving: str
    asked: str
    risk: str
    evaluation: str
    commands: tuple[str, ...]


CHOICES: Mapping[str, Choice] = {
    "word": Choice(
        method="Textual Inversion",
        kind="textual_inversion",
        purpose="concept",
        for_what="the base nearly draws it when you describe it, and has no word for it: a colour, "
        "a motif, a mood",
        changes="nothing of the base: one or a few vectors beside those of its words",
        pictures="3 to 5",
        training="the vectors alone, though through the whole model; thousands of steps",
        file="3 kB a vector (SD1.5)",
        serving="nothing in a step; it takes its places in the prompt, and has no weight",
        asked="by its word; without it, it is not worn",
        risk="it cannot teach what the base cannot draw, and blurs what many pictures share",
        evaluation="likeness in the worst prompt, and that other words of the prompt still count",
        commands=(
            "tabard publish acme/plum plum.safetensors --version 1.0.0 --purpose concept",
            "tabard evaluate acme/plum@1.0.0 --references pictures/",
            'tabard compare acme/plum@1.0.0 --prompt "a {trigger} heart" --base',
        ),
    ),
    "style": Choice(
        method="LoRA",
        kind="lora",
        purpose="style",
        for_what="a look for any subject, which the base does not come close to",
        changes="a low-rank difference of the attention and feed-forward layers, at times of the "
        "text encoder",
        pictures="many different subjects in one look",
        training="about 1 % as many weights as the base has; hundreds to thousands of steps",
        file="14 MB (SD1.5, rank 16), 171 MB (SDXL, rank 32)",
        serving="about 7 % of a step, whatever other rows wear; 3 to 7 ms from disk to ready",
        asked="by its trigger word, if it has one, and by its weight",
        risk="overcooked, it draws the same look over everything and forgets the subject",
        evaluation="likeness together with generalisation and drift; several weights side by side",
        commands=(
            "tabard publish acme/ink ink.safetensors --version 1.0.0 --purpose style",
            "tabard evaluate acme/ink@1.0.0 --references pictures/ --training pictures/",
            "tabard compare acme/ink@1.0.0 --weights 0.6,0.8,1.0 --prompts prompts.txt --base",
        ),
    ),
    "subject": Choice(
        method="DreamBooth",
        kind="dreambooth",
        purpose="subject",
        for_what="this very one has to be recognised, everywhere: a mascot, a product, a person",
        changes="all weights of the base, or a low-rank difference of them (DreamBooth LoRA)",
        pictures="3 to 5 of the subject, and 200 to 300 of its class that the base draws itself",
        training="the whole model, so its memory several times over; 800 to 1,200 steps for faces",
        file="as a style; a full checkpoint (2 GB for SD1.5) becomes one by tabard extract",
        serving="as a style; what is not low-rank needs a merged copy, 199 ms for another stack",
        asked="by a rare word and its class, as 'sks dog'",
        risk="it copies its pictures, makes its whole class look like it, or shows a person who "
        "was not asked",
        evaluation="likeness of the subject (with a learned encoder), copies of training "
        "pictures, leak into its class; a person completes the failure checks",
        commands=(
            "tabard publish acme/mascot mascot.safetensors --version 1.0.0 --purpose subject",
            "tabard evaluate acme/mascot@1.0.0 --references pictures/ --training pictures/",
            'tabard compare acme/mascot@1.0.0 --prompt "a {trigger} in a forest" --base '
            "--class-word creature",
        ),
    ),
}
"""The three, by what they give people."""

_LINES = {
    "for": "for_what",
    "changes": "changes",
    "pictures": "pictures",
    "training": "training",
    "file": "file",
    "serving": "serving",
    "asked": "asked",
    "risk": "risk",
    "evaluate": "evaluation",
    "purpose": "purpose",
}


@click.command()
@click.argument("what", type=Named(CHOICES), required=False, metavar="[word|style|subject]")
@with_output
def choose(output: Output, *, what: str | None) -> None:
    """Say which kind of fine-tuning fits: a word, a style or a subject.

    Without an argument two questions are asked, in a terminal; elsewhere all three stand side by
    side. No server is needed.

    \b
    tabard choose
    tabard choose subject
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    if what is None and not output.is_json and sys.stdin.isatty():
        what = _ask()
    if what is None:
        output.answer({name: _document(one) for name, one in CHOICES.items()}, *_all())
    else:
        output.answer({what: _document(CHOICES[what])}, *_one(what))


def answer_to(*, is_look: bool, is_nearly_drawn: bool) -> str:
    """Give what fits: a look for any picture or one thing in it; nearly drawn already or not."""
    if is_nearly_drawn:
        return "word"
    return "style" if is_look else "subject"


def _ask() -> str:
    kind = click.prompt(
        "Is it a look for any picture, or one thing in it?",
        type=Named(("look", "thing")),
        err=True,
    )
    is_nearly_drawn = click.confirm(
        "Does the base come close when you describe it in words?", err=True
    )
    return answer_to(is_look=kind == "look", is_nearly_drawn=is_nearly_drawn)


def _document(one: Choice) -> dict[str, Any]:
    return asdict(one)


def _one(name: str) -> list[Any]:
    one = CHOICES[name]
    return [
        Text(f"a {name}: {one.method}", style="bold"),
        fields({line: getattr(one, attribute) for line, attribute in _LINES.items()}),
        Text("then", style="bold"),
        *(f"  {command}" for command in one.commands),
    ]


def _all() -> list[Any]:
    rows = [
        (line, *(getattr(one, attribute) for one in CHOICES.values()))
        for line, attribute in _LINES.items()
    ]
    headings = [f"a {name}: {one.method}" for name, one in CHOICES.items()]
    return [table("", *headings, rows=rows), "more of one: tabard choose word|style|subject"]
