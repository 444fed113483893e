# SPDX-License-Identifier: Apache-2.0
"""Who waits and who runs: what the policy may look at, turn by turn."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from tabard_server.engine_port.costs import Costs
from tabard_server.engine_port.memory import ROWS_PER_STEP, MemoryPlan
from tabard_server.engine_port.regions import Region
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.stack import StackKey
from tabard_server.limits import Limits
from tabard_server.loop.roster import Roster
from tabard_server.scheduler.policy import choose
from tabard_server.scheduler.snapshot import Snapshot, WaitingRow
from tests.server.drawings import drawing, picture_of
from tests.server.engine_port.known_work import WORK
from tests.server.fakes import FakeEngine, FakeRow
from tests.server.jobs.small_jobs import Running, Style, running

INK = Style(digest="ink")
DENSE = Style(digest="dense", is_merged_only=True)


@dataclass(kw_only=True)
class Measured(FakeEngine):
    """An engine that has taken its time, and has no room for one adapter."""

    full_for: str
    taken: Costs

    def can_open(self, spec: RowSpec) -> bool:
        return self.full_for not in {adapter.digest for adapter, _ in spec.stack}

    def costs(self) -> Costs:
        return self.taken


def roster_of(*runs: Running, **limits: Any) -> Roster[FakeRow]:
    """Return a roster that has these runs."""
    found: Roster[FakeRow] = Roster(limits=Limits(**limits))
    for one in runs:
        found.add(one.run)
    return found


def look(
    roster: Roster[FakeRow], *, full_for: str = "", costs: Costs | None = None, worn: StackKey = ()
) -> Snapshot:
    """Begin a turn; the slots have no room for who wears `full_for`."""
    engine = Measured(full_for=full_for, taken=costs or Costs(), merged_stack=worn)
    return roster.snapshot(engine)


def rows_of(seen: Snapshot) -> list[WaitingRow]:
    """Return who waits, in the order of their turns."""
    turns = seen.waiting.queue.turns(
        is_background=False, ahead=seen.tenants_begun, weights=seen.weights
    )
    return list(map(seen.waiting.see, turns))


def open_rows(roster: Roster[FakeRow], *keys: tuple[int, int]) -> None:
    for key in keys:
        roster.open(key, FakeRow(spec=roster.spec(key)))


def test_rows_wait_in_order_of_admission() -> None:
    """Images of a job follow one another, and jobs their tickets, whoever came in first."""
    roster = roster_of(running(ticket=2), running(ticket=1, images=2))

    assert [row.key for row in rows_of(look(roster))] == [(1, 0), (1, 1), (2, 0)]


def test_row_is_told_its_own_seed() -> None:
    """The engine is asked for the job's drawing and stack, with the seed of that image."""
    one = running(images=2, wears=(INK,))

    spec = roster_of(one).spec((1, 1))

    assert (spec.drawing, spec.seed) == (one.run.job.drawing, 8)
    assert spec.stack == one.run.stack


def test_opened_row_leaves_its_seat() -> None:
    """It waits no more, runs since this turn, and others may come in."""
    one = running(images=2)
    roster = roster_of(one)
    turn = look(roster).turn

    open_rows(roster, (1, 0))

    seen = look(roster)
    (row,) = seen.running
    assert [waiting.key for waiting in rows_of(seen)] == [(1, 1)]
    assert (row.key, row.stepped_at, seen.turn) == ((1, 0), turn, turn + 1)
    assert (one.room.depth, roster.running_count) == (1, 1)


def test_run_is_forgotten_with_last_row() -> None:
    """A closed row leaves the run to its others; with the last it is gone."""
    roster = roster_of(running(images=2))
    open_rows(roster, (1, 0), (1, 1))
    first, second = (roster.begun((1, index)) for index in (0, 1))
    assert first is not None and second is not None

    roster.close(first)
    assert len(roster.runs()) == 1
    roster.close(second)

    assert roster.is_empty and not roster.runs()
    assert roster.begun((1, 0)) is None


def test_removed_run_gives_open_rows_back() -> None:
    """Waiting rows are forgotten; open ones are for the caller to close."""
    leaving, staying = running(ticket=1, images=3), running(ticket=2)
    roster = roster_of(leaving, staying)
    open_rows(roster, (1, 0))

    begun = roster.remove(leaving.run)

    assert [one.key for one in begun] == [(1, 0)]
    roster.close(begun[0])
    assert [row.key for row in rows_of(look(roster))] == [(2, 0)]
    assert roster.runs() == [staying.run]


