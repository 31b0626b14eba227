"""How often a comparison or a trend is wrong, and what it costs: services and series of known truth, in scripted time.

    python benchmarks/comparisons.py [--runs 2000] [--quick] [--json PATH]

Every figure is printed with its acceptance limit; exits with 1 when one is missed. The same seeds give the same
figures. A full run takes about fifteen minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from acceptance import Criterion, conclude, show, table
from simulation.comparing import (
    Live,
    Outcomes,
    Proposed,
    Series,
    Stored,
    simulate_live,
    simulate_proposals,
    simulate_stored,
    simulate_trends,
)
from simulation.noise import SHAPES

from perfcheck.model import Changed, Metric, Verdict
from perfcheck.stats.trend import Trend
from perfcheck.stats.two_sample import SURE

MEDIAN, P95, MEAN = Metric.MEDIAN, Metric.P95, Metric.MEAN
SLOWER, FASTER, NO_CHANGE = Changed.SLOWER, Changed.FASTER, Changed.NO_CHANGE
NARROW = "lognormal .1"
SIGMAS = {"lognormal .1": 0.1, "lognormal .3": 0.3, "lognormal .6": 0.6}
OVER, UNDER = 1 / 63.5, 1 / 14.7  # errors of the live comparison at a limit
LIVE_RATIOS = (0.8, 1.0, 1.05, 1.1, 1.15, 1.2, 1.25, 1.5)
LIVE = [Live(shape, ratio) for shape in SHAPES for ratio in LIVE_RATIOS]
NOISY = [
    Live(shape, ratio, burst_share=share, wander=wander)
    for shape in ("lognormal .1", "lognormal .3")
    for share, wander in ((0.08, 0.0), (0.18, 0.0), (0.0, 0.2))
    for ratio in (1.0, 1.5)
]
COUNTS = {MEDIAN: (5, 20, 67, 200), P95: (67, 200), MEAN: (5, 20, 67, 200)}
STORED = [
    Stored(shape, metric, count, ratio)
    for metric, counts in COUNTS.items()
    for count in counts
    for ratio in (1.0, 1.2, 1.5)
    for shape in SHAPES
]
APART = [
    Stored(shape, MEDIAN, 67, 1.0, apart) for shape in ("lognormal .1", "lognormal .3") for apart in (0.05, 0.1, 0.2)
]
QUIET = Series(500)
RESTLESS = Series(500, noise=0.06, likeness=0.4, outliers=0.03)
FIRST_WEEKS = [Series(30), Series(30, noise=0.06, likeness=0.4, outliers=0.03)]
FIRST_WEEKS_LIMITS = 0.1, 0.4  # false changes, %
# Few runs, with the share in % of series in which the step has to be found.
EARLY_STEPS = {
    Series(6, noise=0.05, step=2.0, step_at=3): 93,
    Series(7, noise=0.05, step=1.0, step_at=4): 97,
    Series(9, noise=0.05, step=0.5, step_at=5): 93,
    Series(28, noise=0.05, step=0.2, step_at=20): 70,
    Series(72, step=0.1, step_at=60): 98,
    Series(40, step=0.1, step_at=20): 95,
}
BAD_FIRST_RUN = Series(30, step=-0.5, step_at=1)
INCIDENT = Series(60, noise=0.05, outliers=0.0, step=1.0, step_at=30, step_runs=3)
CLEAN_STEP = Series(75, outliers=0.0, step=0.25, step_at=60)
STEPS = [Series(at + 60, step=step, step_at=at) for step in (0.06, 0.1, 0.25, -0.2) for at in (20, 60, 300)]
DRIFTS = [
    Series(60, noise=0.01, drift=0.1),
    Series(100, drift=0.2),
    Series(200, drift=0.3),
    Series(500, drift=0.3),
    Series(500, noise=0.06, drift=0.5),
    Series(350, drift=0.3, drift_from=200),
]
DRIFT_THEN_STEP = Series(260, drift=0.3, step=0.2, step_at=200)
TRENDS = [QUIET, RESTLESS, *FIRST_WEEKS, *EARLY_STEPS, BAD_FIRST_RUN, INCIDENT, CLEAN_STEP, *STEPS, *DRIFTS]
TRENDS += [DRIFT_THEN_STEP]
QUICK_ENDPOINT = Proposed(3.0)
PROPOSED = [QUICK_ENDPOINT, *(Proposed(median) for median in (10.0, 30.0, 100.0)), Proposed(3.0, machines=0.3)]


def with_chance(rate: float, runs: int) -> float:
    """In %: what a true rate of ``rate`` may look like in ``runs``, three standard deviations above it."""
    return 100 * (rate + 3 * math.sqrt(rate * (1 - rate) / runs))


# --- 1. Live -------------------------------------------------------------------------------------------------------


def live_section(live: dict[Live, Outcomes]) -> Iterator[str | Criterion]:
    def figures(cell: Live) -> str:
        found = live[cell]
        return f"{100 * found.rate(SLOWER):.1f} / {100 * found.rate(NO_CHANGE):.1f} ({found.mean_pairs:.0f})"

    rows = [[shape, *(figures(Live(shape, ratio)) for ratio in LIVE_RATIOS)] for shape in SHAPES]
    yield from table(["live", *(f"{ratio} x" for ratio in LIVE_RATIOS)], rows)
    yield "In %: called slower / no change (pairs until all is settled, at most 200). Limits at 1.10 and 1.25."
    yield ""
    runs = live[LIVE[0]].runs
    equal, slow, slower = (live[Live(NARROW, ratio)] for ratio in (1.0, 1.2, 1.5))
    called = max(live[Live(shape, 1.0)].rate(SLOWER) for shape in SHAPES)
    yield Criterion("equal services called slower, worst shape", 100 * called, 0.5)
    yield Criterion("sigma .1: equal services settled as no change", 100 * equal.rate(NO_CHANGE), 98, at_least=True)
    yield Criterion("sigma .1: pairs for that, on average", equal.mean_pairs, 50, "pairs")
    yield Criterion("sigma .1: 20% slower found", 100 * slow.rate(SLOWER), 97, at_least=True)
    yield Criterion("sigma .1: pairs until all is settled, 50% slower", slower.mean_pairs, 17, "pairs")
    found = min(live[Live(shape, 1.5)].rate(SLOWER) for shape in SHAPES)
    yield Criterion("50% slower found, worst shape", 100 * found, 95, at_least=True)
    found = min(live[Live(shape, 1.2)].rate(SLOWER) for shape in ("lognormal .3", "spikes 2%"))
    yield Criterion("sigma .3, also with spikes: 20% slower found", 100 * found, 97, at_least=True)
    at_limit = max(live[Live(shape, 1.1)].rate(SLOWER, Verdict.CRITICAL) for shape in SHAPES)
    yield Criterion("exactly at 1.10: called CRITICAL, worst shape", 100 * at_limit, 0.1)
    critical = max(live[Live(shape, 1.25)].rate(SLOWER, Verdict.CRITICAL) for shape in SHAPES)
    yield Criterion(
        "exactly at 1.25: CRITICAL, worst shape (1.6%, and chance)", 100 * critical, with_chance(OVER, runs)
    )
    critical = max(live[Live(shape, 1.2)].rate(SLOWER, Verdict.CRITICAL) for shape in SHAPES)
    yield Criterion("20% slower called CRITICAL, worst shape", 100 * critical, with_chance(OVER, runs))
    missed = max(live[Live(shape, 1.2)].rate(NO_CHANGE) for shape in SHAPES)
    yield Criterion(
        "20% slower called no change, worst shape (6.8%, and chance)", 100 * missed, with_chance(UNDER, runs)
    )
    for side in ("above", "below"):
        misses = max(getattr(live[cell], side) for cell in LIVE) / runs
        what = f"intervals {side} the truth, worst situation (5%, and chance)"
        yield Criterion(what, 100 * misses, with_chance(0.05, runs))


def bound_section(live: dict[Live, Outcomes]) -> Iterator[str | Criterion]:
    """Wald: pairs with a known normal spread take ln(1 / error) / D or more; D is the divergence from the limit."""
    rows = []
    quick: list[float] = []
    for shape, sigma in SIGMAS.items():
        for ratio, error in ((1.0, UNDER), (1.2, OVER), (1.5, OVER)):
            found = live[Live(shape, ratio)]
            bound = math.log(1 / error) / ((math.log(ratio / 1.1) / sigma) ** 2 / 4)
            rows.append([shape, f"{ratio} x", f"{bound:.1f}", f"{found.shown_at / found.runs:.1f}"])
            rows[-1].append(f"{found.shown_at / found.runs / bound:.2f}" if bound < 150 else "more than 200 allow")
            if 15 < bound < 50:
                quick.append(found.shown_at / found.runs / bound)
    yield from table(["live", "at", "bound", "pairs until shown", "ratio"], rows)
    yield "No procedure is quicker than the bound, so sigma .3 cannot be settled within 50 pairs at a limit of 10%."
    yield ""
    yield Criterion("pairs until shown, over the bound, where it is 15 to 50", max(quick), 2, "times")


def noisy_section(live: dict[Live, Outcomes]) -> Iterator[str | Criterion]:
    rows = []
    for cell in NOISY:
        found = live[cell]
        machine = (
            f"{100 * cell.burst_share:.0f}% in bursts" if cell.burst_share else f"speed varies by {cell.wander:.0%}"
        )
        rates = [f"{100 * found.rate(changed):.2f}" for changed in (SLOWER, NO_CHANGE, FASTER)]
        rows.append([cell.shape, machine, f"{cell.ratio} x", *rates, f"{found.mean_pairs:.0f}"])
    yield from table(["live", "machine", "at", "slower %", "no change %", "faster %", "pairs"], rows)
    called = max(live[cell].rate(SLOWER) for cell in NOISY if cell.ratio == 1)
    yield Criterion("equal services called slower on a restless machine", 100 * called, 0.5)


# --- 2. Stored -----------------------------------------------------------------------------------------------------


def stored_section(stored: dict[Stored, Outcomes]) -> Iterator[str | Criterion]:
    for metric, counts in COUNTS.items():
        rows = []
        for count in counts:
            for ratio in (1.0, 1.2, 1.5):
                cells = [stored[Stored(shape, metric, count, ratio)] for shape in SHAPES]
                rows.append([str(count), f"{ratio} x", *(_stored_figures(found) for found in cells)])
        yield from table([f"{metric}, samples", "at", *SHAPES], rows)
    yield "In %: called slower (of these CRITICAL) / no change. The rest is faster or cannot tell."
    yield ""
    for metric in (MEDIAN, P95):
        equal = {cell: found for cell, found in stored.items() if cell.metric is metric and cell.ratio == 1}
        together = sum(found.rate(SLOWER) for found in equal.values()) / len(equal)
        yield Criterion(f"{metric}: equal samples called slower, all together", 100 * together, 0.5)
        runs = next(iter(equal.values())).runs
        worst = max(found.rate(SLOWER) for found in equal.values())
        yield Criterion(
            f"{metric}: the same, worst of {len(equal)} (0.5%, and chance)", 100 * worst, with_chance(SURE, runs)
        )
    equal_means = [found for cell, found in stored.items() if cell.metric is MEAN and cell.ratio == 1]
    together = sum(found.rate(SLOWER) for found in equal_means) / len(equal_means)
    yield Criterion("mean: equal samples called slower, all together", 100 * together, 1)
    found_20, found_50 = (stored[Stored("lognormal .3", MEDIAN, 200, ratio)].rate(SLOWER) for ratio in (1.2, 1.5))
    yield Criterion("median, 200 samples, sigma .3: 20% slower found", 100 * found_20, 95, at_least=True)
    yield Criterion("median, 200 samples, sigma .3: 50% slower found", 100 * found_50, 99.9, at_least=True)
    few = stored[Stored(NARROW, MEDIAN, 5, 1.5)].rate(SLOWER)
    yield Criterion("median, 5 samples, sigma .1: 50% slower found", 100 * few, 90, at_least=True)


def _stored_figures(found: Outcomes) -> str:
    critical = found.rate(SLOWER, Verdict.CRITICAL)
    return f"{100 * found.rate(SLOWER):.2f} ({100 * critical:.1f}) / {100 * found.rate(NO_CHANGE):.0f}"


def apart_section(stored: dict[Stored, Outcomes]) -> Iterator[str | Criterion]:
    rows = []
    for cell in APART:
        found = stored[cell]
        false = found.rate(SLOWER) + found.rate(FASTER)
        rates = [f"{100 * rate:.1f}" for rate in (found.rate(SLOWER), found.rate(FASTER), false)]
        rows.append([cell.shape, f"{cell.apart:.0%}", *rates])
    yield from table(["median of 67", "machine apart by", "slower %", "faster %", "false %"], rows)
    yield "Equal services, on a machine whose speed differs between the runs by so much (one standard deviation)."
    yield "There is no limit here, since the samples do differ. The live comparison is not affected."
    yield ""


# --- 3. Trends -----------------------------------------------------------------------------------------------------


def trend_section(trends: dict[Series, list[Trend]]) -> Iterator[str | Criterion]:
    rows = []
    for cell in TRENDS:
        found = trends[cell]
        steps = sum(len(trend.steps) for trend in found) / len(found)
        drifts = sum(trend.drift is not None for trend in found) / len(found)
        near = sum(any(abs(step.index - cell.step_at) <= 2 for step in trend.steps) for trend in found) / len(found)
        rows.append([described(cell), f"{steps:.2f}", f"{100 * near:.1f}" if cell.step else "", f"{100 * drifts:.1f}"])
    yield from table(["series", "steps found", "step within 2 runs %", "drift found %"], rows)

    def false(cell: Series) -> float:
        return sum(len(t.steps) + (t.drift is not None) for t in trends[cell]) / len(trends[cell])

    yield Criterion("500 runs, 3% noise: false changes a series", false(QUIET), 0.03, "")
    yield Criterion("500 runs, 6% noise, autocorrelation .4: false changes a series", false(RESTLESS), 0.4, "")
    for cell, most in zip(FIRST_WEEKS, FIRST_WEEKS_LIMITS, strict=True):
        changed = share(trends[cell], lambda trend: bool(trend.steps) or trend.drift is not None)
        yield Criterion(f"{described(cell)}: with a false change", changed, most)
    for cell, least in EARLY_STEPS.items():
        in_time = share(trends[cell], lambda trend: bool(trend.steps))
        yield Criterion(f"{described(cell)}: found", in_time, least, at_least=True)
    bad_first = share(trends[BAD_FIRST_RUN], lambda trend: any(step.index < 3 for step in trend.steps))
    yield Criterion("a bad first run: reported as a step", bad_first, 0)
    borders = share(trends[INCIDENT], lambda trend: [step.index for step in trend.steps] == [30, 33])
    yield Criterion("an incident of 3 runs: both its borders, and no other", borders, 99, at_least=True)
    exact = share(trends[CLEAN_STEP], lambda trend: [step.index for step in trend.steps] == [CLEAN_STEP.step_at])
    yield Criterion("clean 25% step, at exactly its run, and no other", exact, 99.9, at_least=True)
    large = [cell for cell in STEPS if abs(cell.step) > 0.06]
    as_drift = max(share(trends[cell], lambda trend: trend.drift is not None) for cell in large)
    yield Criterion("steps of 10% and more also reported as drift, worst", as_drift, 0.5)
    missed = max(share(trends[cell], lambda trend: trend.drift is None) for cell in DRIFTS[2:])
    yield Criterion("drift of 30% and more not found, worst", missed, 2)
    stairs = max(share(trends[cell], lambda trend: len(trend.steps) > 1) for cell in DRIFTS)
    yield Criterion("drift reported as several steps, worst", stairs, 1)


def described(cell: Series) -> str:
    noise = f"{cell.runs} runs, {cell.noise:.0%} noise" + (
        f", autocorrelation {cell.likeness}" if cell.likeness else ""
    )
    drift = (
        f", {cell.drift:+.0%} slowly" + (f" from {cell.drift_from}" if cell.drift_from else "") if cell.drift else ""
    )
    back = f", for {cell.step_runs} runs" if cell.step_runs else ""
    return noise + drift + (f", {cell.step:+.0%} at {cell.step_at}" if cell.step else "") + back


def share(trends: Sequence[Trend], is_so: Callable[[Trend], bool]) -> float:
    """In %."""
    return 100 * sum(map(is_so, trends)) / len(trends)


# --- 4. Targets ----------------------------------------------------------------------------------------------------


def target_section(proposed: dict[Proposed, list[tuple[float, float, bool]]]) -> Iterator[str | Criterion]:
    rows = []
    for cell, services in proposed.items():
        targets, warnings, criticals = zip(*services, strict=True)
        rows.append([f"{cell.median_ms:g} ms", f"{cell.machines:.0%}", f"{statistics.median(targets):.2f}"])
        rows[-1] += [f"{100 * statistics.mean(warnings):.2f}", f"{100 * statistics.mean(criticals):.2f}"]
    head = ["median", "machines differ by", "target / median", "later runs over 1.5x %", "services ever over 2x %"]
    yield from table(head, rows)
    yield "A target from five daily runs, and a hundred later runs of the same service."
    yield ""
    ever = statistics.mean(critical for _, _, critical in proposed[QUICK_ENDPOINT])
    yield Criterion("3 ms, machines that differ by 20%: CRITICAL in any of 100 runs", 100 * ever, 0)


# --- Running and printing ------------------------------------------------------------------------------------------


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000, help="runs of each situation (default: 2000)")
    parser.add_argument(
        "--quick", action="store_true", help="100 runs: too few to compare rare errors with their limits"
    )
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the criteria there as well")
    options = parser.parse_args()
    runs = 100 if options.quick else options.runs
    live_cells, stored_cells = [*LIVE, *NOISY], [*STORED, *APART]
    with multiprocessing.Pool(2) as pool:
        found = pool.map(partial(simulate_live, runs=runs), live_cells, chunksize=1)
        live = dict(zip(live_cells, found, strict=True))
        found = pool.map(partial(simulate_stored, runs=runs), stored_cells, chunksize=1)
        stored = dict(zip(stored_cells, found, strict=True))
        series = pool.map(partial(simulate_trends, runs=runs), TRENDS, chunksize=1)
        trends = dict(zip(TRENDS, series, strict=True))
        targets = pool.map(partial(simulate_proposals, services=runs), PROPOSED, chunksize=1)
        proposed = dict(zip(PROPOSED, targets, strict=True))
    print(f"# Comparisons, trends and targets\n\n{runs} runs of each situation.")
    criteria = [
        *show("Two services, pair by pair", live_section(live)),
        *show("Pairs and the theoretical bound", bound_section(live)),
        *show("On a restless machine, pair by pair", noisy_section(live)),
        *show("Stored samples, independent", stored_section({cell: stored[cell] for cell in STORED})),
        *show("Stored samples, and a machine that drifted", apart_section(stored)),
        *show("Trends", trend_section(trends)),
        *show("Targets from past runs", target_section(proposed)),
    ]
    if options.json:
        rows = [{**asdict(criterion), "is_met": criterion.is_met} for criterion in criteria]
        options.json.write_text(json.dumps({"runs": runs, "criteria": rows}, indent=1) + "\n", encoding="utf-8")
    return conclude(criteria)


if __name__ == "__main__":
    raise SystemExit(main())
