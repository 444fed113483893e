# SPDX-License-Identifier: Apache-2.0
"""The registry service in memory. Releases are told apart by the bytes of their files."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime
from typing import Any

from tabard.v1 import adapter_pb2, registry_service_pb2_grpc
from tabard.v1 import registry_service_pb2 as registry_pb2
from tests.clients.fakes.state import FakeState, FakeStatus

BAD_FILE = b"BAD"
NO_EFFECT_FILE = b"NO EFFECT"
PAGE = 2
REASONS = {
    "yanked": "yank_reason",
    "quarantined": "quarantine_reason",
    "purged": "purge_reason",
}


class FakeRegistry(registry_service_pb2_grpc.RegistryServiceServicer):
    """Releases and channels in dictionaries."""

    def __init__(self, state: FakeState) -> None:
        self.state = state
        self.bodies: dict[str, bytes] = {}

    def Publish(self, request_iterator: Any, context: Any) -> Any:
        draft, body = _gather(request_iterator)
        self.state.enter(draft, context)
        report = _report(body)
        if not report.accepted:
            problem = report.problems[0]
            text = f"{problem.message}; {problem.remedy}"
            FakeStatus(
                3, "the file is refused", problem.reason, problem.remedy, (("files[0]", text),)
            ).abort(context)
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        for release in self.state.releases.get(draft.adapter, []):
            if release.version == draft.version:
                if release.digest != digest:
                    FakeStatus(6, "other bytes", "VERSION_EXISTS", "use a new version").abort(
                        context
                    )
                untaken = ["notes"] if draft.notes not in ("", release.notes) else []
                return registry_pb2.PublishResponse(
                    release=release, created=False, report=report, untaken=untaken
                )
        seq = self.state.record(
            actor=draft.actor,
            reason="",
            type="publish",
            adapter=draft.adapter,
            digest=digest,
            version=draft.version,
        )
        release = adapter_pb2.Release(
            adapter=draft.adapter,
            version=draft.version,
            digest=digest,
            kind=draft.kind or adapter_pb2.RELEASE_KIND_LORA,
            purpose=draft.purpose,
            base_family="sd1",
            trigger_words=draft.trigger_words,
            rank=8,
            target_count=64,
            original_bytes=len(body),
            dialect="kohya",
            notes=draft.notes,
            licence=draft.licence,
            title=draft.title,
            sampling=draft.sampling if draft.HasField("sampling") else None,
            seq=seq,
            publish_time=datetime(2030, 1, 1, tzinfo=UTC),
            published_by=draft.actor,
            training={"ss_steps": "100"},
        )
        self.bodies[digest] = body
        self.state.effects[digest] = not body.startswith(NO_EFFECT_FILE)
        self.state.releases.setdefault(draft.adapter, []).insert(0, release)
        return registry_pb2.PublishResponse(release=release, created=True, report=report)

    def Check(self, request_iterator: Any, context: Any) -> Any:
        options, body = _gather(request_iterator)
        self.state.enter(options, context)
        return registry_pb2.CheckResponse(report=_report(body))

    def GetAdapter(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        if request.adapter not in self.state.releases:
            self.state.resolve(request.adapter, context)
        return registry_pb2.GetAdapterResponse(adapter=self._adapter(request.adapter))

    def ListAdapters(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        names = sorted(self.state.releases)
        start = int(request.page_token or 0)
        following = start + PAGE
        return registry_pb2.ListAdaptersResponse(
            adapters=[self._adapter(name) for name in names[start:following]],
            next_page_token=str(following) if following < len(names) else "",
        )

    def ListReleases(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        releases = self.state.releases[request.adapter]
        start = int(request.page_token or 0)
        following = start + PAGE
        return registry_pb2.ListReleasesResponse(
            releases=releases[start:following],
            next_page_token=str(following) if following < len(releases) else "",
        )

    def Resolve(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        release = self.state.resolve(request.ref, context)
        return registry_pb2.ResolveResponse(release=release, registry_seq=len(self.state.records))

    def Promote(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        release = self.state.resolve(request.ref, context)
        moves = self.state.channels.setdefault((release.adapter, request.channel), [])
        previous = moves[-1] if moves else adapter_pb2.Release()
        if request.expect_digest and request.expect_digest != (previous.digest or "none"):
            FakeStatus(9, "the channel moved", "EXPECT_MISMATCH", "look again").abort(context)
        moves.append(release)
        return registry_pb2.PromoteResponse(move=self._move("promote", request, previous, release))

    def Rollback(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        moves = self.state.channels.get((request.adapter, request.channel), [])
        if len(moves) < 2:
            FakeStatus(9, "nothing before it", "NOTHING_TO_ROLL_BACK", "promote").abort(context)
        previous = moves[-1] if self.state.is_rollback_broken else moves.pop()
        move = self._move("rollback", request, previous, moves[-1])
        return registry_pb2.RollbackResponse(move=move)

    def Yank(self, request: Any, context: Any) -> Any:
        return registry_pb2.YankResponse(**self._set(request, context, yanked=True))

    def Unyank(self, request: Any, context: Any) -> Any:
        return registry_pb2.UnyankResponse(**self._set(request, context, yanked=False))

    def Quarantine(self, request: Any, context: Any) -> Any:
        return registry_pb2.QuarantineResponse(**self._set(request, context, quarantined=True))

    def Lift(self, request: Any, context: Any) -> Any:
        return registry_pb2.LiftResponse(**self._set(request, context, quarantined=False))

    def Purge(self, request: Any, context: Any) -> Any:
        return registry_pb2.PurgeResponse(**self._set(request, context, purged=True))

    def Edit(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        release = self.state.resolve(request.ref, context)
        before = release.SerializeToString()
        for name in ("notes", "licence", "title", "purpose"):
            if request.HasField(name):
                setattr(release, name, getattr(request, name))
        if request.HasField("trigger_words"):
            release.trigger_words[:] = request.trigger_words.trigger_words
        return registry_pb2.EditResponse(
            release=release, changed=release.SerializeToString() != before
        )

    def Diff(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        sides = [self.state.resolve(ref, context) for ref in (request.ref, request.other_ref)]
        low, high = (registry_pb2.LayerSide(method="LoRA", rank=r, norm=r) for r in (4, 8))
        opaque = registry_pb2.LayerSide(method="OFT")
        layers = [
            registry_pb2.LayerDiff(component="unet", name="a", left=low, right=high, distance=5.0),
            registry_pb2.LayerDiff(component="unet", name="b", left=low),
            registry_pb2.LayerDiff(component="unet", name="c", left=opaque, right=opaque),
            registry_pb2.LayerDiff(component="unet", name="d", left=low, right=low, distance=0.0),
        ]
        fields = [
            registry_pb2.FieldDiff(name="notes", left="soft", right=""),
            registry_pb2.FieldDiff(name="training.config", left="{\n  a\n}", right="{\n  b\n}"),
        ]
        return registry_pb2.DiffResponse(
            release=sides[0], other_release=sides[1], layers=layers, fields=fields
        )

    def GetDependents(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        release = self.state.resolve(request.ref, context)
        return registry_pb2.GetDependentsResponse(
            release=release,
            channels=self.state.channels_to(release),
            recipes=["acme/mix@1.0.0"],
            recipe_count=3,
            job_count=2,
        )

    def Sign(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        release = self.state.resolve(request.ref, context)
        release.signatures.add(key_id=request.key_id, signature=request.signature, seq=9)
        return registry_pb2.SignResponse(release=release, changed=True)

    def PublishRecipe(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        release = adapter_pb2.Release(
            adapter=request.draft.adapter,
            version=request.draft.version,
            digest="sha256:" + hashlib.sha256(request.SerializeToString()).hexdigest(),
            kind=adapter_pb2.RELEASE_KIND_RECIPE,
            published_by=request.draft.actor,
            publish_reason=request.draft.reason,
        )
        for member in request.members:
            ref, _, weight = member.ref.rpartition(":")
            found = self.state.resolve(ref, context)
            release.members.add(
                adapter=found.adapter,
                version=found.version,
                digest=found.digest,
                weight=float(weight),
            )
            if found.quarantined:
                release.troubled_members.append(f"{found.adapter}@{found.version}")
        self.state.releases.setdefault(release.adapter, []).insert(0, release)
        return registry_pb2.PublishRecipeResponse(release=release, created=True)

    def GetManifest(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        release = self.state.resolve(request.ref, context)
        return registry_pb2.GetManifestResponse(release=release, manifest=self.state.manifest)

    def Fetch(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        release = self.state.resolve(request.ref, context)
        body = self.bodies[release.digest]
        yield registry_pb2.FetchResponse(release=release)
        said = registry_pb2.FetchedFile(
            name="style.safetensors", bytes_total=len(body), digest=release.digest
        )
        yield registry_pb2.FetchResponse(file=said)
        for start in range(0, len(body), 1 << 20):
            yield registry_pb2.FetchResponse(chunk=body[start : start + (1 << 20)])

    def Search(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        hits = [
            registry_pb2.SearchHit(
                adapter=name,
                snippet=releases[0].notes,
                release_count=len(releases),
                found_in=["name", "notes"],
                version=releases[0].version,
            )
            for name, releases in sorted(self.state.releases.items())
            if all(word in name + releases[0].notes for word in request.words.split())
        ]
        return registry_pb2.SearchResponse(hits=hits)

    def ServedAt(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        servings = [
            registry_pb2.Serving(
                adapter=name, channel=channel, release=moves[-1], since=self.state.records[-1]
            )
            for (name, channel), moves in sorted(self.state.channels.items())
        ]
        return registry_pb2.ServedAtResponse(servings=servings, next_page_token="more")

    def History(self, request: Any, context: Any) -> Any:
        self.state.enter(request, context)
        records = [
            record
            for record in self.state.records
            if request.adapter in ("", record.actions[0].adapter)
            and request.channel in ("", record.actions[0].channel)
        ]
        return registry_pb2.HistoryResponse(records=records[::-1][: request.page_size or 100])

    def Watch(self, request: Any, context: Any) -> Any:
        # Before anybody can see that it watches: what comes after that is not missed.
        position = request.from_seq - 1 if request.from_seq else len(self.state.records)
        self.state.enter(request, context)
        context.add_callback(self.state.cancelled.set)
        while context.is_active():
            while position < len(self.state.records):
                yield registry_pb2.WatchResponse(record=self.state.records[position])
                position += 1
                if self.state.watch_breaks:
                    self.state.watch_breaks -= 1
                    FakeStatus(14, "the server stops", "WATCH_ENDED").abort(context)
            time.sleep(0.01)

    def _set(self, request: Any, context: Any, **standing: bool) -> dict[str, Any]:
        self.state.enter(request, context)
        release = self.state.resolve(request.ref, context)
        ((name, is_so),) = standing.items()
        changed = getattr(release, name) != is_so
        if changed:
            setattr(release, name, is_so)
            setattr(release, REASONS[name], request.reason if is_so else "")
        return {
            "release": release,
            "changed": changed,
            "channels": self.state.channels_to(release),
        }

    def _adapter(self, name: str) -> adapter_pb2.Adapter:
        channels = [
            adapter_pb2.Channel(name=channel, digest=moves[-1].digest, version=moves[-1].version)
            for (adapter, channel), moves in sorted(self.state.channels.items())
            if adapter == name
        ]
        releases = self.state.releases[name]
        pointed = {channel.digest for channel in channels}
        return adapter_pb2.Adapter(
            name=name,
            releases=[*releases[:PAGE], *(one for one in releases[PAGE:] if one.digest in pointed)],
            release_count=len(releases),
            channels=channels,
        )

    def _move(self, kind: str, request: Any, previous: Any, current: Any) -> Any:
        seq = self.state.record(
            actor=request.actor,
            reason=request.reason,
            type=kind,
            adapter=current.adapter,
            digest=current.digest,
            version=current.version,
            channel=request.channel,
            previous_digest=previous.digest,
        )
        return registry_pb2.ChannelMove(
            adapter=current.adapter,
            channel=request.channel,
            previous_digest=previous.digest,
            previous_version=previous.version,
            digest=current.digest,
            version=current.version,
            seq=seq,
            moved=previous.digest != current.digest,
        )


def _gather(parts: Any) -> tuple[Any, bytes]:
    draft: Any = registry_pb2.ReleaseDraft()
    body = b""
    for part in parts:
        if (what := part.WhichOneof("part")) in {"draft", "options"}:
            draft = getattr(part, what)
        assert len(part.chunk) <= 1024 * 1024
        body += part.chunk
    return draft, body


def _report(body: bytes) -> registry_pb2.CheckReport:
    is_good = not body.startswith(BAD_FILE)
    problem = registry_pb2.Problem(
        reason="UNKNOWN_KEYS",
        message="2 keys fit no module of the base",
        remedy="train it on sd1",
        keys=["lora_unet_x.alpha", "lora_unet_y.alpha"],
    )
    return registry_pb2.CheckReport(
        accepted=is_good,
        kind=adapter_pb2.RELEASE_KIND_LORA,
        dialect="kohya",
        rank=8,
        target_count=64,
        tensor_count=192,
        tensors_applied=192 if is_good else 190,
        problems=() if is_good else (problem,),
        resident_bytes=324_000,
    )
