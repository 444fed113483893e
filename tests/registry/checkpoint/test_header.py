# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace

import pytest

from tabard_registry import State, Token, sha256_bytes
from tabard_registry.checkpoint.header import CHECKPOINT_PROTOCOL, header_of, read_header
from tabard_registry.release.history import HistoryEntry
from tabard_registry.release.keys import Policy
from tabard_registry.state.overlay import EMPTY
from tabard_registry.state.state import REQUEST_WINDOW
from tests.registry.described_logs import KEY
from tests.registry.random_logs import LINES, token

STRAY = HistoryEntry(seq=2, time="t", actor="ann", reason="", type="yank", effective=False)
TOKEN = Token.from_json(token(7, "ci", revoked=True)["summary"], places=((3, 0), (5, 1)))
STATE = State(
    registry_id="r",
    seq=9,
    head=sha256_bytes(b"head"),
    acted={"request": 4},
    denied=frozenset({"sha256:purged"}),
    collected={"sha256:condemned": 5},
    gc_seq=6,
    gc_open=frozenset({5, 6}),
    keys={KEY.path: KEY},
    policies={
        "acme": Policy(namespace="acme", require_signature=True),
        "guild": Policy(namespace="guild", private=True, require_identity=True),
    },
    tokens={TOKEN.id: TOKEN},
    wearers={"guild": frozenset(LINES)},
    strays=(STRAY,),
)


def test_whole_state_survives_its_header() -> None:
    """Everything that belongs to no release line comes back."""
    place, rest = json.loads(json.dumps(header_of(STATE)))

    assert read_header(place, rest, adapters=EMPTY) == STATE


@pytest.mark.parametrize("change", [{"format": "other"}, {"protocol": CHECKPOINT_PROTOCOL + 1}])
def test_other_layout_is_refused(change: dict[str, object]) -> None:
    """A file of another format, or of another version of it, is not guessed at."""
    place, rest = header_of(STATE)

    with pytest.raises(ValueError, match="protocol"):
        read_header({**place, **change}, rest, adapters=EMPTY)


def test_forgotten_requests_are_left_out() -> None:
    """What no later record has to remember does not make checkpoints longer."""
    _, rest = header_of(replace(STATE, seq=REQUEST_WINDOW + 3))

    assert rest["acted"] == {}
