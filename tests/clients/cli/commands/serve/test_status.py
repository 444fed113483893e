# SPDX-License-Identifier: Apache-2.0
"""`tabard status`: what a server is and how busy, as text and as JSON."""

from google.protobuf.timestamp_pb2 import Timestamp

from tabard.v1 import operations_service_pb2
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer


def test_operator_commands_speak(published: Tabard) -> None:
    """Status, warm and drain as text."""
    warm = published("warm", "acme/watercolor")
    drain = published("drain", "--wait", "1")
    status = published("status")

    assert "acme/watercolor 1.1.0 is in host memory, 324.0 kB" in warm.out
    assert "jobs still running: 2" in drain.out
    assert "draining: it finishes what it has, for 0:01:05" in status.out
    assert "1:02:05" in status.out


def test_operator_commands_are_json(published: Tabard) -> None:
    """Status, warm and drain as documents."""
    assert published("status", "--json").document["residents"][0]["tier"] == "host"
    assert published("warm", "acme/watercolor", "--json").document["version"] == "1.1.0"
    assert published("drain", "--json").document == {"jobs_left": 2}


def test_empty_server_has_no_residents(tabard: Tabard) -> None:
    """Nothing in memory is said, and is no error; what nobody planned is left out."""
    ran = tabard("status")

    assert (ran.code, ran.out.splitlines()[-1]) == (0, "no residents")
    assert "at most" not in ran.out


def test_status_remarks_on_the_base(tabard: Tabard) -> None:
    """How the base is walked, and what of its files is not read."""
    text, document = tabard("status").out, tabard("status", "--json").document

    assert "sd1, v_prediction, " in text and "zero SNR" in text
    assert "2 keys of no component" in text
    assert document["base_prediction"] == "v_prediction" and document["base_zero_snr"]
    assert document["base_remarks"][0].endswith("junk, more")


def test_plan_is_told_with_what_was_chosen(tabard: Tabard, server: FakeServer) -> None:
    """Bytes by purpose, rows of a step, and which of it nobody had fixed."""
    server.state.memory_plan = operations_service_pb2.MemoryPlan(
        base_bytes=2_000_000, activation_bytes=1_000_000, rows_per_step=3, chosen=["merged_copy"]
    )

    told = " ".join(tabard("status").out.split())

    assert "at most 3.0 MB: base 2.0 MB" in told
    assert "of up to 3 rows, no merged copy (chosen: merged_copy)" in told


def test_status_says_what_signs_and_what_looks(tabard: Tabard, server: FakeServer) -> None:
    """By whom and until when; by what, what counts, and that it fails; else that both are off."""
    before = " ".join(tabard("status").out.split())
    server.state.c2pa = operations_service_pb2.ContentCredentials(
        subject="CN=Pictures", algorithm="es256", expire_time=Timestamp(seconds=1_800_000_000)
    )
    server.state.safety = operations_service_pb2.SafetyCheck(
        model="eye",
        policy="blur",
        labels=[operations_service_pb2.SafetyLabel(label="nsfw", threshold=0.5)],
        failure="it stands still",
    )

    text, document = tabard("status").out, tabard("status", "--json").document

    told = " ".join(text.split())
    assert "content credentials off" in before and "safety check off" in before
    assert "CN=Pictures (es256), until 2027-01-15T08:00:00" in told
    assert "blur by eye: nsfw from 0.5; failing, and nothing is sent: it stands still" in told
    assert document["c2pa"]["subject"] == "CN=Pictures"
    assert document["safety"]["labels"] == [{"label": "nsfw", "threshold": 0.5}]


