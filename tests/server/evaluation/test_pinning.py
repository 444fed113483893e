# SPDX-License-Identifier: Apache-2.0
"""From a wish to a plan: which releases, which grid, which references, and what is refused."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tabard_registry import Grants, NotFound, Registry, Role
from tabard_registry.errors import Forbidden, PreconditionFailed
from tabard_registry.identity.identity import ANYBODY, Identity, Proof
from tabard_registry.refs.names import AdapterName, AdapterRef
from tabard_registry.refs.semver import Version
from tabard_registry.release.release import ReleaseDraft
from tabard_registry.release.sampling import Sampling, Span
from tabard_server.errors import InvalidRequest, NotEvaluable
from tabard_server.evaluation.events import ReferenceSource
from tabard_server.judgement.verdict import GatePolicy
from tests.server.adapters.published_lora import publish_lora
from tests.server.evaluation.wishes.planning import (
    ANN,
    SHIPPED,
    pinning_in,
    png_of,
    put_pictures,
    registry_with_a_line,
    release_of,
    wish,
)

FILES = tuple(png_of(seed) for seed in range(20, 24))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """Open a registry with a line of two releases."""
    with registry_with_a_line(tmp_path) as found:
        yield found


def somebody(*roles: Role, space: str = "acme") -> Identity:
    """Return a person with roles in a namespace."""
    grants = Grants({space: frozenset(roles)})
    return replace(ANYBODY, name="ben", proof=Proof.TOKEN, grants=grants)


def test_release_is_compared_with_what_is_served(registry: Registry) -> None:
    """With what `stable` points to, unless that is itself, or another is named."""
    pinning = pinning_in(registry)

    versions = [
        str(plan.against.release.version) if plan.against else ""
        for plan in (
            pinning.pin(wish()),
            pinning.pin(wish("acme/ink@1.0.0", references=FILES)),
            pinning.pin(wish("acme/ink@1.0.0", against="acme/ink@1.1.0")),
        )
    ]

    assert versions == ["1.0.0", "", "1.1.0"]


def test_release_is_not_compared_with_itself(registry: Registry) -> None:
    """It would be as good as what it replaces, whatever it draws; at another weight it may be."""
    pinning = pinning_in(registry)
    with pytest.raises(NotEvaluable) as refused:
        pinning.pin(wish("acme/ink@1.1.0", against="acme/ink@1.1.0"))

    weaker = pinning.pin(wish("acme/ink@1.1.0:0.5", against="acme/ink@1.1.0"))

    assert refused.value.reason == "REFERENCES_MISSING"
    assert weaker.against is not None
    assert (weaker.candidate.is_as_served, weaker.against.is_as_served) == (False, True)


def test_release_is_drawn_as_it_is_served(registry: Registry, tmp_path: Path) -> None:
    """Where nobody says a weight, at that which it recommends, for callers are served that."""
    best = Sampling(weight=Span(recommended=0.7))
    publish_lora(registry, folder=tmp_path, version="1.2.0", sampling=best)

    mine, other = (
        pinning_in(registry).pin(wish(ref)) for ref in ("acme/ink@1.2.0", "acme/ink@1.2.0:1")
    )

    assert (mine.candidate.weight, mine.candidate.is_as_served) == (0.7, True)
    assert (other.candidate.weight, other.candidate.is_as_served) == (1.0, False)


def test_grid_of_the_line_comes_first(registry: Registry) -> None:
    """Then that of its namespace, then the shipped one; one that is named after a purpose too."""
    pinning, style = pinning_in(registry), SHIPPED["style"]
    seeds = [pinning.pin(wish()).grid.seeds]
    for place, seed in (("acme", 5), ("acme/ink", 6)):
        registry.evidence.put_grid(replace(style, seeds=(seed,)), place=place, author=ANN)
        seeds.append(pinning.pin(wish()).grid.seeds)

    assert seeds == [style.seeds, (5,), (6,)]


def test_unknown_grid_lists_what_there_is(registry: Registry) -> None:
    """Shipped ones, and the line's own; nothing of another namespace."""
    for place in ("acme", "other"):
        own = replace(SHIPPED["style"], name=f"of-{place}")
        registry.evidence.put_grid(own, place=place, author=ANN)

    with pytest.raises(NotFound) as refused:
        pinning_in(registry).pin(wish(grid="of-other"))

    assert refused.value.reason == "GRID_NOT_FOUND"
    assert "concept, of-acme, style, subject" in refused.value.hint
    assert pinning_in(registry).pin(wish(grid="of-acme")).grid.name == "of-acme"


def test_sent_references_come_before_published_ones(registry: Registry) -> None:
    """Then what was published, then what the release that it would replace draws."""
    pinning = pinning_in(registry)
    found = [pinning.pin(wish())]
    document = put_pictures(registry, release_of(registry, "acme/ink@1.0.0"), seeds=range(5))
    found += [pinning.pin(wish()), pinning.pin(wish(references=FILES))]

    assert [plan.source for plan in found] == [
        ReferenceSource.AGAINST,
        ReferenceSource.PUBLISHED,
        ReferenceSource.REQUEST,
    ]
    assert [plan.references.count for plan in found] == [0, 5, 4]
    assert [plan.references.document for plan in found] == [None, document, None]
    assert found[1].started(GatePolicy().bounds).reference_count == 5


