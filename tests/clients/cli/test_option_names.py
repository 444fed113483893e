# SPDX-License-Identifier: Apache-2.0
"""Who types options reads of options, whatever the fields behind them are called."""

import click
import pytest

from tabard.cli.option_names import in_options, option_names
from tabard.cli.program import commands
from tabard.errors import FieldViolation, InvalidArgument
from tabard.v1 import generation_service_pb2 as pb
from tabard.v1 import registry_service_pb2 as registry_pb
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer
from tests.clients.fakes.state import FakeStatus

ELSEWHERE = {"prompt", "preview_every", "without_progress", "again", "base"}
"""An argument, and what no option sets: whether anybody looks on is seen, a lost server too."""
OURS = {"timeout", "sheet", "out", "patience", "json", "quiet", "verbose"} | {
    *("address", "profile", "token-file", "tls-ca"),
    # Of a job that nobody waits for: where its images go, and who is told.
    *("namespace", "webhook"),
    # What a region's own prompt is: a part of `regions`.
    "region-prompt",
}
"""Options of `generate` that are no field of a request."""


def names_of(command: str) -> dict[str, str]:
    """Return what the options of a command are called."""
    return option_names(commands.loaded(command).params)


def test_every_field_of_a_request_has_its_option() -> None:
    """And every option that shapes an image is the option of a field."""
    fields = {field.name for field in pb.GenerateRequest.DESCRIPTOR.fields} - ELSEWHERE
    names = names_of("generate")
    shaping = {
        max(one.opts, key=len)
        for one in commands.loaded("generate").params
        if isinstance(one, click.Option)
    } - {f"--{name}" for name in OURS}

    assert {field for field in fields if field not in names} == set()
    assert {names[field] for field in fields} == shaping


@pytest.mark.parametrize(
    ("command", "request_type"),
    [
        ("promote", registry_pb.PromoteRequest),
        ("rollback", registry_pb.RollbackRequest),
        ("edit", registry_pb.EditRequest),
        ("publish", registry_pb.ReleaseDraft),
    ],
)
def test_fields_of_acts_have_their_options(command: str, request_type: type) -> None:
    """But for what arguments say, and what nobody writes."""
    written = {field.name for field in request_type.DESCRIPTOR.fields} - {
        *("adapter", "ref", "actor", "request_id"),
    }

    assert {field for field in written if field not in names_of(command)} == set()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("num_inference_steps 99 is not from 1 to 50", "--steps 99 is not from 1 to 50"),
        ("send an image, or leave mask_image out", "send an image, or leave --mask out"),
        ("allow it windows: prompt_windows_max=3", "allow it windows: --prompt-windows 3"),
        ("use 1 to 8 (limits.prompt_windows_max)", "use 1 to 8 (limits.prompt_windows_max)"),
        ("or say token_match=anywhere", "or say --token-match anywhere"),
        ("there is no file /a/mask_image.png", "there is no file /a/mask_image.png"),
        ("there is no file mask_image.png", "there is no file mask_image.png"),
        ("in <lora:clip_skip:1>", "in <lora:clip_skip:1>"),
        ("the image has no prompt", "the image has no prompt"),
    ],
)
def test_fields_in_sentences_become_options(said: str, told: str) -> None:
    """In the message, the hint and the descriptions; nothing else does."""
    error = InvalidArgument(
        said, hint=said, violations=(FieldViolation(field="x", description=said),)
    )

    found = in_options(error, names=names_of("generate"))

    assert (str(found), found.hint, found.violations[0].description) == (told, told, told)


def test_refused_request_is_told_in_options(tabard: Tabard, server: FakeServer) -> None:
    """As text and as JSON; the error is otherwise the same."""
    said = "num_inference_steps 99 is not from 1 to 50"
    server.state.fail_with = FakeStatus(
        3,
        said,
        "STEPS_OUT_OF_RANGE",
        "use 1 to 50 (limits.steps_max)",
        violations=(("num_inference_steps", said), ("adapters[1]", "there is no such adapter")),
    )

    ran = tabard("generate", "x", "--steps", 99, "--json")

    error = ran.document["error"]
    assert (ran.code, error["reason"]) == (4, "STEPS_OUT_OF_RANGE")
    assert error["message"] == "--steps 99 is not from 1 to 50"
    assert [one["field"] for one in error["violations"]] == ["--steps", "--adapter"]
    assert "error: --steps 99 is not from 1 to 50\n" in ran.err