def test_status_says_what_is_compiled(tabard: Tabard, server: FakeServer) -> None:
    """How many kinds of pass are, which are not yet, and what stopped it; nothing where none is."""
    before = tabard("status").out
    server.state.compiled = operations_service_pb2.Compiled(ready=2, waiting=1, slower=3, unfit=4)
    warming, document = tabard("status").out, tabard("status", "--json").document
    server.state.compiled = operations_service_pb2.Compiled(failure="no g++")
    failed = " ".join(tabard("status").out.split())

    assert "compiled" not in before
    told = " ".join(warming.split())
    assert (
        "compiled 2 kinds of pass, 1 warming, eager until then, 3 slower, so eager, 4 not" in told
    )
    assert document["compiled"] == {
        "ready": 2,
        "waiting": 1,
        "slower": 3,
        "failure": "",
        "unfit": 4,
    }
    assert "failed, the rest is eager: no g++" in failed


def test_verified_weights_are_said(tabard: Tabard) -> None:
    """Each component, as text and as JSON, and exit code 0."""
    ran, document = tabard("status", "--verify"), tabard("status", "--verify", "--json").document

    assert ran.code == 0
    assert "unet: as it was loaded, sha256:bbbbbbbbbbbb" in ran.out
    assert document["state"] == "serving"
    assert document["verification"]["is_sound"] is True
    assert [one["component"] for one in document["verification"]["components"]] == [
        "text_encoder",
        "unet",
    ]


def test_changed_weights_are_an_error(tabard: Tabard, server: FakeServer) -> None:
    """The component is named with both fingerprints, and the exit code is that of damage."""
    server.state.unet_fingerprint = "sha256:" + "c" * 64

    ran, told = tabard("status", "--verify"), tabard("status", "--verify", "--json")

    assert (ran.code, told.code) == (8, 8)
    assert "unet: sha256:cccccccccccc lies in memory, and sha256:bbbbbbbbbbbb was loaded" in ran.out
    assert "\n  Restart the server, and test its memory.\n" in ran.out
    assert "text_encoder: as it was loaded" in ran.out
    verification = told.document["verification"]
    assert verification["is_sound"] is False
    assert [one["is_sound"] for one in verification["components"]] == [True, False]


def test_nothing_is_verified_unasked(tabard: Tabard) -> None:
    """It takes minutes on a large base."""
    assert "verification" not in tabard("status", "--json").document


def test_status_says_who_is_asked_and_who_is_here(tabard: Tabard) -> None:
    """How callers show who they are, whose images these are, and whether jobs are traced."""
    text, document = " ".join(tabard("status").out.split()), tabard("status", "--json").document

    assert "identity tokens, certificates" in text
    assert "traces on" in text
    assert "tenant studio 2 running, 1 waiting" in text
    assert "tenant (none) 0 running, 3 waiting" in text
    assert document["tenants"][0] == {"tenant": "studio", "rows_waiting": 1, "rows_running": 2}
    assert (document["identity"], document["traces"]) == (["tokens", "certificates"], True)


def test_replicas_are_told_with_what_is_unlike(tabard: Tabard) -> None:
    """Another version, another base, a lost one, and a clock that goes wrong."""
    ran = tabard("status", "--replicas")
    own, other = (
        next(line for line in ran.out.splitlines() if name in line)
        for name in ("10.0.0.1:50051 11111111", "two 22222222")
    )
    document = tabard("status", "--replicas", "--json").document

    assert ran.code == 0
    assert "(asked)" in own and "serving" in own and "another" not in own
    assert "lost" in other
    for words in ("0.0.9", "another version", "another base", "90 s behind", "does not answer"):
        assert words in " ".join(ran.out.split())
    assert [one["is_lost"] for one in document["replicas"]] == [False, True]
    assert document["replica_id"] == "1" * 32
    assert "replicas" not in tabard("status", "--json").document


def test_samplers_are_told_with_what_they_take(tabard: Tabard) -> None:
    """As a table and as a document; beside what looks at weights it is refused."""
    text, document = tabard("status", "--samplers").out, tabard("status", "--samplers", "--json")

    assert "leading, trailing" in text and "timesteps, sigmas" in text
    assert [one["title"] for one in document.document["sampler_options"]] == ["DDIM", "Euler"]
    assert document.document["schedules"][1]["aliases"] == ["ddim"]
    assert tabard("status", "--samplers", "--verify").code == 2