def test_first_release_needs_references(registry: Registry) -> None:
    """Nothing says what it shall look like, until somebody publishes that, or sends it."""
    first = release_of(registry, "acme/ink@1.0.0")

    with pytest.raises(NotEvaluable) as refused:
        pinning_in(registry).pin(wish("acme/ink@1.0.0"))

    assert refused.value.reason == "REFERENCES_MISSING"
    put_pictures(registry, first, seeds=range(4))
    assert pinning_in(registry).pin(wish("acme/ink@1.0.0")).source is ReferenceSource.PUBLISHED


def test_published_training_pictures_are_used(registry: Registry) -> None:
    """They too stand for successors, and what is sent comes first."""
    first = release_of(registry, "acme/ink@1.0.0")
    document = put_pictures(registry, first, seeds=range(6), kind="training")

    plan, sent = pinning_in(registry).pin(wish()), pinning_in(registry).pin(wish(training=FILES))

    assert (plan.training.document, plan.training.count) == (document, 6)
    assert (sent.training.document, sent.training.count) == (None, 4)
    assert plan.source is ReferenceSource.AGAINST


@pytest.mark.parametrize("roles", [(Role.GENERATE,), (Role.PROMOTE,), (Role.OPERATE,)])
def test_who_may_not_file_is_refused(registry: Registry, roles: tuple[Role, ...]) -> None:
    """A report is filed beside the release; who may draw may not therefore do that."""
    with pytest.raises(Forbidden) as refused:
        pinning_in(registry).pin(wish(identity=somebody(*roles)))

    assert refused.value.reason == "ROLE_MISSING"
    for role in (Role.PUBLISH, Role.REVIEW):
        assert pinning_in(registry).pin(wish(identity=somebody(role)))


def test_withdrawn_release_is_refused(registry: Registry) -> None:
    """A quarantined one is typed, and one that was purged; as what is replaced, it is none."""
    because = replace(ANN, reason="stolen")
    for act, reason in (
        (registry.quarantine, "RELEASE_QUARANTINED"),
        (registry.purge, "RELEASE_PURGED"),
    ):
        act(AdapterRef.parse("acme/ink@1.1.0"), author=because)
        with pytest.raises(PreconditionFailed) as refused:
            pinning_in(registry).pin(wish())
        assert refused.value.reason == reason

    registry.quarantine(AdapterRef.parse("acme/ink@1.0.0"), author=because)
    with pytest.raises(PreconditionFailed):
        pinning_in(registry).pin(wish(against="acme/ink@1.0.0"))


def test_document_of_another_kind_is_no_grid(registry: Registry) -> None:
    """It is refused by its field."""
    digest = put_pictures(registry, release_of(registry, "acme/ink@1.0.0"), seeds=range(4))
    content = registry.blobs.read(digest, bytes_max=1_000_000)

    with pytest.raises(InvalidRequest) as refused:
        pinning_in(registry).pin(wish(grid_document=content))

    assert [one.field for one in refused.value.violations] == ["grid_document"]


def test_empty_channel_begins_with_what_is_stable(registry: Registry) -> None:
    """Once it serves something itself, that is what would be replaced."""
    pinning = pinning_in(registry)
    before = pinning.pin(wish(channel="beta")).against
    registry.promote(AdapterRef.parse("acme/ink@1.1.0"), channel="beta", author=ANN)
    after = pinning.pin(wish("acme/ink@1.0.0", channel="beta", references=FILES)).against

    assert [str(one.release.version) for one in (before, after) if one] == ["1.0.0", "1.1.0"]


@pytest.mark.parametrize(("word", "unnamed"), [("ink", "acme/plain 1.0.0"), ("", "acme/ink 1.0.0")])
def test_member_that_works_unnamed_is_named(
    registry: Registry, tmp_path: Path, word: str, unnamed: str
) -> None:
    """A recipe has the words of its members; a member without one acts on every prompt."""
    publish_lora(registry, folder=tmp_path, name="acme/plain")
    if word:
        registry.edit(
            AdapterRef.parse("acme/ink@1.0.0"), words={"trigger_words": (word,)}, author=ANN
        )
    draft = ReleaseDraft(adapter=AdapterName.parse("acme/both"), version=Version.parse("1.0.0"))
    members = [AdapterRef.parse(f"acme/{name}@1.0.0") for name in ("ink", "plain")]
    registry.publish_recipe(draft, members=members, author=ANN)

    plan = pinning_in(registry).pin(wish("acme/both@1.0.0", references=FILES))

    assert plan.candidate.trigger == word
    assert plan.candidate.unnamed_member == unnamed