def test_full_slots_are_told_per_job() -> None:
    """Who finds no room is shown so; the count of those who passed it by is kept."""
    roster = roster_of(running(ticket=1), running(ticket=2, wears=(INK,)))
    roster.note_overtaken([((2, 0), 3)])

    rows = rows_of(look(roster, full_for="ink"))

    assert [(row.fits, row.overtaken) for row in rows] == [(True, 0), (False, 3)]


def test_first_row_fits_when_alone() -> None:
    """With nothing open the engine itself must say why a row never fits."""
    roster = roster_of(running(ticket=1, wears=(INK,)), running(ticket=2, wears=(INK,)))

    rows = rows_of(look(roster, full_for="ink"))

    assert [row.fits for row in rows] == [True, False]


def test_no_place_shows_nobody_waiting() -> None:
    """When as many run as may, the policy has no newcomers to think about."""
    roster = roster_of(running(images=3), running_rows_max=2)
    open_rows(roster, (1, 0), (1, 1))

    assert rows_of(look(roster)) == []


def test_opening_lasts_no_longer_than_step() -> None:
    """While rows run, others begin for as long as a step takes; else as long as a call may."""
    roster = roster_of(running(images=2))
    costs = Costs(bare_steps={1: 0.4}, work=WORK)

    assert look(roster, costs=costs).opening_seconds_max == Limits().step_seconds_max
    open_rows(roster, (1, 0))

    assert look(roster, costs=costs).opening_seconds_max == 0.4


def test_opening_is_told_by_row() -> None:
    """Images of a job share their words, and each encodes its picture; what was seen counts too."""
    picture = picture_of(np.zeros((64, 64, 3), dtype=np.uint8))
    drawn = drawing(picture=picture, strength=0.5)
    roster = roster_of(running(images=2, prompt_windows=3, drawing=drawn))
    encoding, words = WORK.encoding.seconds((64, 64)), 6 * WORK.text_window_seconds

    first, second = rows_of(look(roster, costs=Costs(work=WORK)))

    assert first.opening_seconds == pytest.approx(words + encoding)
    assert second.opening_seconds == pytest.approx(encoding)
    assert rows_of(look(roster, costs=Costs(opening=1.0)))[0].opening_seconds == 1.0


def test_step_may_take_what_the_own_size_takes() -> None:
    """The bound of a step is the setting, and the plan goes along."""
    roster = roster_of(running(), step_seconds_max=0.001)
    costs = Costs(work=WORK)

    assert look(roster, costs=costs).step_seconds_max == WORK.bound(0.001) > 0.001


def test_rows_of_a_step_are_fixed_or_planned() -> None:
    """The setting counts; else what the engine planned for; else a usual number."""
    plan = MemoryPlan(base=0, slots=0, merged=0, gathered=0, activations=0, rows_per_step=3)
    one, fixed = roster_of(running()), roster_of(running(), rows_per_step_max=5)

    assert one.snapshot(FakeEngine(plan=plan)).rows_per_step_max == 3
    assert fixed.snapshot(FakeEngine(plan=plan)).rows_per_step_max == 5
    assert look(one).rows_per_step_max == ROWS_PER_STEP


def test_time_had_is_told_by_size() -> None:
    """What a step took puts its size ahead."""
    roster = roster_of(running())
    open_rows(roster, (1, 0))
    begun = roster.begun((1, 0))
    assert begun is not None

    roster.note_served([begun], seconds=0.5)

    assert look(roster).ahead == {(64, 64): 0.5}


def test_time_is_shared_by_samples() -> None:
    """A picture in three parts pays for three rows."""
    parts = tuple(Region(name=n, shares=np.ones((8, 8)), prompt="") for n in ("", "a", "b"))
    plain = running(ticket=1, drawing=drawing(), tenant="plain")
    apart = running(ticket=2, drawing=drawing(regions=parts), tenant="apart")
    roster = roster_of(plain, apart)
    open_rows(roster, (1, 0), (2, 0))
    batch = [one for one in map(roster.begun, ((1, 0), (2, 0))) if one is not None]

    roster.note_served(batch, seconds=0.8)

    assert look(roster).tenants_ahead == pytest.approx({"plain": 0.2, "apart": 0.6})


