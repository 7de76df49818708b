"""The schedule of many tiles on many machines, by discrete events.

It follows landcover.maps.cluster_tasks: a machine does one tile at a time, the next free machine
takes the next tile of the list, a tile whose machine is lost goes to the head of the list. A stage
first moves its files, for all machines through one store with a limited rate, and then computes. A
lost machine loses the stage it was in, unless that goes on from its parts, as mapping does.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import inf

import numpy as np


@dataclass(frozen=True)
class Stage:
    """What one tile costs in a stage.

    Attributes
    ----------
    name : str
        Of the stage.
    seconds : float
        Of computing, on a machine of usual speed.
    megabytes : float
        That are read and written; here all of them before it computes.
    goes_on : bool
        Whether a second machine goes on from what the first has computed.
    """

    name: str
    seconds: float
    megabytes: float = 0.0
    goes_on: bool = False


@dataclass(frozen=True)
class Cluster:
    """Machines, and what happens to them.

    Attributes
    ----------
    machines : int
        How many there are.
    start_s : float
        From ordering a machine, or losing it, until it works.
    store_mb_s, link_mb_s : float
        What the store moves for all machines together, and what one machine does; MB/s.
    machine_spread, tile_spread : float
        Standard deviation of the logarithm of the time that machines and tiles take, relative to
        the usual one: 0.2 makes one machine of six slower by more than a fifth.
    lost_per_hour : float
        Machines that are lost, per hour of a machine at work.
    """

    machines: int
    start_s: float = 0.0
    store_mb_s: float = inf
    link_mb_s: float = inf
    machine_spread: float = 0.0
    tile_spread: float = 0.0
    lost_per_hour: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What a run of the schedule took.

    Attributes
    ----------
    seconds : float
        From ordering the machines until the last tile is done.
    busy_s : float
        In which machines had a tile, all added up.
    lost : int
        Machines that were lost.
    """

    seconds: float
    busy_s: float
    lost: int


@dataclass
class _Tile:
    """A tile on its way through its stages."""

    factor: float
    left_s: float
    stage: int = 0


@dataclass(eq=False)
class _Machine:
    """A machine: away, without a tile, moving files for one or computing it."""

    factor: float
    tile: _Tile | None = None
    taken_s: float = 0.0
    left_mb: float = 0.0
    ends_s: float = 0.0
    #: Grows when what was to happen to the machine is called off.
    turn: int = 0


def simulate(stages: Sequence[Stage], n_tiles: int, cluster: Cluster, seed: int = 0) -> Outcome:
    """Take tiles through all stages.

    Parameters
    ----------
    stages : sequence of Stage
        Of every tile, in order.
    n_tiles : int
        How many there are.
    cluster : Cluster
        What they run on.
    seed : int
        Of the spread and of the losses. Tiles, and the first machines, are the same for any
        number of machines.

    Returns
    -------
    Outcome
        What it took.

    Examples
    --------
    >>> map_ = Stage("map", seconds=300, megabytes=100)
    >>> simulate([map_], 10, Cluster(machines=1)).seconds
    3000.0
    >>> simulate([map_], 10, Cluster(machines=10, store_mb_s=50)).seconds  # 1,000 MB take 20 s
    320.0
    """
    return _Simulation(stages, n_tiles, cluster, seed).run()


