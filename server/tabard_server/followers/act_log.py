# SPDX-License-Identifier: Apache-2.0
"""Writes each act on the registry into this server's log, and keeps metrics to what is served.

In: the registry's records as they come. Out: an event for each act, those of others only in detail;
a withdrawn release has no metric of its own any more.
"""

import logging
from collections.abc import Sequence

from tabard_registry import Action, AppliedRecord, Effect
from tabard_server.telemetry.logs import log_event
from tabard_server.telemetry.metrics import Metrics

_WITHDRAWALS = ("yank", "quarantine", "purge")


class ActLog:
    """Tells of acts. Asyncio thread."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def review(self, records: Sequence[AppliedRecord]) -> None:
        """Tell of every act among the records."""
        for applied in records:
            for action, effect in zip(applied.record.actions, applied.effects, strict=True):
                _tell(action, effect, applied=applied)
                if effect.effective and action.type in _WITHDRAWALS:
                    self._metrics.rows.fold(action.adapter, action.version)


def _tell(action: Action, effect: Effect, *, applied: AppliedRecord) -> None:
    fields = {
        "seq": applied.seq,
        "act": action.type,
        "adapter": action.adapter,
        "version": action.version,
        "channel": action.channel,
        "digest": action.digest,
        "actor": action.actor,
        "reason": action.reason,
        "request_id": action.request_id,
        "note" if effect.effective else "without_effect": effect.note,
        "origin": "here" if applied.is_own else "elsewhere",
    }
    level = logging.INFO if applied.is_own else logging.DEBUG
    log_event("registry.act", level=level, **{k: v for k, v in fields.items() if v != ""})
