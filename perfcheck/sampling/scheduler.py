"""Which request is sent next, over how many connections, and until when. One state machine for checks and comparisons.

An endpoint is measured in turns: one request, or a pair of them. Where the need is long and the service bears it,
turns of different endpoints overlap (screening). Load can only slow a request, so what comes out OK under load is OK.
Anything else is measured afresh alone, one turn at a time: see the drawing in docs/explanation/how-it-decides.md.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from perfcheck.model import Failure, Forecast, Sample
from perfcheck.sampling.protocols import Phase, Schedulable, Transport
from perfcheck.sampling.ramp import MEMBERS, Ramp

MOST_PROOF_S = 20.0  # for the failure rate alone, of all endpoints together
_MOST_CONNECTIONS = 32  # that are tried
_SERIAL_S = 60.0  # a need up to this is not worth more than one connection
_WINDOW = 8  # endpoints that take turns, at least
_MOST_ALONE = 64  # of those that are measured alone
_LEAST_BUDGET_S, _MOST_BUDGET_S = 120.0, 900.0
_BUDGET_OF_NEED = 2.0
_IN_REACH = 2.0  # a forecast may be so many times too long
_CHEAPEST = 4  # one in so many of them
_FORECAST_S, _FORECAST_S_EACH = 0.5, 0.0005  # between forecasts, and for each endpoint
_NO_RAMP_S = 2.0  # requests for the failure rate that take less are sent one after another
_UNANSWERED_S, _UNANSWERED_TIMES = 1.0, 8.0  # later than this, and so many times the slowest typical latency
_HANGS = 12  # timeouts in a row
_OVERLOADED = frozenset({Failure.REFUSED, Failure.RESET})
_OVERLOADED_STATUS = frozenset({429, 503})


S = TypeVar("S", bound=Schedulable)


@dataclass(eq=False, slots=True)
class _Turn(Generic[S]):
    session: S
    width: int
    started_s: float
    transport: Transport


class Scheduler(Generic[S]):
    """Measures ``sessions`` through ``transports`` until all are finished or the time is up.

    ``connections`` bounds the turns in flight (None: as many as the service bears). ``budget_s`` None follows the need.
    ``alone_first``: what has to be measured alone does not wait until all others are screened. ``observe`` is called
    with a session and its sample after each that was taken. ``rng`` breaks ties. ``proof_s`` bounds the requests for
    the failure rate alone. ``again`` is called after the screening, for sessions that are to be placed once more.
    """

    def __init__(
        self,
        sessions: Iterable[S],
        transports: Sequence[Transport],
        *,
        connections: int | None,
        budget_s: float | None,
        rng: random.Random,
        now: Callable[[], float],
        observe: Callable[[S, Sample], None],
        alone_first: bool = False,
        proof_s: float = MOST_PROOF_S,
        again: Callable[[], Sequence[S]] = tuple,
    ) -> None:
        self._transports = transports
        self._rng = rng
        self._now = now
        self._observe = observe
        self._alone_first = alone_first
        self._proof_left_s = proof_s
        self._again = again
        self._sessions = tuple(sessions)
        # An endpoint takes one turn at a time.
        self._most = min(_MOST_CONNECTIONS if connections is None else connections, len(self._sessions))
        self._queue: deque[S] = deque(sorted(self._sessions, key=lambda s: (not s.endpoint.critical_path, s.cost_s)))
        # Ordered sets, since there may be thousands.
        self._open: dict[S, None] = {}  # in their first stage
        self._alone: dict[S, None] = {}  # to be measured alone
        self._proving: dict[S, None] = {}
        self._turns: dict[S, _Turn[S]] = {}
        self._ramp: Ramp[S] = Ramp((), most=1)  # until a ramp begins: one connection
        self._may_ramp = self._most > 1
        self._is_screening = False
        self._failed_alone: set[object] = set()
        self._unanswered: set[S] = set()
        self._slowest_s = 0.0
        self._timeouts = 0  # in a row
        self._began_s: float | None = None
        self._looked_s = -math.inf  # when the next four were found out:
        self._measured = 0  # sessions with a latency
        self._share_s = 0.0  # the time that all that may overlap takes
        self._end_s = 0.0  # when all will be decided
        self._slack_s = 0.0  # the time that will be left over
        self._need_s = sum(session.need_s + session.proof_s for session in self._queue)
        self._again_s = 0.0  # of sessions that were placed once more
        self._budget_s = budget_s

    # --- What it will take -----------------------------------------------------------------------------------------

    @property
    def width(self) -> int:
        """Turns that may be in flight."""
        return self._ramp.width

    @property
    def screens(self) -> bool:
        """Whether the need is worth more than one connection."""
        return self._may_ramp and self._need_s > _SERIAL_S and len(self._queue) >= MEMBERS

    @property
    def budget_s(self) -> float:
        """As set, or by the need."""
        if self._budget_s is not None:
            return self._budget_s
        follows_need_s = max(_BUDGET_OF_NEED * self._need_s / self.width, _LEAST_BUDGET_S)
        return min(follows_need_s + _BUDGET_OF_NEED * self._again_s, _MOST_BUDGET_S)

    def forecast(self) -> Forecast:
        """What the rest will take, by what is known now."""
        if self._began_s is None:
            return Forecast(self._need_s, self.budget_s, self.budget_s, self.width, is_known=False)
        now = self._now()
        self._look_ahead(now)
        budget_left_s = self._deadline_s() - now
        left_s = max(self._end_s - now, 0.0)
        is_known = self._measured >= min(_WINDOW, len(self._sessions)) and self._ramp.is_over
        return Forecast(left_s, budget_left_s, self.budget_s, self.width, is_known)

    def _deadline_s(self) -> float:
        """A budget that follows the need does not cut short what has to be measured alone."""
        is_pending = self._budget_s is None and any(map(self._may_go_on, self._alone))
        return (self._began_s or 0.0) + (_MOST_BUDGET_S if is_pending else self.budget_s)

    def _may_go_on(self, session: S) -> bool:
        """Not in a service that hangs: unless its failures are to be confirmed, each endpoint would wait in vain."""
        if session.phase is Phase.CONFIRMATION:
            return True
        return session.phase is not Phase.PROOF and not self._hangs

    @property
    def _hangs(self) -> bool:
        """Whether the service does."""
        return self._timeouts >= _HANGS

    def _need_alone_s(self, sessions: Iterable[S]) -> float:
        """Their requests one after another; or the longest wait among them, since the others fill the pauses."""
        now, busy_s, longest_s = self._now(), 0.0, 0.0
        for session in sessions:
            busy_s += session.need_s
            longest_s = max(longest_s, session.not_before - now + session.need_s)
        return max(busy_s, longest_s)

    # --- The loop --------------------------------------------------------------------------------------------------

    def run(self) -> bool:
        """False: the time ended first. What the transports and ``observe`` raise passes through."""
        self._began_s = self._now()
        if self.screens:
            self._begin_ramp()
        is_in_time = True
        while is_in_time and (self._queue or self._open or self._alone or self._proving):
            now, deadline = self._now(), self._deadline_s()
            self._look_ahead(now)
            candidates, width = self._candidates(now, deadline)
            if now < deadline:
                self._start(candidates, width, now)
            wake = self._wake(candidates, width, now, deadline)
            is_in_time = now < deadline and (bool(self._turns) or wake < deadline)
            if is_in_time:
                self._collect(wake)
                self._end_screening()
        self._abandon()
        return is_in_time

    def _abandon(self) -> None:
        """Requests in flight at the end are not judged; one that hangs is recorded, and is no lack of time."""
        for session, turn in list(self._turns.items()):
            waited_s = self._now() - turn.started_s
            self._cancel([session])
            if waited_s >= self._longest_wait_s():
                session.abandon(waited_s, turn.started_s)

    def _candidates(self, now: float, deadline: float) -> tuple[Sequence[S], int]:
        """Whoever may have the next turn, also those that rest, and how many turns may be in flight."""
        pending = [session for session in self._alone if session.phase is not Phase.PROOF]
        in_reach = [session for session in pending if session.need_s < _IN_REACH * (deadline - now)]
        if in_reach and now + self._need_alone_s(in_reach) >= deadline:
            return in_reach[:_MOST_ALONE], 1  # the rest of the time is theirs
        if self.width > 1 and (self._open or self._queue) and not (self._alone_first and pending):
            return [*self._in_window(), *self._ramp.watched], self.width
        if self._alone or self._open or self._queue:
            in_first_stage = self._in_window() if self.width == 1 else ()
            return [*_first(self._alone, _MOST_ALONE), *in_first_stage, *_first(self._proving, _WINDOW)], 1
        self._widen_for_proof()
        return _first(self._proving, self.width + _WINDOW), self.width

    def _end_screening(self) -> None:
        if self._is_screening and not (self._open or self._queue):
            self._is_screening = False
            for session in self._again():
                self._place(session)
                self._again_s += session.need_s

    def _in_window(self) -> Collection[S]:
        """Those that take turns in their first stage: the critical paths first, then the cheapest.

        Where turns overlap, one that will take as long as all the rest must not wait for its turn.
        """
        taking_turns = sum(not session.timed_out for session in self._open)
        while self._queue and taking_turns < self.width + _WINDOW:
            session = self._queue.pop() if self._is_long(self._queue[-1]) else self._queue.popleft()
            self._open[session] = None
            taking_turns += 1
        return self._open

    def _is_long(self, session: S) -> bool:
        return self.width > 1 and self._slack_s > 0 and session.need_s >= self._share_s

    def _look_ahead(self, now: float) -> None:
        """Forecast, now and then: it takes a look at every session.

        Where nothing is measured yet, latencies are taken to be in the same proportion to the targets as elsewhere.
        """
        if now < self._looked_s + _FORECAST_S + _FORECAST_S_EACH * len(self._sessions):
            return
        self._looked_s = now
        known = [(session.typical_s, session.expected_s) for session in self._sessions if session.typical_s is not None]
        correction = sum(typical for typical, _ in known) / sum(expected for _, expected in known) if known else 1.0
        overlap_s = correction * sum(s.need_s for s in self._queue) + sum(s.need_s for s in self._open)
        prove_s = correction * sum(s.proof_s for s in self._queue)
        prove_s += sum(s.proof_s for s in (*self._open, *self._proving))
        prove_alone_s = sum(s.proof_s for s in self._alone)
        self._measured = len(known)
        self._share_s = overlap_s / self.width
        rest_s = min(prove_s / self.width + prove_alone_s, max(self._proof_left_s, 0.0))
        self._end_s = now + self._share_s + self._need_alone_s(self._alone) + rest_s
        self._slack_s = self._deadline_s() - self._end_s

    def _start(self, candidates: Sequence[S], width: int, now: float) -> None:
        """Begin as many turns as may be in flight."""
        while len(self._turns) < width:
            due = [session for session in candidates if self._may_begin(session, width, now)]
            if not due:
                return
            session = min(due, key=self._precedence)
            turn = self._turns[session] = _Turn(session, width, now, self._transports[0])
            self._send(turn)

    def _may_begin(self, session: S, width: int, now: float) -> bool:
        if session.not_before > now or session in self._turns:
            return False
        return width == 1 or self._ramp.wants(session) or not (session.needs_alone or session.phase is Phase.FINISHED)

    def _precedence(self, session: S) -> tuple[bool, int, float, float]:
        """Confirmations that are due, whoever has no latency yet, suspects; then the one that used the least time.

        What timed out comes last, one endpoint after the other: in turn, none would be decided in time. Where all time
        out it comes first, until there is a response.
        """
        share = session.used_s
        if session.phase is Phase.CONFIRMATION:
            kind, share = 0, session.need_s
        elif self._ramp.wants(session):
            kind = 1
        elif session.phase is Phase.PROOF:
            kind = 5
        elif session.timed_out:
            kind, share = 2, -share
        elif session.typical_s is None:
            kind = 2
        elif session.suspicion and self._slack_s > 0:
            kind, share = 3, -session.suspicion
        else:
            kind, share = 4, -session.need_s if self._is_long(session) else share
        return session.timed_out is not self._hangs, kind, share, self._rng.random()

    def _send(self, turn: _Turn[S]) -> None:
        number, endpoint = turn.session.next_request()
        turn.transport = self._transports[number]
        turn.transport.start(endpoint, turn)

    def _wake(self, candidates: Sequence[S], width: int, now: float, deadline: float) -> float:
        """When there is something to do even if no response comes."""
        wake = [deadline]
        if len(self._turns) < width:
            wake += [session.not_before for session in candidates if session.not_before > now]
        wake += [turn.started_s + self._longest_wait_s() for turn in self._turns.values() if turn.width > 1]
        return min(wake)

    def _collect(self, wake: float) -> None:
        for turn, sample in self._transports[0].wait(wake):
            if turn.session in self._turns:  # and not abandoned because of one that has ended with it
                self._take(turn, sample)
        self._look_for_unanswered()

    def _take(self, turn: _Turn[S], sample: Sample) -> None:
        session, now = turn.session, self._now()
        phase = session.phase
        is_over = session.take(sample, turn.width, now)
        self._observe(session, sample)
        self._timeouts = self._timeouts + 1 if sample.failure is Failure.TIMEOUT else 0
        if not is_over:
            self._send(turn)
            return
        del self._turns[session]
        took_s = now - turn.started_s
        session.used_s += took_s
        if phase is Phase.PROOF:
            self._proof_left_s -= took_s / turn.width
        if session.typical_s is not None:
            self._slowest_s = max(self._slowest_s, session.typical_s)
        self._place(session)
        self._watch_for_overload(turn, sample)
        if phase is not Phase.WARM_UP:
            self._continue_ramp(turn)
        if self._proof_left_s <= 0:
            self._end_proofs()

    def _place(self, session: S) -> None:
        """Put a session where it belongs now."""
        for sessions in (self._open, self._alone, self._proving):
            sessions.pop(session, None)
        if session.phase is Phase.FINISHED:
            return
        if session.needs_alone:
            self._alone[session] = None
        elif session.phase is Phase.PROOF:
            self._proving[session] = None
        else:
            self._open[session] = None

    def _cancel(self, sessions: Iterable[S]) -> None:
        for session in sessions:
            turn = self._turns.pop(session)
            turn.transport.cancel(turn)

    # --- How many connections --------------------------------------------------------------------------------------

    def _begin_ramp(self) -> None:
        """Endpoints spread over the targets begin, and are watched until it is known what the service bears."""
        by_cost = sorted(self._queue, key=lambda session: session.cost_s)
        if self._need_s > self.budget_s:  # there is no time for the dear ones
            by_cost = by_cost[: max(MEMBERS, len(by_cost) // _CHEAPEST)]
        members = {by_cost[int((i + 0.5) * len(by_cost) / MEMBERS)]: None for i in range(MEMBERS)}
        self._queue = deque(session for session in self._queue if session not in members)
        self._open = dict(members)
        self._ramp = Ramp(members, self._most)
        self._is_screening, self._may_ramp = True, False

    def _widen_for_proof(self) -> None:
        """Requests for the failure rate may overlap, and the latency of each endpoint alone is known by now."""
        if not self._may_ramp or sum(session.proof_s for session in self._proving) <= _NO_RAMP_S:
            return
        self._may_ramp = False
        usual_ms = {
            session: 1000 * session.typical_s for session in _first(self._proving, MEMBERS) if session.typical_s
        }
        self._ramp = Ramp(usual_ms, min(self._most, len(self._proving)), usual_ms)

    def _continue_ramp(self, turn: _Turn[S]) -> None:
        """During the screening, the endpoints that are watched go on after their verdict."""
        session = turn.session
        self._ramp.add(session, session.last_turn_ms, turn.width)
        ends_with_verdict = not self._is_screening and session.phase is Phase.FINISHED
        if ends_with_verdict or session.phase is Phase.CONFIRMATION:
            self._ramp.leave(session)

    def _watch_for_overload(self, turn: _Turn[S], sample: Sample) -> None:
        """Fall back to one connection where the service does not bear more."""
        reason = sample.status if sample.failure is Failure.STATUS else sample.failure
        if reason in _OVERLOADED or reason in _OVERLOADED_STATUS:
            if turn.width == 1:
                self._failed_alone.add(reason)
            elif reason not in self._failed_alone:
                self._fall_back()

    def _fall_back(self) -> None:
        self._ramp.stop()
        self._looked_s = -math.inf  # for it takes longer now
        for transport in self._transports:
            transport.close_idle()

    def _longest_wait_s(self) -> float:
        return _UNANSWERED_S + _UNANSWERED_TIMES * self._slowest_s

    def _look_for_unanswered(self) -> None:
        """A service with one thread answers no second connection while the first one is open."""
        now, longest_s = self._now(), self._longest_wait_s()
        late = [
            session for session, turn in self._turns.items() if turn.width > 1 and turn.started_s + longest_s <= now
        ]
        if not late:
            return
        self._unanswered.update(late)
        is_known = len(self._unanswered) > 1 or not self._ramp.is_over
        overdue = list(self._turns) if is_known else late
        self._cancel(overdue)
        for session in overdue:
            session.measure_alone()
            self._place(session)
        if is_known:
            self._fall_back()

    # --- The failure rate ------------------------------------------------------------------------------------------

    def _end_proofs(self) -> None:
        """The time for requests for the failure rate alone is up."""
        for session in [s for s in (*self._proving, *self._alone) if s.phase is Phase.PROOF]:
            self._cancel([session] if session in self._turns else [])
            session.end_proof()
            self._place(session)


def _first(sessions: Iterable[S], count: int) -> list[S]:
    return list(islice(sessions, count))
