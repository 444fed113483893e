# SPDX-License-Identifier: Apache-2.0
"""The closed sets of the API, by the short names that the SDK takes and gives: `lora`, `a1111`, ….

A name is that of the member without the enum's own, in lower case; the empty one says nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

from tabard.errors import FieldViolation, InvalidArgument

if TYPE_CHECKING:
    from google.protobuf.descriptor import EnumDescriptor

Kind = Literal["lora", "textual_inversion", "dreambooth"]
Purpose = Literal["concept", "style", "subject"]
PromptSyntax = Literal["plain", "a1111"]
TokenMatch = Literal["whole", "anywhere"]
Priority = Literal["low", "normal", "high"]
ImageFormat = Literal["png", "jpeg", "webp"]
FileFormat = Literal["original", "canonical", "kohya", "diffusers"]
EvidenceKind = Literal["report", "references", "training", "previews", "review"]
ImageLabel = Literal[
    "prompt_drift", "style_mismatch", "artifact", "copyright", "portrait", "review_failure"
]
Decision = Literal["approve", "reject"]
PairSide = Literal["a", "b"]
VoteChoice = Literal["a", "b", "tie", "both_bad"]
# Samplers are texts of the API, for a server may serve more; these are those of this version.
Sampler = Literal[
    "ddim",
    "pndm",
    "euler",
    "euler_karras",
    "euler_a",
    "heun",
    "heun_karras",
    "lms",
    "lms_karras",
    "dpm2",
    "dpm2_karras",
    "dpm2_a",
    "dpm2_a_karras",
    "dpmpp_2m",
    "dpmpp_2m_karras",
    "dpmpp_2m_sde",
    "dpmpp_2m_sde_karras",
    "dpmpp_sde",
    "dpmpp_sde_karras",
    "unipc",
    "lcm",
    "tcd",
]
TimestepSpacing = Literal["leading", "trailing", "linspace"]
Schedule = Literal[
    "normal", "karras", "exponential", "beta", "sgm_uniform", "simple", "ddim_uniform"
]

KINDS: tuple[Kind, ...] = get_args(Kind)
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
PROMPT_SYNTAXES: tuple[PromptSyntax, ...] = get_args(PromptSyntax)
TOKEN_MATCHES: tuple[TokenMatch, ...] = get_args(TokenMatch)
SCHEDULES: tuple[Schedule, ...] = get_args(Schedule)
TIMESTEP_SPACINGS: tuple[TimestepSpacing, ...] = get_args(TimestepSpacing)
PRIORITIES: tuple[Priority, ...] = get_args(Priority)
IMAGE_FORMATS: tuple[ImageFormat, ...] = get_args(ImageFormat)
FILE_FORMATS: tuple[FileFormat, ...] = get_args(FileFormat)
EVIDENCE_KINDS: tuple[EvidenceKind, ...] = get_args(EvidenceKind)
IMAGE_LABELS: tuple[ImageLabel, ...] = get_args(ImageLabel)
DECISIONS: tuple[Decision, ...] = get_args(Decision)
PAIR_SIDES: tuple[PairSide, ...] = get_args(PairSide)
VOTE_CHOICES: tuple[VoteChoice, ...] = get_args(VoteChoice)

_SILENCE = "UNSPECIFIED"


def member_name(enum: EnumDescriptor, number: int) -> str:
    """Give the name of a member; empty for what is unspecified, or newer than this SDK."""
    found = enum.values_by_number.get(number)
    return found.name.removeprefix(_prefix(enum)).lower() if found and number else ""


def member_names(enum: EnumDescriptor) -> tuple[str, ...]:
    """Give the names of all members, in their order."""
    return tuple(member_name(enum, one.number) for one in enum.values if one.number)


def member_number(
    enum: EnumDescriptor, name: str, *, what: str, field: str = "", offered: tuple[str, ...] = ()
) -> Any:
    """Give the number of a name, which is that of silence for the empty one.

    Args:
        enum: The closed set.
        name: The name of a member.
        what: What its members are called.
        field: The parameter; empty: it is called as its members are.
        offered: The names that an error offers; none: all.

    Raises:
        InvalidArgument: There is no such `what`.
    """
    if not name:
        return 0
    found = enum.values_by_name.get(_prefix(enum) + name.upper())
    if found is None or not found.number:
        from difflib import get_close_matches  # noqa: PLC0415 - only mistakes need it

        offered = offered or member_names(enum)
        near = get_close_matches(name.lower(), offered, n=1)
        message = f"there is no {what} '{name}'"
        message += f"; did you mean '{near[0]}'?" if near else ""
        plain = what.replace(" ", "_")
        raise InvalidArgument(
            message,
            reason=f"{plain.upper()}_UNKNOWN",
            hint=f"use one of: {', '.join(offered)}",
            violations=(FieldViolation(field=field or plain, description=message),),
        )
    return found.number


def _prefix(enum: EnumDescriptor) -> str:
    return enum.values_by_number[0].name.removesuffix(_SILENCE)
