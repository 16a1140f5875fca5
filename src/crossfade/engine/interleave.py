"""Every order in which the turns of concurrent requests can be granted, few at a time, and only where order can matter.

The search is stateless: it asks for one run after the other, each from clean state, and learns from what was granted. It
goes by *preemptions* (Musuvathi, Qadeer 2007): first all schedules in which an actor is only left where it cannot go on,
then those with one switch away from an actor that could, then two; two find nearly all races. Within a bound another
actor is tried at a decision only where that can lead to something new: before a turn with which a later turn of that actor
conflicts (dynamic partial order reduction, Flanagan, Godefroid 2005), and at the start of the uninterrupted row of turns
it belongs to, because the same order may cost one preemption less there (Coons, Musuvathi, McKinley 2013). So the
outcomes at a bound are those of all its schedules; `tests/engine/test_interleave.py` compares with the plain search.

Many of the schedules that remain differ only in the order of turns that commute. What a turn does follows from its past:
its actor's turns before it, those it conflicts with, and theirs (an *event*, as in unfoldings: McMillan 1993). So a run
is put together beforehand from events of other runs as far as these reach; one that holds nothing new is not made.

`RandomPolicy` is for the budget that is left: a bug that needs d orderings is met with probability at least
1 / (n * k**(d-1)), n actors, k turns (Burckhardt et al. 2010).
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from itertools import pairwise

import msgspec

from crossfade.engine.turns import Access, conflict

PATIENCE = 2  # turns more than in the serial run before a repeated turn counts as spinning


class Step(msgspec.Struct, frozen=True):
    """One turn granted. `label` identifies the turn (store, text), the same in every run. `ready`: the actors that had a
    turn waiting at this moment, ascending, this one among them. `blocked`: those whose granted turn still waited for a
    lock; needed only for an actor whose very last turn waited, the rest is seen from who is ready when.

    `access` is what the turn touched in this run: one that failed and so ended its transaction publishes (frees)
    everything the transaction held."""

    actor: int
    label: str
    access: Access
    ready: tuple[int, ...]
    blocked: tuple[int, ...] = ()


Trace = tuple[Step, ...]
Parts = tuple[tuple[int, int], ...]  # who touched what with one turn: actor, number of the access
_Key = tuple[int, str, Parts, bool]  # actor, label, parts, whether it waits


class Coverage(msgspec.Struct, frozen=True):
    """`schedules`: runs asked for. `bound`: all schedules with at most so many preemptions are covered (-1: not even those
    without). `complete`: the bound asked for was reached, False when `most` or the caller ended it. `pruned`:
    alternatives within the bound left out because they only reorder turns that commute. `diverged`: runs that could not
    follow their prefix, so that what lies behind it was not seen."""

    schedules: int
    bound: int
    complete: bool
    pruned: int
    diverged: int


def schedules(bound: int, most: int, usual: Sequence[int] = ()) -> Generator[tuple[int, ...], Trace | None, Coverage]:
    """Yields prefixes to run with `Policy(prefix, usual)`, at most `most`, and is sent the trace that was granted, or None
    when time is up. No schedule is asked for twice. Afterwards the generator returns what was covered.

    `usual` must be the same here and in every policy, else what one takes for spinning is a preemption for the other."""
    search = _Search(usual)
    prefix: tuple[int, ...] = ()
    asked = diverged = level = 0
    while asked < most:
        trace = yield prefix
        if trace is None:
            break
        asked += 1
        diverged += tuple(step.actor for step in trace[: len(prefix)]) != prefix
        search.learn(trace)
        while (found := search.next(level)) is None:
            if level == bound:
                return Coverage(asked, bound, True, search.pruned(bound), diverged)
            level += 1
        prefix = found
    return Coverage(asked, level - 1, False, search.pruned(level - 1), diverged)


class Policy:
    """Decides one run: follows `prefix` (one actor per turn), then keeps running the same actor while it is ready and does
    not spin, else takes the lowest ready one. `usual`: how many turns each actor took in its serial run."""

    def __init__(self, prefix: Sequence[int], usual: Sequence[int] = ()) -> None:
        self.diverged = False  # the prefix asked for an actor that was not ready; it was dropped from there on
        self._prefix = list(reversed(prefix))
        self._course = _Course(usual)

    def choose(self, ready: Mapping[int, str]) -> int:
        """The actor that goes next; `ready` maps each that could to the label of its waiting turn."""
        actor = self._prefix.pop() if self._prefix else self._course.onward(ready)
        if actor not in ready:
            self.diverged = True
            self._prefix.clear()
            actor = self._course.onward(ready)
        self._course.take(actor, ready[actor])
        return actor


class RandomPolicy:
    """Decides one run by chance: actors have random priorities, the highest ready one goes, and at `changes` random ones
    among the first `turns` turns the one about to go falls behind all others. The same seed decides the same way."""

    def __init__(self, seed: int, actors: int, turns: int, changes: int = 2, usual: Sequence[int] = ()) -> None:
        chance = _Chance(seed)
        self.diverged = False
        self._order = chance.shuffled(range(actors))  # first = highest priority
        self._changes = set(chance.shuffled(range(max(turns, 1)))[:changes])
        self._taken = 0
        self._course = _Course(usual)

    def choose(self, ready: Mapping[int, str]) -> int:
        actor = self._highest(ready)
        if self._taken in self._changes or (actor == self._course.last and self._course.spinning):
            self._order.remove(actor)
            self._order.append(actor)
            actor = self._highest(ready)
        self._taken += 1
        self._course.take(actor, ready[actor])
        return actor

    def _highest(self, ready: Mapping[int, str]) -> int:
        return next(actor for actor in self._order if actor in ready)


def preemptions(trace: Trace, usual: Sequence[int] = ()) -> int:
    """How often an actor was stopped though it could have gone on and did not spin."""
    course = _Course(usual)
    count = 0
    for step in trace:
        count += course.preempted(step.ready, step.actor)
        course.take(step.actor, step.label)
    return count


def smallest(failing: Iterable[Trace], usual: Sequence[int] = ()) -> Trace:
    """The one to show: fewest preemptions, then fewest turns, then fewest switches, then the first given."""
    return min(failing, key=lambda trace: (preemptions(trace, usual), len(trace), _switches(trace)))


def shrunk(trace: Trace, usual: Sequence[int] = ()) -> tuple[int, ...]:
    """The shortest prefix from which `Policy` grants the whole trace: the turns it would grant anyway are left off."""
    course = _Course(usual)
    needed = 0
    for number, step in enumerate(trace, 1):
        if step.actor != course.onward(step.ready):
            needed = number
        course.take(step.actor, step.label)
    return tuple(step.actor for step in trace[:needed])


def _switches(trace: Trace) -> int:
    return sum(one.actor != other.actor for one, other in pairwise(trace))


class _Course:
    """What a run has come to: who went last, and whether it spins. An actor *spins* when it has taken more turns than it
    usually does and some, and its last turn repeats one it took since another actor went: it waits for something that
    another must do (a lock taken by asking again and again). Repeating alone is not spinning: requests read the same row
    twice, and to leave them there would hide the narrow races."""

    def __init__(self, usual: Sequence[int]) -> None:
        self.last: int | None = None
        self.spinning = False
        self._usual = usual
        self._taken: dict[int, int] = {}
        self._labels: set[str] = set()

    def take(self, actor: int, label: str) -> None:
        if actor != self.last:
            self.last = actor
            self._labels = set()
        taken = self._taken[actor] = self._taken.get(actor, 0) + 1
        tired = actor < len(self._usual) and taken > self._usual[actor] + PATIENCE
        self.spinning = tired and label in self._labels
        self._labels.add(label)

    def onward(self, ready: Iterable[int]) -> int:
        """Who goes unless a schedule says otherwise. The one that spins makes room for the next in the circle, so that
        two that spin do not starve a third."""
        waiting = sorted(ready)
        if self.last not in waiting:
            return waiting[0]
        if not self.spinning:
            return self.last
        return next((actor for actor in waiting if actor > self.last), waiting[0])

    def choices(self, ready: Iterable[int]) -> tuple[int, ...]:
        """Who may be chosen: all but the one that spins."""
        others = tuple(actor for actor in ready if actor != self.last)
        return others if self.spinning and others else tuple(ready)

    def preempted(self, ready: Collection[int], actor: int) -> bool:
        return actor != self.last and self.last in ready and not self.spinning


class _Turn(msgspec.Struct, frozen=True):
    """A step, seen from its run: `parts` is who touched what with it (its own actor first, then those it let go on),
    `waits` that it had to wait for a lock."""

    step: Step
    parts: Parts
    waits: bool


class _Event:
    """A turn together with all that had to come before it: the same event in two runs did the same. `ready`: who of those
    that took part had another turn waiting afterwards."""

    __slots__ = ("actor", "parts", "ready", "turn")

    def __init__(self, turn: _Turn, ready: frozenset[int]) -> None:
        self.actor = turn.step.actor
        self.parts = turn.parts
        self.turn = turn
        self.ready = ready


class _Node:
    """A decision, after `event`. `spent`: preemptions so far; `stays`: choosing anybody but this actor is one more.
    `tried`: the choices that were run or wait to be."""

    __slots__ = ("children", "choices", "event", "parent", "spent", "stays", "tried")

    def __init__(self, parent: _Node | None, event: _Event | None, spent: int) -> None:
        self.parent = parent
        self.event = event
        self.spent = spent
        self.stays: int | None = None
        self.choices: tuple[int, ...] = ()
        self.tried: set[int] = set()
        self.children: dict[int, _Node] = {}

    def cost(self, actor: int) -> int:
        return self.spent + (self.stays is not None and actor != self.stays)

    def follows(self, turn: _Turn) -> bool:
        return self.event is not None and (self.event.turn.step.label, self.event.parts) == (
            turn.step.label,
            turn.parts,
        )

    def events(self) -> list[_Event]:
        events: list[_Event] = []
        node: _Node | None = self
        while node is not None and node.event is not None:
            events.append(node.event)
            node = node.parent
        return events[::-1]


class _Search:
    """The tree of decisions seen so far, and the alternatives that wait, by the preemptions they cost."""

    def __init__(self, usual: Sequence[int]) -> None:
        self._usual = usual
        self._root = _Node(None, None, 0)
        self._nodes: list[_Node] = []  # those with choices
        self._waiting: dict[int, list[tuple[_Node, int]]] = {}
        self._spared: list[int] = []  # the cost of each alternative whose run was foreseen
        self._conflicts = _Conflicts()
        self._past = _Past(self._conflicts)

    def next(self, level: int) -> tuple[int, ...] | None:
        """A prefix to run, of at most `level` preemptions. A run that is known but for the order of turns that commute is
        spared; it is learned from as if it had been made."""
        while (cost := min((cost for cost, waiting in self._waiting.items() if waiting), default=level + 1)) <= level:
            node, actor = self._waiting[cost].pop()
            foreseen = self._foreseen(node, actor)
            if foreseen is None:
                return (*(event.actor for event in node.events()), actor)
            self._spared.append(cost)
            self._learn(foreseen)
        return None

    def pruned(self, bound: int) -> int:
        untried = (node.cost(actor) for node in self._nodes for actor in node.choices if actor not in node.tried)
        return sum(cost <= bound for cost in (*untried, *self._spared))

    def learn(self, trace: Trace) -> None:
        executed = zip(trace, *_executed(trace), strict=True)
        self._learn([_Turn(step, self._conflicts.parts(touched), waits) for step, touched, waits in executed])

    def _learn(self, turns: Sequence[_Turn]) -> None:
        """Adds the decisions of this run, and every alternative its conflicts call for: before a turn with which a later
        one conflicts, the actor of that one; the same where the row of turns it belongs to begins."""
        course = _Course(self._usual)
        nodes = [self._root]  # the decision before each turn
        events: list[_Event] = []
        starts: list[int] = []  # the turn with which the row of each begins
        familiar = True
        for later, turn in enumerate(turns):
            step, node = turn.step, nodes[later]
            self._decided(node, step, course)
            starts.append(starts[-1] if step.actor == course.last else later)
            course.take(step.actor, step.label)
            following = node.children.get(step.actor)
            familiar = familiar and following is not None and following.follows(turn)
            if following is None or not familiar:
                met = self._conflicts.met(events, turn.parts)
                for earlier in met:
                    if events[earlier].actor != step.actor:
                        self._want(nodes[earlier], step.actor)
                        self._want(nodes[starts[earlier]], step.actor)
                ready = turns[later + 1].step.ready if later + 1 < len(turns) else ()
                event = self._past.event(events, met, turn, ready)
                following = node.children.setdefault(step.actor, _Node(node, event, node.cost(step.actor)))
                events.append(event)
            elif following.event is not None:
                events.append(following.event)
            nodes.append(following)

    def _decided(self, node: _Node, step: Step, course: _Course) -> None:
        if not node.choices:
            node.choices = course.choices(step.ready)
            node.stays = course.last if course.last in step.ready and not course.spinning else None
            self._nodes.append(node)
        node.tried.add(step.actor)

    def _want(self, node: _Node, actor: int) -> None:
        """The actor, or where it cannot go all that can: one of them may be what it waits for."""
        for choice in (actor,) if actor in node.choices else node.choices:
            if choice not in node.tried:
                node.tried.add(choice)
                self._waiting.setdefault(node.cost(choice), []).append((node, choice))

    def _foreseen(self, node: _Node, actor: int) -> list[_Turn] | None:
        """The run that makes this choice and then goes on as `Policy` does, put together from events of other runs; None
        where it comes to one that is new."""
        course = _Course(self._usual)
        known = node.events()
        events: list[_Event] = []
        turns: list[_Turn] = []
        ready = frozenset(self._root.choices)
        while True:
            event = known[len(events)] if len(events) < len(known) else self._past.next(events, actor)
            if event is None or event.actor not in ready:
                return None
            step = msgspec.structs.replace(event.turn.step, ready=tuple(sorted(ready)))
            turns.append(msgspec.structs.replace(event.turn, step=step))
            events.append(event)
            course.take(event.actor, step.label)
            ready = ready - {who for who, _ in event.parts} | event.ready
            if len(events) > len(known):
                if not ready:
                    return turns
                actor = course.onward(ready)


class _Past:
    """The events of all runs, each once."""

    def __init__(self, conflicts: _Conflicts) -> None:
        self._conflicts = conflicts
        self._events: dict[tuple[_Key, frozenset[_Event]], _Event] = {}
        self._after: dict[tuple[int, _Event | None], dict[_Key, None]] = {}  # an actor's turns after an event

    def event(self, before: list[_Event], met: list[int], turn: _Turn, ready: Iterable[int]) -> _Event:
        """The event of this turn after those. `met`: those it conflicts with; `ready`: who has a turn waiting then."""
        last = _last(before)
        key = (turn.step.actor, turn.step.label, turn.parts, turn.waits)
        going_on = frozenset(ready) & {who for who, _ in turn.parts}
        self._after.setdefault((turn.step.actor, last.get(turn.step.actor)), {})[key] = None
        return self._events.setdefault((key, _causes(before, met, last, key)), _Event(turn, going_on))

    def next(self, before: list[_Event], actor: int) -> _Event | None:
        """What the actor's next turn does, if it is known."""
        last = _last(before)
        for key in self._after.get((actor, last.get(actor)), ()):
            met = self._conflicts.met(before, key[2])
            event = self._events.get((key, _causes(before, met, last, key)))
            if event is not None:
                return event
        return None


