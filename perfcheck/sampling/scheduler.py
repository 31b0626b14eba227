"""Which request is sent next, over how many connections, and until when. One state machine for checks and comparisons.

An endpoint is measured in turns: one request, or a pair of them. Where the need is long and the service bears it,
turns of different endpoints overlap (screening). Load can only slow a request, so what comes out OK under load is OK.
Anything else is measured afresh alone, one turn at a time: see the drawing in docs/explanation/how-it-decides.md.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from perfcheck.model import Failure, Forecast, Sample, Sampling
from perfcheck.sampling.pace import LONGEST_WAIT_S, Paces, requests_of, wait_s
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
_LIMITED = 3  # responses 429 in a row, whatever was waited in between
_OVERLOADED = frozenset({Failure.REFUSED, Failure.RESET})
_OVERLOADED_STATUS = frozenset({429, 503})


S = TypeVar("S", bound=Schedulable)


@dataclass(eq=False, slots=True)
class _Turn(Generic[S]):
    session: S
    width: int
    started_s: float  # later by the time that it was held back
    number: int = 0  # of the transport of its request
    held_since_s: float | None = None  # None: its request was sent


class Scheduler(Generic[S]):
    """Measures ``sessions`` through ``transports`` until all are finished or the time is up.

    ``sampling`` bounds the turns in flight, the requests per second, and the time. ``alone_first``: what has to be
    measured alone does not wait until all others are screened. ``observe`` is called with a session and its sample
    after each that was taken, or that it waits for. ``rng`` breaks ties. ``proof_s`` bounds the requests for the
    failure rate alone. ``again`` is called after the screening, for sessions that are to be placed once more.
    """

    def __init__(
        self,
        sessions: Iterable[S],
        transports: Sequence[Transport],
        *,
        sampling: Sampling,
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
        self._most = min(sampling.connections or _MOST_CONNECTIONS, len(self._sessions))
        self._rate_per_s = sampling.rate_per_s
        self.paces = Paces(transports, sampling)
        self._limited: dict[S, int] = {}  # responses 429 in a row
        in_order = sorted(self._sessions, key=lambda s: (not s.endpoint.critical_path, s.cost_s))
        self._queue: deque[S] = deque(session for session in in_order if not session.needs_alone)
        # Ordered sets, since there may be thousands.
        self._open: dict[S, None] = {}  # in their first stage
        self._alone: dict[S, None] = {session: None for session in in_order if session.needs_alone}
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
        self._need_s = sum(session.need_s + session.proof_s for session in self._sessions)
        self._need_requests = sum(session.need_requests + session.proof_requests for session in self._sessions)
        self._again_s = 0.0  # of sessions that were placed once more
        self._budget_s = sampling.budget_s

    # --- What it will take -----------------------------------------------------------------------------------------

    @property
    def width(self) -> int:
        """Turns that may be in flight."""
        return self._ramp.width

    @property
    def screens(self) -> bool:
        """Whether the need is worth more than one connection, and is shortened by them: it may be due to a rate."""
        if not self._may_ramp or self._need_s <= _SERIAL_S or len(self._queue) < MEMBERS:
            return False
        return self.paces.takes_s(self._need_s, self._need_requests, 2) < self.paces.takes_s(
            self._need_s, self._need_requests
        )

    @property
    def budget_s(self) -> float:
        """As set, or by the need."""
        if self._budget_s is not None:
            return self._budget_s
        need_s = self._need_s / self.width
        paced_s = self.paces.takes_s(self._need_s, self._need_requests, self.width) - need_s
        follows_need_s = max(_BUDGET_OF_NEED * need_s, _LEAST_BUDGET_S) + _BUDGET_OF_NEED * self._again_s
        return min(follows_need_s, _MOST_BUDGET_S) + _BUDGET_OF_NEED * paced_s + self.paces.waited_s

    def forecast(self) -> Forecast:
        """What the rest will take, by what is known now."""
        if self._began_s is None:
            need_s = self.paces.takes_s(self._need_s, self._need_requests)
            return Forecast(need_s, self.budget_s, self.budget_s, self.width, is_known=False)
        now = self._now()
        self._look_ahead(now)
        budget_left_s = self._deadline_s() - now
        left_s = max(self._end_s - now, 0.0)
        is_known = self._measured >= min(_WINDOW, len(self._sessions)) and self._ramp.is_over
        limited_s = max(self.paces.limited_until_s - now, 0.0)
        return Forecast(left_s, budget_left_s, self.budget_s, self.width, is_known, self._rate_per_s, limited_s)

    def _deadline_s(self) -> float:
        """A budget that follows the need does not cut short what has to be measured alone."""
        is_pending = self._budget_s is None and any(map(self._may_go_on, self._alone))
        return (self._began_s or 0.0) + (max(_MOST_BUDGET_S, self.budget_s) if is_pending else self.budget_s)

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
        now, busy_s, turns, longest_s = self._now(), 0.0, 0.0, 0.0
        for session in sessions:
            busy_s += session.need_s
            turns += session.need_requests
            longest_s = max(longest_s, session.not_before - now + session.need_s)
        return max(self.paces.takes_s(busy_s, turns), longest_s)

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
            is_sent = turn.held_since_s is None
            waited_s = self._now() - turn.started_s
            self._cancel([session])
            if is_sent and waited_s >= self._longest_wait_s(turn):
                session.abandon(waited_s, turn.started_s)

    def _candidates(self, now: float, deadline: float) -> tuple[Sequence[S], int]:
        """Whoever may have the next turn, also those that rest, and how many turns may be in flight."""
        pending = [session for session in self._alone if session.phase is not Phase.PROOF]
        in_reach = [session for session in pending if session.need_s < _IN_REACH * (deadline - now)]
        if in_reach and now + self._need_alone_s(in_reach) >= deadline:
            return [*in_reach[:_MOST_ALONE], *self._fillers(in_reach, now)], 1  # the rest of the time is theirs
        if self.width > 1 and (self._open or self._queue) and not (self._alone_first and pending):
            return [*self._in_window(), *self._ramp.watched], self.width
        if self._alone or self._open or self._queue:
            in_first_stage = self._in_window() if self.width == 1 else ()
            return [*_first(self._alone, _MOST_ALONE), *in_first_stage, *_first(self._proving, _WINDOW)], 1
        self._widen_for_proof()
        return _first(self._proving, self.width + _WINDOW), self.width

    def _fillers(self, pending: Sequence[S], now: float) -> Iterator[S]:
        """Whose turn is over before any of these has its next one."""
        idle_s = min(session.not_before for session in pending) - now
        window = self._in_window() if idle_s > 0 else ()
        return (session for session in window if (session.typical_s or session.expected_s) < idle_s)

    def _end_screening(self) -> None:
        if self._is_screening and not (self._open or self._queue):
            self._is_screening = False
            for session in self._again():
                self._place(session)
                self._again_s += self.paces.takes_s(session.need_s, session.need_requests)

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
        in_first_stage = (*self._queue, *self._open)
        proofs = sum(s.proof_requests for s in (*in_first_stage, *self._proving))
        self._measured = len(known)
        self._share_s = self.paces.takes_s(overlap_s, sum(s.need_requests for s in in_first_stage), self.width)
        rest_s = self.paces.takes_s(prove_s, proofs, self.width)
        rest_s += self.paces.takes_s(prove_alone_s, sum(s.proof_requests for s in self._alone))
        rest_s = min(rest_s, max(self._proof_left_s, 0.0))
        self._end_s = max(now, self.paces.free_s) + self._share_s + self._need_alone_s(self._alone) + rest_s
        self._slack_s = self._deadline_s() - self._end_s

    def _start(self, candidates: Sequence[S], width: int, now: float) -> None:
        """Send what was held back, and begin as many turns as may be in flight."""
        for turn in self._held():
            self._send(turn)
        while len(self._turns) < width and self.paces.free_s <= now:
            due = [session for session in candidates if self._may_begin(session, width, now)]
            if not due:
                return
            session = min(due, key=self._precedence)
            turn = self._turns[session] = _Turn(session, width, now)
            self._send(turn)

    def _may_begin(self, session: S, width: int, now: float) -> bool:
        if session.not_before > now or session in self._turns:
            return False
        return width == 1 or self._ramp.wants(session) or not (session.needs_alone or session.phase is Phase.FINISHED)

    def _precedence(self, session: S) -> tuple[int, bool, int, float, float]:
        """What the service refused for now, since others would use up what it allows.

        Then confirmations that are due, whoever has no latency yet, suspects; then the one that used the least time.

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
        refused = self._limited.get(session, 0)
        return -refused, session.timed_out is not self._hangs, kind, share, self._rng.random()

    def _send(self, turn: _Turn[S]) -> None:
        """The next request of a turn. It is held back where the service must not get one yet."""
        turn.number, endpoint = turn.session.next_request()
        pace, now = self.paces[turn.number], self._now()
        held_since_s = now if turn.held_since_s is None else turn.held_since_s
        if pace.free_s > now:
            turn.held_since_s = held_since_s
            return
        turn.started_s += now - held_since_s
        turn.held_since_s = None
        pace.sent(now, requests_of(endpoint))
        self._transports[turn.number].start(endpoint, turn)

    def _held(self) -> list[_Turn[S]]:
        return [turn for turn in self._turns.values() if turn.held_since_s is not None]

    def _wake(self, candidates: Sequence[S], width: int, now: float, deadline: float) -> float:
        """When there is something to do even if no response comes."""
        wake, free_s = [deadline], self.paces.free_s
        if len(self._turns) < width:
            wake += [due_s for session in candidates if (due_s := max(session.not_before, free_s)) > now]
        wake += [self.paces[turn.number].free_s for turn in self._held()]
        wake += [turn.started_s + self._longest_wait_s(turn) for turn in self._turns.values() if _is_under_load(turn)]
        return min(wake)

    def _collect(self, wake: float) -> None:
        for turn, sample in self._transports[0].wait(wake):
            if turn.session in self._turns:  # and not abandoned because of one that has ended with it
                self._take(turn, sample)
        self._look_for_unanswered()

    def _take(self, turn: _Turn[S], sample: Sample) -> None:
        session, now = turn.session, self._now()
        phase = session.phase
        if self._has_to_wait(turn, sample, now):
            return
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
            self._proof_left_s -= self.paces.takes_s(took_s, requests_of(session.endpoint), turn.width)
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
            if turn.held_since_s is None:
                self._transports[turn.number].cancel(turn)

    def _has_to_wait(self, turn: _Turn[S], sample: Sample, now: float) -> bool:
        """A response 429 with Retry-After is not judged, and the turn taken anew then, unless it goes on and on."""
        session, pace, retry_after_s = turn.session, self.paces[turn.number], sample.retry_after_s
        pace.answered(now, refused=retry_after_s is not None)
        if retry_after_s is None:
            self._limited.pop(session, None)
            return False
        self._limited[session] = self._limited.get(session, 0) + 1
        pace.goes_on = pace.goes_on or self._limited[session] >= _LIMITED
        if pace.goes_on or not self._fits(wait_s(retry_after_s), now):
            return False
        pace.wait(now, retry_after_s)
        del self._turns[session]
        session.drop_turn()
        self._watch_for_overload(turn, sample)
        self._observe(session, sample)
        return True

    def _fits(self, wait_s: float, now: float) -> bool:
        """Whether there is time for it. A budget that follows the need is extended."""
        is_extended = self._budget_s is None and self.paces.waited_s + wait_s <= _MOST_BUDGET_S
        return wait_s <= LONGEST_WAIT_S and (is_extended or now + wait_s < self._deadline_s())

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

    def _longest_wait_s(self, turn: _Turn[S]) -> float:
        return _UNANSWERED_S + _UNANSWERED_TIMES * self._slowest_s + turn.session.endpoint.pauses_s

    def _look_for_unanswered(self) -> None:
        """A service with one thread answers no second connection while the first one is open."""
        now = self._now()
        late = [
            session
            for session, turn in self._turns.items()
            if _is_under_load(turn) and turn.started_s + self._longest_wait_s(turn) <= now
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


def _is_under_load(turn: _Turn[S]) -> bool:
    return turn.width > 1 and turn.held_since_s is None


def _first(sessions: Iterable[S], count: int) -> list[S]:
    return list(islice(sessions, count))