class _Simulation:
    """The state of a simulation: tiles that wait, machines, the clock, what is to come."""

    def __init__(self, stages: Sequence[Stage], n_tiles: int, cluster: Cluster, seed: int) -> None:
        of_tiles, of_machines, self._losses = np.random.default_rng(seed).spawn(3)
        self._stages, self._cluster = stages, cluster
        self._waiting = deque(
            _Tile(float(factor), stages[0].seconds)
            for factor in of_tiles.lognormal(0, cluster.tile_spread, n_tiles)
        )
        self._free: deque[_Machine] = deque()
        self._moving: list[_Machine] = []
        self._coming: list[_Event] = []
        self._number = count()
        self._todo, self._now_s, self._busy_s, self._lost = n_tiles, 0.0, 0.0, 0
        for factor in of_machines.lognormal(0, cluster.machine_spread, cluster.machines):
            self._later(cluster.start_s, self._free.append, _Machine(float(factor)))

    def run(self) -> Outcome:
        """Go from event to event until every tile is done."""
        while self._todo:
            while self._free and self._waiting:
                self._take(self._free.popleft(), self._waiting.popleft())
            self._step()
        return Outcome(self._now_s, self._busy_s, self._lost)

    def _step(self) -> None:
        """Let the next thing happen: files have been moved, or an event comes."""
        while self._coming and self._coming[0].turn != self._coming[0].machine.turn:
            heapq.heappop(self._coming)
        event_s = self._coming[0].time_s if self._coming else inf
        first = min(self._moving, key=lambda machine: machine.left_mb, default=None)
        moved_s = inf if first is None else self._now_s + first.left_mb / self._mb_s()
        if first is not None and moved_s <= event_s:
            self._advance(moved_s)
            self._compute(first)
            return
        event = heapq.heappop(self._coming)
        self._advance(event.time_s)
        event.happens(event.machine)

    def _later(
        self, after_s: float, happens: Callable[[_Machine], None], machine: _Machine
    ) -> None:
        """Let something happen to a machine after some time, unless its turn ends before."""
        event = _Event(self._now_s + after_s, next(self._number), happens, machine, machine.turn)
        heapq.heappush(self._coming, event)

    def _advance(self, time_s: float) -> None:
        """Let all that move files go on until then."""
        passed, rate = time_s - self._now_s, self._mb_s()
        if passed:  # at once, an unlimited rate moves nothing that is not moved already
            for machine in self._moving:
                machine.left_mb = max(0.0, machine.left_mb - rate * passed)
        self._now_s = time_s

    def _mb_s(self) -> float:
        """What every machine that moves files gets of the store."""
        return min(self._cluster.link_mb_s, self._cluster.store_mb_s / max(len(self._moving), 1))

    def _take(self, machine: _Machine, tile: _Tile) -> None:
        machine.tile, machine.taken_s = tile, self._now_s
        if self._cluster.lost_per_hour:
            after_s = self._losses.exponential(3600 / self._cluster.lost_per_hour)
            self._later(after_s, self._lose, machine)
        self._move(machine, tile)

    def _move(self, machine: _Machine, tile: _Tile) -> None:
        machine.left_mb = self._stages[tile.stage].megabytes
        self._moving.append(machine)

    def _compute(self, machine: _Machine) -> None:
        self._moving.remove(machine)
        after_s = _held(machine).left_s * _factor(machine)
        machine.ends_s = self._now_s + after_s
        self._later(after_s, self._end_stage, machine)

    def _end_stage(self, machine: _Machine) -> None:
        tile = _held(machine)
        tile.stage += 1
        if tile.stage < len(self._stages):
            tile.left_s = self._stages[tile.stage].seconds
            self._move(machine, tile)
            return
        self._todo -= 1
        self._leave(machine)
        self._free.append(machine)

    def _lose(self, machine: _Machine) -> None:
        """The tile goes to the next machine, and this one comes again."""
        tile = _held(machine)
        if machine in self._moving:
            self._moving.remove(machine)
        elif self._stages[tile.stage].goes_on:
            tile.left_s = (machine.ends_s - self._now_s) / _factor(machine)
        self._lost += 1
        self._waiting.appendleft(tile)
        self._leave(machine)
        self._later(self._cluster.start_s, self._free.append, machine)

    def _leave(self, machine: _Machine) -> None:
        self._busy_s += self._now_s - machine.taken_s
        machine.tile = None
        machine.turn += 1


def _held(machine: _Machine) -> _Tile:
    """The tile of a machine that has one."""
    assert machine.tile is not None  # noqa: S101 - only such machines have events of tiles
    return machine.tile


def _factor(machine: _Machine) -> float:
    """How much longer this machine takes for its tile than a usual one for a usual tile."""
    return machine.factor * _held(machine).factor


@dataclass(order=True)
class _Event:
    """Something that will happen to a machine, in its turn; of one time the earlier first."""

    time_s: float
    number: int
    happens: Callable[[_Machine], None] = field(compare=False)
    machine: _Machine = field(compare=False)
    turn: int = field(compare=False)