def _last(events: list[_Event]) -> dict[int, _Event]:
    return {who: event for event in events for who, _ in event.parts}


def _causes(before: list[_Event], met: list[int], last: dict[int, _Event], key: _Key) -> frozenset[_Event]:
    """What had to come before: the turns it conflicts with, the ones its actors took before, and for a turn that waits
    the others that do: whether waiting closes a circle depends on them."""
    _, _, parts, waits = key
    waiting = [event for who, event in last.items() if event.turn.waits and event.actor == who] if waits else []
    return frozenset([*(before[number] for number in met), *(last[who] for who, _ in parts if who in last), *waiting])


def _executed(trace: Trace) -> tuple[list[list[tuple[int, Access]]], list[bool]]:
    """Who touched what with each turn granted, and whether it had to wait. With a turn touch its own actor, and those whose
    waiting turn it let go on: such a turn asks for its lock where it is granted, and reads and writes where it gets it."""
    parts = [[(step.actor, step.access)] for step in trace]
    waits = [False for _ in trace]
    last = {step.actor: number for number, step in enumerate(trace)}
    held: dict[int, Access] = {}
    for number, (step, following) in enumerate(pairwise(trace)):
        held[step.actor] = step.access
        for actor in list(held):
            if actor not in following.ready and (last[actor] > number or actor in following.blocked):
                continue
            access = held.pop(actor)
            if actor != step.actor:
                parts[number].append((actor, access))
        waits[number] = step.actor in held
    if trace:
        parts[-1].extend((actor, access) for actor, access in held.items() if actor != trace[-1].actor)
    return parts, waits


