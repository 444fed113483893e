# SPDX-License-Identifier: Apache-2.0
"""What a checkpoint says besides release lines: where it stands, and what is nobody's."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from tabard_registry.checkpoint.events import entry_from_json, entry_to_json
from tabard_registry.checkpoint.judged import grids_from_json, grids_to_json
from tabard_registry.identity.tokens import Token
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import AdapterName
from tabard_registry.release.gates import NO_GATES, with_gates
from tabard_registry.release.keys import POLICY_WORDS, Key, Policy
from tabard_registry.state.overlay import Overlay
from tabard_registry.state.state import STRAYS_MAX, State, remembered_requests

FORMAT = "tabard-checkpoint"
"""First word of every checkpoint."""
CHECKPOINT_PROTOCOL = 6
"""Version of this layout and of the fold; a checkpoint of another one is passed over."""


def header_of(state: State) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write the first two lines as JSON objects."""
    place = {
        "format": FORMAT,
        "protocol": CHECKPOINT_PROTOCOL,
        "registry": state.registry_id,
        "seq": state.seq,
        "head": str(state.head),
    }
    rest = {
        "acted": remembered_requests(state.acted, seq=state.seq),
        "denied": sorted(state.denied),
        "collected": dict(state.collected),
        "gc_seq": state.gc_seq,
        "gc_open": sorted(state.gc_open),
        "keys": {path: [key.namespace, key.to_json()] for path, key in state.keys.items()},
        "policies": {
            name: {word: True for word in POLICY_WORDS if getattr(one, word)}
            | {"channels": {pattern: gate.to_json() for pattern, gate in one.channels.items()}}
            for name, one in state.policies.items()
        },
        "grids": {place: grids_to_json(grids) for place, grids in state.grids.items()},
        "canaried": sorted(map(str, state.canaried)),
        "tokens": [[token.to_json(), token.places] for token in state.tokens.values()],
        "wearers": {name: sorted(map(str, lines)) for name, lines in state.wearers.items()},
        "strays": [entry_to_json(entry) for entry in state.strays[-STRAYS_MAX:]],
    }
    return place, rest


def read_header(place: Any, rest: Any, *, adapters: Overlay) -> State:
    """Read what `header_of` wrote.

    Raises:
        RegistryError, ValueError, TypeError, KeyError, AttributeError: It is something else.
    """
    if place["format"] != FORMAT or place["protocol"] != CHECKPOINT_PROTOCOL:
        raise ValueError("another format or protocol")
    return State(
        registry_id=place["registry"],
        seq=int(place["seq"]),
        head=Digest.parse(place["head"]),
        adapters=adapters,
        acted=MappingProxyType(dict(rest["acted"])),
        denied=frozenset(rest["denied"]),
        collected=MappingProxyType(dict(rest["collected"])),
        gc_seq=int(rest["gc_seq"]),
        gc_open=frozenset(rest["gc_open"]),
        keys=MappingProxyType(
            {
                path: Key.from_json(value, namespace=namespace)
                for path, (namespace, value) in rest["keys"].items()
            }
        ),
        policies=MappingProxyType(
            {name: _policy(said, namespace=name) for name, said in rest["policies"].items()}
        ),
        tokens=MappingProxyType({token.id: token for token in map(_token, rest["tokens"])}),
        wearers=MappingProxyType(
            {
                name: frozenset(map(AdapterName.parse, lines))
                for name, lines in rest["wearers"].items()
            }
        ),
        grids=MappingProxyType(
            {place: grids_from_json(rows) for place, rows in rest["grids"].items()}
        ),
        canaried=frozenset(map(AdapterName.parse, rest["canaried"])),
        strays=tuple(map(entry_from_json, rest["strays"])),
    )


def _policy(said: Any, *, namespace: str) -> Policy:
    words = {**said, "channels": with_gates(NO_GATES, said["channels"])}
    return Policy(namespace=namespace, **words)


def _token(row: Any) -> Token:
    value, places = row
    return Token.from_json(value, places=tuple((seq, position) for seq, position in places))
