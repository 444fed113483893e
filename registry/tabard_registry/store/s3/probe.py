# SPDX-License-Identifier: Apache-2.0
"""Asks a bucket what `tabard doctor` wants to know: conditions, clock, lifecycle."""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from tabard_registry.errors import StoreUnavailable
from tabard_registry.store.probe import ExpiryRule, Versioning
from tabard_registry.store.s3.bucket import Bucket
from tabard_registry.store.s3.failures import FAILURES, is_code, outcome_of_create
from tabard_registry.store.s3.requests import repeat
from tabard_registry.store.s3.upload import content_md5

_OWN = ("format.json", "log/", "blob/", "checkpoint/")
_NO_RULES = ("NoSuchLifecycleConfiguration", "NoSuchLifecycle", "404")


class S3Probe:
    """Implements `StoreProbe` on a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def now(self) -> datetime:
        """Read the date of an answer."""
        answer = self._ask("list_objects_v2", Bucket=self._bucket.name, MaxKeys=1)
        told = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        if told is None:
            raise StoreUnavailable(
                f"{self._bucket.url}: the answers carry no date",
                reason="STORE_UNAVAILABLE",
                hint="Compare the clocks yourself.",
            )
        return parsedate_to_datetime(told)

    def etag(self, key: str) -> str:
        """Ask for the head of the object."""
        return str(self._ask("head_object", **self._bucket.where(key))["ETag"]).strip('"')

    def replaces_if_match(self, key: str, *, body: bytes, etag: str) -> bool:
        """Put with `If-Match`; whatever is not a success is a refusal."""
        try:
            self._bucket.writer.put_object(
                **self._bucket.where(key), Body=body, ContentMD5=content_md5(body), IfMatch=etag
            )
        except FAILURES as error:
            # Some refuse with 409 or 500 instead of 412; what was never sent is no refusal.
            if outcome_of_create(error) is None and not is_code(error, "NotImplemented"):
                raise self._bucket.failed(error, key=key) from error
            return False
        return True

    def versioning(self) -> Versioning:
        """Ask for the bucket's state."""
        answer = self._ask("get_bucket_versioning", Bucket=self._bucket.name)
        states = {"Enabled": Versioning.ON, "Suspended": Versioning.SUSPENDED}
        return states.get(answer.get("Status", ""), Versioning.OFF)

    def expiry_rules(self) -> tuple[ExpiryRule, ...]:
        """Ask for the bucket's rules, and keep those that touch the registry."""
        try:
            answer = repeat(
                self._bucket,
                lambda: self._bucket.reader.get_bucket_lifecycle_configuration(
                    Bucket=self._bucket.name
                ),
            )
        except FAILURES as error:
            if is_code(error, *_NO_RULES):
                return ()
            raise self._bucket.failed(error, key="lifecycle rules") from error
        rules = (self._rule(rule) for rule in answer.get("Rules", ()))
        return tuple(rule for rule in rules if rule is not None)

    def _rule(self, rule: dict[str, Any]) -> ExpiryRule | None:
        expiry = rule.get("Expiration", {})
        deletes = bool({"Days", "Date"}.intersection(expiry))
        if rule.get("Status") != "Enabled" or not (deletes or rule.get("Transitions")):
            return None
        chosen = rule.get("Filter") or {}
        both = chosen.get("And") or {}
        if chosen.get("Tag") or both.get("Tags"):  # Tabard's objects carry no tags
            return None
        prefix = str(rule.get("Prefix") or chosen.get("Prefix") or both.get("Prefix") or "")
        if not any(_overlap(prefix, self._bucket.root + own) for own in _OWN):
            return None
        return ExpiryRule(name=str(rule.get("ID", "?")), prefix=prefix, deletes=deletes)

    def _ask(self, operation: str, **arguments: Any) -> Any:
        key = str(arguments.get("Key", "")).removeprefix(self._bucket.root)
        with self._bucket.asked(key or operation):
            ask = getattr(self._bucket.reader, operation)
            return repeat(self._bucket, lambda: ask(**arguments))


def _overlap(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)