class _Conflicts:
    """`conflict`, remembered: runs of the same requests touch the same things."""

    def __init__(self) -> None:
        self._numbers: dict[Access, int] = {}
        self._accesses: list[Access] = []
        self._known: dict[tuple[Parts, Parts], bool] = {}

    def parts(self, touched: Iterable[tuple[int, Access]]) -> Parts:
        return tuple((actor, self._number(access)) for actor, access in touched)

    def met(self, events: Sequence[_Event], parts: Parts) -> list[int]:
        """Which of these events something in `parts` conflicts with."""
        return [number for number, event in enumerate(events) if self._conflict(event.parts, parts)]

    def _number(self, access: Access) -> int:
        number = self._numbers.setdefault(access, len(self._accesses))
        if number == len(self._accesses):
            self._accesses.append(access)
        return number

    def _conflict(self, some: Parts, others: Parts) -> bool:
        pair = (some, others)
        if pair not in self._known:
            self._known[pair] = any(
                one != other and conflict(self._accesses[a], self._accesses[b])
                for one, a in some
                for other, b in others
            )
        return self._known[pair]


class _Chance:
    """SplitMix64 (Steele, Lea, Flood 2014): small, and the same everywhere."""

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def below(self, limit: int) -> int:
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return (mixed ^ (mixed >> 31)) % limit

    def shuffled(self, values: Iterable[int]) -> list[int]:
        remaining = list(values)
        return [remaining.pop(self.below(len(remaining))) for _ in range(len(remaining))]


_MASK = (1 << 64) - 1