def test_small_fit_is_remembered() -> None:
    """Half of what did not fit comes next, one at least; other sizes are as before."""
    roster = roster_of(running(images=2))
    open_rows(roster, (1, 0))
    begun = roster.begun((1, 0))
    assert begun is not None

    roster.note_fit(begun, rows=5)
    assert look(roster).rows_fit == {(64, 64): 2}
    roster.note_fit(begun, rows=1)

    assert look(roster).rows_fit == {(64, 64): 1}


@pytest.mark.parametrize(("style", "can_do_without"), [(INK, True), (DENSE, False)])
def test_failed_merge_is_remembered(style: Style, can_do_without: bool) -> None:
    """That stack is not merged again; who needs the copy cannot do without it."""
    roster = roster_of(running(wears=(style,)))
    open_rows(roster, (1, 0))
    begun = roster.begun((1, 0))
    assert begun is not None

    assert roster.note_unmergeable(begun) is can_do_without

    seen = look(roster)
    assert seen.unmergeable == {((style.digest, 0.5),)}
    assert seen.running[0].is_merged_only is not can_do_without


def test_turns_of_copy_count_anew() -> None:
    """A copy that wears another stack has been of use to nobody yet."""
    roster, ink, neon = roster_of(running()), (("ink", 1.0),), (("neon", 1.0),)

    for _ in range(3):
        roster.note_mode(is_merged=True, merged_stack=ink)
    roster.note_mode(is_merged=False, merged_stack=ink)
    before = look(roster, worn=ink).merged_turns
    roster.note_mode(is_merged=True, merged_stack=neon)

    assert (before, look(roster, worn=neon).merged_turns) == (3, 1)


def test_stepped_row_goes_to_the_back() -> None:
    """The turn of a row's last step is what others are compared with."""
    roster = roster_of(running())
    open_rows(roster, (1, 0))
    begun = roster.begun((1, 0))
    assert begun is not None
    for _ in range(4):
        look(roster)

    begun.row.steps_done = 1
    roster.note_stepped(begun)

    (row,) = look(roster).running
    assert (row.stepped_at, row.steps_left) == (4, 2)


def test_late_runs_are_told_once() -> None:
    """The next deadline is looked at, and no other run."""
    soon, later, never = (
        running(ticket=ticket, deadline_at=at) for ticket, at in ((1, 101.0), (2, 103.0), (3, None))
    )
    roster = roster_of(never, later, soon)
    assert list(roster.late()) == []

    for one in (soon, later, never):
        one.now = 102.0

    assert list(roster.late()) == [soon.run]
    assert list(roster.late()) == []


def test_deadline_of_a_run_that_left_is_nobodys() -> None:
    """It was done before, or somebody ended it."""
    left, other = running(ticket=1, deadline_at=101.0), running(ticket=2, deadline_at=101.0)
    roster = roster_of(left, other)
    roster.remove(left.run)

    other.now = 102.0

    assert list(roster.late()) == [other.run]


def test_choice_looks_at_few_of_many() -> None:
    """Of a thousand that wait, a free place costs a look at the first."""
    roster, looks = roster_of(*(running(ticket=n) for n in range(1_000))), list[object]()

    @dataclass(kw_only=True)
    class Watched(FakeEngine):
        def can_open(self, spec: RowSpec) -> bool:
            looks.append(spec)
            return True

    seen = roster.snapshot(Watched(rank_total=1))
    assert looks == []

    choice = choose(replace(seen, running_rows_max=3))

    assert choice.opened == ((0, 0), (1, 0), (2, 0))
    # The first of all fits where nothing runs, whatever the slots say.
    assert len(looks) == 2


def test_what_waits_is_summed_up() -> None:
    """As a merge asks for it: the stacks, each once, and their steps together."""
    roster = roster_of(running(ticket=1, images=2, wears=(INK,)), running(ticket=2))
    ink, steps = (("ink", 0.5),), drawing().steps

    seen = look(roster).waiting
    assert ({*seen.stacks}, seen.steps) == ({ink, ()}, 3 * steps)

    open_rows(roster, (1, 0), (1, 1))

    seen = look(roster).waiting
    assert ({*seen.stacks}, seen.steps) == ({()}, steps)
