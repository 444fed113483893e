# SPDX-License-Identifier: Apache-2.0
"""A report as people read it: everything that it knows, nothing that it does not."""

import click

from tabard.cli.layout import lines_of
from tabard.cli.report_text import report_text
from tabard.releases.report import CheckReport, Coverage, Problem

FULL = CheckReport(
    accepted=True,
    kind="lora",
    dialect="kohya",
    rank=16,
    target_count=264,
    tensor_count=792,
    tensors_applied=792,
    trigger_words=("ink", "wet paper"),
    problems=(
        Problem(
            reason="NO_EFFECT",
            message="every layer is zero",
            remedy="Check that the training ran.",
            keys=("lora_unet_x.alpha",),
            is_warning=True,
        ),
    ),
    resident_bytes=13_600_000,
    training={"ss_steps": "1500", "ss_bucket_info": "long"},
    mode="merged",
    alphas=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.5),
    methods={"LoRA": 200, "LoHa": 64},
    coverage=(
        Coverage(component="unet", kind="attention", changed=128, total=128),
        Coverage(component="unet", kind="feed_forward", changed=3, total=32),
        Coverage(component="unet", kind="norm", changed=0, total=90),
        Coverage(component="text_encoder", kind="attention", changed=48, total=48),
    ),
    base_family="sd1",
    base_fingerprint="sha256:" + "ab" * 32,
    base_match="family",
    declared={"ss_sd_model_name": "v1-5.safetensors"},
)
EMPTY = CheckReport(
    accepted=False,
    kind="",
    dialect="",
    rank=0,
    target_count=0,
    tensor_count=0,
    tensors_applied=0,
    trigger_words=(),
    problems=(),
    resident_bytes=0,
)


def said(report: CheckReport) -> str:
    """Print a report on a wide page."""
    answers = report_text(report, names=["a.safetensors"])
    lines = (line for one in answers for line in lines_of(one, columns=200))
    return "".join(f"{click.unstyle(line)}\n" for line in lines)


def test_full_report_says_everything() -> None:
    """Each thing that the issue of a file may be is on the page."""
    page = said(FULL)

    for part in (
        "accepted: a.safetensors",
        "style, unless tabard publish --purpose says otherwise",
        "LoHa on 64, LoRA on 200",
        "1, 2, 3, 4, 5, 6 and 1 more",
        "unet: attention 128/128, feed forward 3/32; text_encoder: attention 48/48",
        "792 of 792 would be applied",
        "sd1 sha256:abababababab; the file names another base of the same family",
        "ss_sd_model_name=v1-5.safetensors",
        "ink, wet paper",
        "merged: worn in a changed copy of the base",
        "13.6 MB",
        "ss_steps=1500",
        "warning NO_EFFECT: every layer is zero",
        "lora_unet_x.alpha",
        "hint: Check that the training ran.",
    ):
        assert part in page, part
    assert "ss_bucket_info" not in page
    assert "norm" not in page


def test_empty_report_is_short() -> None:
    """What is not known is not on the page."""
    page = said(EMPTY)

    assert page.split() == [
        "refused:",
        "a.safetensors",
        "tensors",
        "0",
        "of",
        "0",
        "would",
        "be",
        "applied",
    ]


def test_several_files_are_one_adapter() -> None:
    """It is said; where they are refused, what else may be done with them."""
    taken, refused = (
        [
            click.unstyle(one)
            for answer in report_text(report, names=["a.pt", "b.pt"])
            for one in lines_of(answer, columns=100)
        ]
        for report in (FULL, EMPTY)
    )

    assert taken[0] == "accepted as one adapter: a.pt, b.pt"
    assert refused[0] == "refused as one adapter: a.pt, b.pt"
    assert refused[-1] == "hint: if they are several adapters, check and publish each by itself"
    assert not any("by itself" in line for line in taken)
