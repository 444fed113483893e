# SPDX-License-Identifier: Apache-2.0
"""Callers who ask for every kind of act, and go on however often a server is gone.

Each has a release line of its own, whose channels it knows, and moves a channel that all share.
Whatever gets no answer is sent again under the same request id, to whichever server is there.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import grpc

from tabard.v1 import registry_service_pb2 as pb
from tabard.v1.adapter_pb2 import WeightedRef
from tabard.v1.registry_service_pb2_grpc import RegistryServiceStub
from tests.faults.asked import Asked, Notes, Outcome
from tests.server.harness import lora_file, publish_parts, read_refusal

SHARED = "acme/shared"
ATTEMPT_SECONDS_MAX = 20.0
PAUSE_SECONDS = 0.05
GIVES_UP = 0.3
REASON = "kill -9"

_REFUSALS = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.ABORTED,
}


class Unanswered(Exception):
    """Nothing was heard, and its caller asks no more."""


class Caller:
    """One caller, in a thread of its own until it is stopped."""

    def __init__(
        self, number: int, *, addresses: Callable[[], Sequence[str]], notes: Notes
    ) -> None:
        self._number = number
        self._line = f"acme/line-{number}"
        self._addresses = addresses
        self._notes = notes
        self._rng = random.Random(number)
        self._channels: dict[str, grpc.Channel] = {}
        self._stop = threading.Event()
        self._asked_count = 0
        self._stack: list[str] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        """End it; what it has no answer to stays open."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            number = 0
            while not self._stop.is_set():
                self._own_round(number)
                self._shared_round(number)
                number += 1
        except Unanswered:
            pass
        except Exception as error:
            # A caller that breaks must fail the test, whose thread is another one.
            self._notes.wrong.append(f"caller {self._number} broke: {error!r}")
        finally:
            for channel in self._channels.values():
                channel.close()

    def _own_round(self, number: int) -> None:
        """Ask for one act of each kind, on a line that nobody else touches."""
        version = f"1.{number}.0"
        ref = f"{self._line}@{version}"
        self._publish(self._line, version, may_give_up=False)
        self._move("promote", self._line, "stable", ref=ref, expected=version)
        self._stack.append(version)
        for kind in ("yank", "unyank", "quarantine", "lift"):
            self._withdraw(kind, version)
        self._publish_recipe(f"acme/mix-{self._number}", version, members=[f"{ref}:0.5"])
        self._move("promote", self._line, f"beta-{number % 3}", ref=ref, expected=version)
        if len(self._stack) > 1 and self._rng.random() < 0.5:
            self._stack.pop()
            self._move("rollback", self._line, "stable", expected=self._stack[-1])

    def _shared_round(self, number: int) -> None:
        """Move what everybody moves, and sometimes leave without an answer."""
        version = f"{self._number + 1}.{number}.0"
        if self._publish(SHARED, version, may_give_up=True) == "acknowledged":
            self._move("promote", SHARED, "stable", ref=f"{SHARED}@{version}")
        if self._rng.random() < 0.5:
            self._move("rollback", SHARED, "stable")

    def _publish(self, line: str, version: str, *, may_give_up: bool) -> Outcome:
        content = lora_file(seed_text=line + version)

        def send(stub: Any, asked: Asked) -> bool:
            parts = publish_parts(line, version, content=content, request_id=asked.request_id)
            answer = stub.Publish(iter(parts), timeout=ATTEMPT_SECONDS_MAX)
            asked.version, asked.digest = answer.release.version, answer.release.digest
            return bool(answer.created)

        return self._ask("publish", line, send, may_give_up=may_give_up)

    def _publish_recipe(self, line: str, version: str, *, members: Iterable[str]) -> None:
        def send(stub: Any, asked: Asked) -> bool:
            draft = pb.ReleaseDraft(
                adapter=line, version=version, actor="caller", request_id=asked.request_id
            )
            request = pb.PublishRecipeRequest(
                draft=draft, members=[WeightedRef(ref=member) for member in members]
            )
            answer = stub.PublishRecipe(request, timeout=ATTEMPT_SECONDS_MAX)
            asked.version, asked.digest = answer.release.version, answer.release.digest
            return bool(answer.created)

        self._ask("publish", line, send)

    def _move(
        self, kind: str, line: str, channel: str, *, ref: str = "", expected: str = ""
    ) -> None:
        def send(stub: Any, asked: Asked) -> bool:
            said = {
                "channel": channel,
                "reason": REASON,
                "actor": "caller",
                "request_id": asked.request_id,
            }
            if kind == "promote":
                answer = stub.Promote(
                    pb.PromoteRequest(ref=ref, **said), timeout=ATTEMPT_SECONDS_MAX
                )
            else:
                answer = stub.Rollback(
                    pb.RollbackRequest(adapter=line, **said), timeout=ATTEMPT_SECONDS_MAX
                )
            move = answer.move
            asked.version, asked.digest = move.version, move.digest
            asked.previous_digest = move.previous_digest
            if expected and move.version != expected:
                self._notes.wrong.append(f"{asked} went to {move.version}, not to {expected}")
            return bool(move.moved)

        self._ask(kind, line, send, channel=channel, may_give_up=line == SHARED)

    def _withdraw(self, kind: str, version: str) -> None:
        request = getattr(pb, f"{kind.capitalize()}Request")

        def send(stub: Any, asked: Asked) -> bool:
            said = request(
                ref=f"{self._line}@{version}",
                reason=REASON,
                actor="caller",
                request_id=asked.request_id,
            )
            answer = getattr(stub, kind.capitalize())(said, timeout=ATTEMPT_SECONDS_MAX)
            asked.version, asked.digest = answer.release.version, answer.release.digest
            return True

        self._ask(kind, self._line, send)

    def _ask(
        self,
        kind: str,
        line: str,
        send: Callable[[Any, Asked], bool],
        *,
        channel: str = "",
        may_give_up: bool = False,
    ) -> Outcome:
        """Send an act until there is an answer. Raises Unanswered when it is stopped before."""
        self._asked_count += 1
        request_id = f"{self._number}-{self._asked_count}"
        asked = self._notes.begin(request_id, type=kind, adapter=line, channel=channel)
        while not self._stop.is_set():
            asked.sendings += 1
            try:
                has_acted = send(self._stub(), asked)
            except grpc.RpcError as error:
                outcome = self._outcome_of(error, asked, may_give_up=may_give_up)
                if outcome != "open":
                    return self._end(asked, outcome)
                self._stop.wait(PAUSE_SECONDS)
            else:
                return self._end(asked, "acknowledged" if has_acted else "unchanged")
        raise Unanswered

    def _end(self, asked: Asked, outcome: Outcome) -> Outcome:
        self._notes.end(asked, outcome)
        is_own = asked.adapter != SHARED
        if is_own and outcome != "acknowledged":
            self._notes.wrong.append(f"{asked} was {outcome}: {asked.reason}")
        return outcome

    def _outcome_of(self, error: Any, asked: Asked, *, may_give_up: bool) -> Outcome:
        refusal = read_refusal(error)
        if refusal.code in _REFUSALS:
            asked.reason = refusal.reason
            return "refused"
        if refusal.code is grpc.StatusCode.INTERNAL and refusal.reason:
            self._notes.wrong.append(f"{asked} failed: {refusal}")
        return "given up" if may_give_up and self._rng.random() < GIVES_UP else "open"

    def _stub(self) -> Any:
        address = self._rng.choice(self._addresses())
        if address not in self._channels:
            self._channels[address] = grpc.insecure_channel(address)
        return RegistryServiceStub(self._channels[address])
