# SPDX-License-Identifier: Apache-2.0
"""How a release wants to be sampled, as a table and as a line."""

from tabard.convert import write_sampling
from tabard.releases.sampling import read_sampling, sampling_text
from tabard.v1 import adapter_pb2

SAID = {
    "samplers": ["lcm", "euler"],
    "sigmas": [9.0, 0.0],
    "steps": {"min": 1.0, "recommended": 4.0},
    "spacing": "trailing",
    "enforce": "warn",
    "clip_skip": 0,
}


def test_table_survives_its_message() -> None:
    """A zero is something said."""
    message = write_sampling(SAID)

    assert message is not None
    assert read_sampling(message) == SAID
    assert read_sampling(adapter_pb2.Sampling()) == {}


def test_line_says_who_says_so() -> None:
    """And all that is said."""
    line = sampling_text(
        {"samplers": ["lcm"], "steps": SAID["steps"], "sources": ["author", "LCM"]}
    )

    assert line == "samplers lcm; steps min 1, recommended 4 (by author, LCM)"
    assert sampling_text({}) == ""
