"""Every order in which the turns of concurrent requests can be granted, few at a time, and only where order can matter.

The search is stateless: it asks for one run after the other, each from clean state, and learns from what was granted. It
goes by *preemptions* (Musuvathi, Qadeer 2007): first all schedules in which an actor is only left where it cannot go on,
then those with one switch away from an actor that could, then two; two find nearly all races. Within a bound another
actor is tried at a decision only where that can lead to something new: before a turn with which a later turn of that actor
conflicts (dynamic partial order reduction, Flanagan, Godefroid 2005), and at the start of the uninterrupted row of turns
it belongs to, because the same order may cost one preemption less there (Coons, Musuvathi, McKinley 2013). So the
outcomes at a bound are those of all its schedules; `tests/engine/test_interleave.py` compares with the plain search.

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
Parts = list[tuple[int, int]]  # who touched what with one turn: actor, number of the access
State = tuple[tuple[int, int], ...]  # actor, its last event


class Coverage(msgspec.Struct, frozen=True):
    """`bound`: all schedules with at most so many preemptions are covered (-1: not even those without). `complete`: the
    bound asked for was reached, False when `most` ended it. `pruned`: alternatives within that bound left out because
    the turns commute. `diverged`: runs that could not follow their prefix, so that what lies behind it was not seen."""

    schedules: int
    bound: int
    complete: bool
    pruned: int
    diverged: int


def schedules(bound: int, most: int, usual: Sequence[int] = ()) -> Generator[tuple[int, ...], Trace, Coverage]:
    """Yields prefixes to run with `Policy(prefix, usual)`, at most `most`, and is sent the trace that was granted. No
    schedule is asked for twice. Afterwards the generator returns what was covered."""
    search = _Search(usual)
    prefix: tuple[int, ...] = ()
    asked = diverged = level = 0
    while asked < most:
        trace = yield prefix
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


class _Node:
    """A decision: the turns granted before it led here, `step` last. `event` numbers that turn together with all that had
    to come before it, `state` holds the last event of each actor: equal states were reached by the same turns, but for
    the order of those that commute. `spent`: preemptions so far; `stays`: choosing anybody but this actor is one more.
    `tried`: the choices that were run or wait to be."""

    __slots__ = ("children", "choices", "event", "parent", "spent", "state", "stays", "step", "tried")

    def __init__(self, parent: _Node | None, step: Step | None, event: int, state: State, spent: int) -> None:
        self.parent = parent
        self.step = step
        self.event = event
        self.state = state
        self.spent = spent
        self.stays: int | None = None
        self.choices: tuple[int, ...] = ()
        self.tried: set[int] = set()
        self.children: dict[int, _Node] = {}

    def cost(self, actor: int) -> int:
        return self.spent + (self.stays is not None and actor != self.stays)

    def trace(self) -> list[Step]:
        steps: list[Step] = []
        node: _Node | None = self
        while node is not None and node.step is not None:
            steps.append(node.step)
            node = node.parent
        return steps[::-1]


class _Search:
    """The tree of decisions seen so far, and the alternatives that wait, by the preemptions they cost."""

    def __init__(self, usual: Sequence[int]) -> None:
        self._usual = usual
        self._root = _Node(None, None, -1, (), 0)
        self._nodes: list[_Node] = []  # those with choices
        self._waiting: dict[int, list[tuple[_Node, int]]] = {}
        self._spared: list[int] = []  # the cost of each alternative whose run was foreseen
        self._conflicts = _Conflicts()
        self._events: dict[tuple[int, str, frozenset[int]], int] = {}
        self._moves: dict[State, dict[int, _Node]] = {}
        self._ends: set[State] = set()

    def next(self, level: int) -> tuple[int, ...] | None:
        """A prefix to run, of at most `level` preemptions. A run that is known but for the order of turns that commute is
        spared; it is learned from as if it had been made."""
        while (cost := min((cost for cost, waiting in self._waiting.items() if waiting), default=level + 1)) <= level:
            node, actor = self._waiting[cost].pop()
            foreseen = self._foreseen(node, actor)
            if foreseen is None:
                return (*(step.actor for step in node.trace()), actor)
            self._spared.append(cost)
            self.learn(foreseen)
        return None

    def pruned(self, bound: int) -> int:
        untried = (node.cost(actor) for node in self._nodes for actor in node.choices if actor not in node.tried)
        return sum(cost <= bound for cost in (*untried, *self._spared))

    def learn(self, trace: Trace) -> None:
        """Adds the decisions of this run, and every alternative its conflicts call for: before a turn with which a later
        one conflicts, the actor of that one; the same where the row of turns it belongs to begins."""
        parts = [[(who, self._conflicts.number(access)) for who, access in step] for step in _executed(trace)]
        course = _Course(self._usual)
        nodes = [self._root]  # the decision before each turn
        starts: list[int] = []  # the turn with which the row of each begins
        familiar = True
        for later, step in enumerate(trace):
            node = nodes[later]
            starts.append(starts[-1] if step.actor == course.last else later)
            self._decided(node, step, course)
            familiar = familiar and step.actor in node.children and node.children[step.actor].step == step
            if not familiar:
                causes = {event for actor, event in node.state if any(actor == who for who, _ in parts[later])}
                for earlier in range(later):
                    if self._conflicts.among(parts[earlier], parts[later]):
                        causes.add(nodes[earlier + 1].event)
                        if trace[earlier].actor != step.actor:
                            self._want(nodes[earlier], step.actor)
                            self._want(nodes[starts[earlier]], step.actor)
                if step.actor not in node.children:
                    self._add(node, step, frozenset(causes), parts[later])
            course.take(step.actor, step.label)
            nodes.append(node.children[step.actor])
        self._ends.add(nodes[-1].state)

    def _decided(self, node: _Node, step: Step, course: _Course) -> None:
        if not node.choices:
            node.choices = course.choices(step.ready)
            node.stays = course.last if course.last in step.ready and not course.spinning else None
            self._nodes.append(node)
        node.tried.add(step.actor)

    def _add(self, node: _Node, step: Step, causes: frozenset[int], parts: Parts) -> None:
        event = self._events.setdefault((step.actor, step.label, causes), len(self._events))
        state = tuple(sorted((dict(node.state) | {actor: event for actor, _ in parts}).items()))
        following = _Node(node, step, event, state, node.cost(step.actor))
        node.children[step.actor] = following
        self._moves.setdefault(node.state, {}).setdefault(step.actor, following)

    def _want(self, node: _Node, actor: int) -> None:
        """The actor, or where it cannot go all that can: one of them may be what it waits for."""
        for choice in (actor,) if actor in node.choices else node.choices:
            if choice not in node.tried:
                node.tried.add(choice)
                self._waiting.setdefault(node.cost(choice), []).append((node, choice))

    def _foreseen(self, node: _Node, actor: int) -> Trace | None:
        """The run that takes this choice and then goes on as `Policy` does, put together from turns that were granted in
        the same states in other runs; None where one is missing."""
        trace = node.trace()
        course = _Course(self._usual)
        for step in trace:
            course.take(step.actor, step.label)
        state = node.state
        while True:
            following = self._moves.get(state, {}).get(actor)
            if following is None or following.step is None:
                return None
            trace.append(following.step)
            course.take(actor, following.step.label)
            state = following.state
            if state in self._ends:
                return tuple(trace)
            ready = next(other.step.ready for other in self._moves[state].values() if other.step is not None)
            actor = course.onward(ready)


def _executed(trace: Trace) -> list[list[tuple[int, Access]]]:
    """Who touched what with each turn granted: its own actor, and those whose waiting turn it let go on. Such a turn asks
    for its lock where it is granted, and reads and writes only when it has got it."""
    parts: list[list[tuple[int, Access]]] = [[(step.actor, step.access)] for step in trace]
    last = {step.actor: number for number, step in enumerate(trace)}
    held: dict[int, Access] = {}
    for number, step in enumerate(trace[:-1]):
        held[step.actor] = step.access
        following = trace[number + 1]
        for actor in list(held):
            if actor not in following.ready and (last[actor] > number or actor in following.blocked):
                continue
            access = held.pop(actor)
            if actor != step.actor:
                parts[number].append((actor, access))
    if trace:
        parts[-1].extend((actor, access) for actor, access in held.items() if actor != trace[-1].actor)
    return parts


class _Conflicts:
    """`conflict`, remembered: runs of the same requests touch the same things."""

    def __init__(self) -> None:
        self._numbers: dict[Access, int] = {}
        self._accesses: list[Access] = []
        self._known: dict[tuple[int, int], bool] = {}

    def number(self, access: Access) -> int:
        number = self._numbers.setdefault(access, len(self._accesses))
        if number == len(self._accesses):
            self._accesses.append(access)
        return number

    def among(self, some: list[tuple[int, int]], others: list[tuple[int, int]]) -> bool:
        return any(one != other and self._meet(a, b) for one, a in some for other, b in others)

    def _meet(self, one: int, other: int) -> bool:
        pair = (one, other)
        if pair not in self._known:
            self._known[pair] = conflict(self._accesses[one], self._accesses[other])
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
