# SPDX-License-Identifier: Apache-2.0
"""Who begins and who steps: the policy as a pure function of a snapshot."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tabard_server.engine_port.costs import Costs
from tabard_server.engine_port.drawing import Size
from tabard_server.engine_port.memory import MemoryPlan, PassBytes
from tabard_server.engine_port.work import Curve
from tabard_server.scheduler.claims import Claim, Priority
from tabard_server.scheduler.policy import choose
from tabard_server.scheduler.shares import Shares
from tabard_server.scheduler.snapshot import Choice, RunningRow, Snapshot, WaitingRow
from tests.server.engine_port.known_work import HUGE, LARGE, SMALL, WORK
from tests.server.scheduler.traces import queued


def snapshot(**changes: object) -> Snapshot:
    """Return an idle moment with some things changed."""
    idle = Snapshot(
        turn=10,
        waiting=queued(),
        running=(),
        rows_per_step_max=4,
        running_rows_max=8,
        overtakes_max=3,
    )
    return replace(idle, **changes)  # type: ignore[arg-type]


def waiting(ticket: int, **changes: object) -> WaitingRow:
    """Return a small row that waits."""
    return replace(WaitingRow(key=(ticket, 0), size=SMALL), **changes)  # type: ignore[arg-type]


def running(ticket: int, **changes: object) -> RunningRow:
    """Return a small row that runs."""
    return replace(RunningRow(key=(ticket, 0), size=SMALL), **changes)  # type: ignore[arg-type]


def test_nothing_to_do_chooses_nothing() -> None:
    """An idle moment opens and steps nothing."""
    assert choose(snapshot()) == Choice(opened=(), overtaken=(), batch=())


def test_first_come_is_first_opened() -> None:
    """Places go to the oldest, and newcomers step at once."""
    rows = tuple(waiting(n) for n in range(1, 11))

    choice = choose(snapshot(waiting=queued(*rows), running=(running(0),)))

    assert choice.opened == tuple((n, 0) for n in range(1, 8))
    assert len(choice.batch) == 4


def test_one_size_shares_a_batch() -> None:
    """Rows of another size are left for another turn."""
    rows = (running(1), running(2, size=LARGE), running(3))

    assert choose(snapshot(running=rows)).batch == ((1, 0), (3, 0))


def test_sizes_take_turns() -> None:
    """The size that stepped longest ago is next."""
    rows = (running(1, stepped_at=9), running(2, size=LARGE, stepped_at=8))

    assert choose(snapshot(running=rows)).batch == ((2, 0),)


def test_newcomers_do_not_push_aside() -> None:
    """A size that waits for its turn steps before newcomers of another."""
    rows = (running(1, size=LARGE, stepped_at=8),)

    assert choose(snapshot(running=rows, waiting=queued(waiting(2)))).batch == ((1, 0),)


def test_solo_row_runs_alone() -> None:
    """A solo row shares with nobody, not even with another solo row."""
    rows = (
        running(1, is_solo=True, stepped_at=1),
        running(2, is_solo=True, stepped_at=2),
        running(3, stepped_at=3),
    )

    assert choose(snapshot(running=rows)).batch == ((1, 0),)


def test_row_without_room_is_passed() -> None:
    """Those who fit begin before one who does not, and that is counted."""
    rows = (waiting(1, fits=False), waiting(2))

    choice = choose(snapshot(waiting=queued(*rows)))

    assert choice.opened == ((2, 0),)
    assert choice.overtaken == (((1, 0), 1),)


def test_passing_ends_at_the_bound() -> None:
    """After `overtakes_max` nobody younger begins."""
    rows = (waiting(1, fits=False, overtaken=2), waiting(2), waiting(3))

    choice = choose(snapshot(waiting=queued(*rows)))

    assert choice.opened == ((2, 0),)
    assert choice.overtaken == (((1, 0), 3),)


def test_exhausted_row_holds_the_queue() -> None:
    """A row that was passed often enough is waited for; older ones may still begin."""
    rows = (waiting(1), waiting(2, fits=False, overtaken=3), waiting(3))

    assert choose(snapshot(waiting=queued(*rows))).opened == ((1, 0),)


def test_size_with_least_time_is_next() -> None:
    """Not the one that stepped longest ago, but the one that had least of the engine."""
    rows = (running(1, stepped_at=9), running(2, size=LARGE, stepped_at=5))

    assert choose(snapshot(running=rows, ahead={LARGE: 1.2})).batch == ((1, 0),)
    assert choose(snapshot(running=rows, ahead={SMALL: 0.1})).batch == ((2, 0),)


def test_step_is_bounded_in_time() -> None:
    """As many rows share a step as it may take seconds, and always one."""
    rows = tuple(running(n, samples=2) for n in range(4))
    moment = snapshot(running=rows, costs=Costs(work=WORK))
    one, three = (WORK.step.seconds(SMALL, samples=2 * count) for count in (1, 3))

    assert len(choose(replace(moment, step_seconds_max=three)).batch) == 3
    assert len(choose(replace(moment, step_seconds_max=one)).batch) == 1
    assert len(choose(replace(moment, step_seconds_max=one / 9)).batch) == 1


def test_rows_that_fill_the_device_step_alone() -> None:
    """Beyond the time of a full batch of the own size, sharing saves nothing: others wait less."""
    middle = (80, 80)
    full = WORK.step.seconds(SMALL, samples=2 * 4)
    rows = tuple(running(n, size=middle, samples=2) for n in range(4))

    choice = choose(snapshot(running=rows, costs=Costs(work=WORK)))

    assert len(choice.batch) == 2
    assert WORK.step.seconds(middle, samples=2 * 2) <= full < WORK.step.seconds(middle, samples=6)
    large = tuple(running(n, size=LARGE, samples=2) for n in range(4))
    assert len(choose(snapshot(running=large, costs=Costs(work=WORK))).batch) == 1


def test_rows_without_guidance_are_half() -> None:
    """Samples are counted, not rows."""
    rows = tuple(running(n, samples=1) for n in range(4))
    two = WORK.step.seconds(SMALL, samples=2)

    choice = choose(snapshot(running=rows, costs=Costs(work=WORK), step_seconds_max=two))

    assert len(choice.batch) == 2


def test_rows_in_parts_take_the_places_of_as_many() -> None:
    """Four plain rows may share a step, and so may two of two parts; one may have any number."""
    rows = tuple(running(n, samples=4) for n in range(4))
    huge = tuple(running(n, samples=20) for n in range(2))

    assert len(choose(snapshot(running=rows)).batch) == 2
    assert len(choose(snapshot(running=rows, rows_fit={SMALL: 2})).batch) == 1
    assert len(choose(snapshot(running=huge)).batch) == 1


def test_step_is_bounded_in_memory() -> None:
    """Rows that the device cannot hold at once do not step at once."""
    passes = PassBytes(step=Curve(linear=1.0))
    plan = MemoryPlan(base=0, slots=0, merged=0, gathered=0, activations=0, passes=passes)
    rows = tuple(running(n, size=LARGE, samples=2) for n in range(4))

    choice = choose(snapshot(running=rows, plan=replace(plan, free=5 * 256 * 256)))

    assert len(choice.batch) == 2


def test_opening_is_bounded_in_time() -> None:
    """Rows begin while their openings together last no longer than they may, and always one."""
    rows = tuple(waiting(n, opening_seconds=1.0) for n in range(4))

    assert len(choose(snapshot(waiting=queued(*rows), opening_seconds_max=3.0)).opened) == 3
    assert len(choose(snapshot(waiting=queued(*rows), opening_seconds_max=0.1)).opened) == 1


@given(
    large=st.lists(st.sampled_from([LARGE, (248, 264), HUGE]), min_size=1, max_size=7),
    arrives_at=st.integers(1, 60),
    steps=st.integers(1, 25),
)
def test_newcomer_waits_for_one_step_of_each_size(
    large: list[tuple[int, int]], arrives_at: int, steps: int
) -> None:
    """Beside rows that are never done, a small image is drawn while each other size steps once."""
    alive = {(n, 0): running(n, size=size, samples=2) for n, size in enumerate(large)}
    shares, me = Shares[Size](), (99, 0)
    bound = 5.0
    waited: list[float] = []
    for turn in range(1, 10_000):
        if turn == arrives_at:
            alive[me] = running(99, samples=2, steps_left=steps, stepped_at=turn - 1)
        choice = choose(
            snapshot(
                turn=turn,
                running=tuple(alive.values()),
                costs=Costs(work=WORK),
                step_seconds_max=bound,
                ahead=shares.ahead(),
            )
        )
        size = alive[choice.batch[0]].size
        seconds = WORK.step.seconds(size, samples=2 * len(choice.batch))
        assert seconds <= max(bound, WORK.step.seconds(size, samples=2))
        shares.note(size, amount=seconds)
        for key in choice.batch:
            row = alive[key]
            alive[key] = replace(row, stepped_at=turn, steps_left=row.steps_left - (key == me))
        if me in alive:
            waited += [] if me in choice.batch else [seconds]
            if not alive[me].steps_left:
                break
    own = steps * WORK.step.seconds(SMALL, samples=2)
    # Each size steps at most once before it is as far ahead as one of its steps.
    assert own < 1.3
    assert len(waited) <= 2 * len(set(large))


SIZES = st.sampled_from([SMALL, LARGE, (64, 128)])


@given(
    rows=st.lists(st.tuples(SIZES, st.booleans()), min_size=1, max_size=8),
    newcomers=st.lists(st.tuples(SIZES, st.booleans()), max_size=40),
)
def test_every_row_steps_in_bounded_time(
    rows: list[tuple[tuple[int, int], bool]], newcomers: list[tuple[tuple[int, int], bool]]
) -> None:
    """However many come after, a row that runs steps again within as many turns as rows run."""
    alive = {(n, 0): running(n, size=size, is_solo=solo) for n, (size, solo) in enumerate(rows)}
    queue = [waiting(100 + n, size=size, is_solo=solo) for n, (size, solo) in enumerate(newcomers)]
    last_step = dict.fromkeys(alive, 0)
    for turn in range(1, 60):
        moment = snapshot(turn=turn, waiting=queued(*queue), running=tuple(alive.values()))
        choice = choose(moment)
        assert len({alive[k].size for k in choice.batch if k in alive}) <= 1
        for row in [row for row in queue if row.key in choice.opened]:
            queue.remove(row)
            alive[row.key] = RunningRow(
                key=row.key, size=row.size, is_solo=row.is_solo, stepped_at=turn
            )
            last_step[row.key] = turn
        assert choice.batch
        for key in choice.batch:
            assert turn - last_step[key] <= moment.running_rows_max + 1
            alive[key] = replace(alive[key], stepped_at=turn)
            last_step[key] = turn


SHADOW = Claim(priority=Priority.SHADOW)


def test_shadow_joins_a_step_with_room() -> None:
    """Beside those it makes a pair with; begun in the same turn as they are, and after them."""
    choice = choose(snapshot(waiting=queued(waiting(1), waiting(2, claim=SHADOW)), running=()))

    assert (choice.opened, choice.batch) == (((1, 0), (2, 0)), ((1, 0), (2, 0)))


def test_shadow_fills_only_what_is_left() -> None:
    """Not more rows than share a step, of no other size, and no place that others could take."""
    full = snapshot(running=(running(1), running(2), running(3, claim=SHADOW)), rows_per_step_max=2)
    other_size = snapshot(running=(running(1), running(2, size=LARGE, claim=SHADOW)))
    no_place = snapshot(
        waiting=queued(waiting(2, claim=SHADOW)), running=(running(1),), running_rows_max=1
    )

    assert choose(full).batch == ((1, 0), (2, 0))
    assert choose(other_size).batch == ((1, 0),)
    assert (choose(no_place).opened, choose(no_place).batch) == ((), ((1, 0),))


def test_shadow_pauses_while_others_wait() -> None:
    """Whoever waits for a place is served first, also in the steps meanwhile."""
    crowded = snapshot(
        waiting=queued(waiting(3)),
        running=(running(1), running(2, claim=SHADOW)),
        running_rows_max=1,
    )

    choice = choose(crowded)

    assert (choice.evicted, choice.batch) == (((2, 0),), ((1, 0),))


def test_shadow_does_not_lengthen_the_step_that_somebody_waits_for() -> None:
    """Not even where the one who waits has a place, and only begins in the next turn."""
    slow = {"opening_seconds": 1.0}
    moment = snapshot(
        waiting=queued(waiting(1, **slow), waiting(2, **slow)),
        running=(running(3, claim=SHADOW),),
        opening_seconds_max=1.5,
    )

    assert choose(moment).batch == ((1, 0),)


def test_shadow_stays_out_of_solo_rows() -> None:
    """Nor does one that must run alone join anybody."""
    beside_solo = snapshot(running=(running(1, is_solo=True), running(2, claim=SHADOW)))
    solo = snapshot(running=(running(1), running(2, is_solo=True, claim=SHADOW)))

    assert choose(beside_solo).batch == ((1, 0),)
    assert choose(solo).batch == ((1, 0),)
