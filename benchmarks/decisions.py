"""How often a verdict is wrong, and what it costs: the full procedure on services of known truth, in scripted time.

    python benchmarks/decisions.py [--runs 2000] [--quick] [--json PATH]

Every figure is printed with its acceptance limit; exits with 1 when one is missed. The same seeds give the same
figures. A full run takes half an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

from acceptance import Criterion, conclude, show, table
from simulation.checks import Cell, Tally, fixed_rule, simulate, simulate_screening
from simulation.noise import SHAPES, unit

from perfcheck.model import ErrorProof, Metric, Verdict
from perfcheck.stats.quantiles import QUANTILE
from perfcheck.stats.sequential import ALPHA, FIRST_STAGE, boundaries, divergence, looks_of

MEDIAN, P95, P99, MEAN = Metric.MEDIAN, Metric.P95, Metric.P99, Metric.MEAN
QUANTILES = (MEDIAN, Metric.P90, P95, P99)
METRICS = (*QUANTILES, MEAN)
JUST_OVER = 1.505  # T, and the warning limit is 1.5 T
RATIOS = (0.3, 0.8, 1.2, 1.45, JUST_OVER, 2.0, 2.1, 2.5, 4.0)
RATIOS_OF = {  # the slow ones
    P99: (0.8, 1.45, 2.0, 2.5, 4.0),
    MEAN: (0.3, 0.8, 1.45, JUST_OVER, 2.0, 2.5, 4.0),
}
NARROW = ("lognormal .1", "lognormal .3")
WIDE = "lognormal .6"
SPIKES = "spikes 2%"
FIXED = (10, 20, 100)  # requests of the rules that are written in CI scripts
BURSTS = [
    Cell(shape=shape, ratio=ratio, burst_share=share, confirm=confirm)
    for share, confirm in ((0.08, 1), (0.18, 1), (0.08, 2), (0.18, 2))
    for shape in (*NARROW, WIDE)
    for ratio in (0.8, 1.0, 1.2, 3.0)
]
AT_LIMIT_TWICE = [Cell(shape=shape, ratio=JUST_OVER, confirm=2) for shape in (*NARROW, WIDE)]
SCREENED = [  # so dear that their need is worth more than one connection
    Cell(shape=shape, ratio=ratio, target_ms=3000.0)
    for shape, ratio in (
        *((shape, ratio) for shape in NARROW for ratio in (0.3, 0.8, 1.2, JUST_OVER, 2.5)),
        (WIDE, 0.8),
    )
]
TAIL_BURSTS = [
    Cell(metric=P95, ratio=ratio, burst_share=share, confirm=confirm)
    for share, confirm in ((0.08, 1), (0.08, 2), (0.18, 2))
    for ratio in (0.3, 0.5, 0.8, 1.2)
]
CHEAP_MS, DEAR_MS = 26.0, 200.0
RUNS_OF_ERRORS = 5  # times as many: they take little time, and their limits leave little room for chance
FAILURE_RATES = (0.0, 0.001, 0.005, 0.01, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0)


def failing(rate: float, latency_ms: float = CHEAP_MS, errors: ErrorProof = ErrorProof.PROVEN) -> Cell:
    return Cell(failure_rate=rate, target_ms=2 * latency_ms, errors=errors)


ERRORS = [
    failing(rate, latency_ms, errors)
    for latency_ms, errors in (
        (CHEAP_MS, ErrorProof.PROVEN),
        (DEAR_MS, ErrorProof.PROVEN),
        (CHEAP_MS, ErrorProof.QUICK),
        (CHEAP_MS, ErrorProof.STRICT),
    )
    for rate in FAILURE_RATES
]
Tallies = dict[Cell, Tally]
FINAL = (Verdict.OK, Verdict.WARNING, Verdict.CRITICAL)


def independent(metric: Metric) -> list[Cell]:
    return [Cell(shape=shape, metric=metric, ratio=ratio) for shape in SHAPES for ratio in ratios_of(metric)]


def ratios_of(metric: Metric) -> tuple[float, ...]:
    return RATIOS_OF.get(metric, RATIOS)


# --- 1. Boundaries -------------------------------------------------------------------------------------------------

GIVEN = {
    (MEDIAN, "upper"): {5: 5, 10: 10, 20: 17, 50: 36, 100: 65, 200: 122},
    (MEDIAN, "lower"): {5: 0, 15: 2, 20: 3, 50: 14, 100: 35, 200: 78},
    (P95, "upper"): {5: 2, 10: 4, 50: 8, 100: 13, 300: 28},
    (P95, "lower"): {67: 0, 150: 1, 200: 2, 300: 6},
}


def boundary_section(tallies: Tallies) -> Iterator[str | Criterion]:
    wrong = 0
    for (metric, side), given in GIVEN.items():
        table = boundaries(QUANTILE[metric], looks_of(metric))
        computed = getattr(table, side)
        wrong += sum(computed[n] != count for n, count in given.items())
        yield f"- {metric}, {side}: " + ", ".join(f"{n}:{computed[n]}" for n in given)
    yield ""
    yield Criterion("boundary values that differ from the derivation", wrong, 0, "")
    for side in ("above", "below"):
        misses = [
            getattr(tally, f"intervals_{side}") / tally.runs
            for cell, tally in tallies.items()
            if is_plain_quantile(cell)
        ]
        allowed = with_chance(ALPHA, min(tally.runs for tally in tallies.values()))
        what = f"intervals {side} the truth, worst of {len(misses)} situations (5%, and chance)"
        yield Criterion(what, 100 * max(misses), allowed)


def with_chance(rate: float, runs: int) -> float:
    """In percent, what so many runs measure at most when the true rate is at most ``rate``: three standard errors."""
    return 100 * (rate + 3 * math.sqrt(rate * (1 - rate) / runs))


def is_plain_quantile(cell: Cell) -> bool:
    return cell.metric is not MEAN and not cell.burst_share and not cell.failure_rate


# --- 2. Wrong verdicts ---------------------------------------------------------------------------------------------


def verdict_section(tallies: Tallies) -> Iterator[str | Criterion]:
    for metric in METRICS:
        yield from by_shape(metric, lambda cell: outcome(tallies[cell], cell.ratio))
    yield (
        f"In %. Up to 2 T: CRITICAL, decided + undecided; at {JUST_OVER} T: decided OK. "
        "Above: decided, and milder than CRITICAL."
    )
    yield ""
    for metric in METRICS:
        yield from verdict_checks(metric, tallies)
    passed = [tallies[cell].rate(Verdict.OK, decided=True) for cell in AT_LIMIT_TWICE]
    what = f"median: decided OK at {JUST_OVER} T with --confirm 2, on average"
    yield Criterion(what, 100 * sum(passed) / len(passed), 5.0)


def outcome(tally: Tally, ratio: float) -> str:
    if ratio > 2:
        return f"{100 * milder(tally):.2f}"
    if ratio == JUST_OVER:
        return f"{100 * tally.rate(Verdict.OK, decided=True):.2f}"
    decided, undecided = (tally.rate(Verdict.CRITICAL, decided=way) for way in (True, False))
    return f"{100 * decided:.2f} + {100 * undecided:.2f}"


def milder(tally: Tally) -> float:
    return tally.rate(Verdict.OK, decided=True) + tally.rate(Verdict.WARNING, decided=True)


def verdict_checks(metric: Metric, tallies: Tallies) -> Iterator[Criterion]:
    def worst(rates: Iterable[float]) -> float:
        return 100 * max(rates)

    # No bet on a mean can guard against a rare outlier that did not occur yet.
    shapes = [shape for shape in SHAPES if (metric, shape) != (MEAN, SPIKES)]
    at = {
        ratio: [tallies[Cell(shape=shape, metric=metric, ratio=ratio)] for shape in SHAPES]
        for ratio in ratios_of(metric)
    }
    over = {
        ratio: [tallies[Cell(shape=shape, metric=metric, ratio=ratio)] for shape in shapes]
        for ratio in ratios_of(metric)
        if ratio == JUST_OVER or ratio > 2
    }
    if JUST_OVER in over:
        passed = [t.rate(Verdict.OK, decided=True) for t in over[JUST_OVER]]
        yield Criterion(f"{metric}: decided OK at {JUST_OVER} T, on average", 100 * sum(passed) / len(passed), 5.0)
        runs = over[JUST_OVER][0].runs
        what = f"{metric}: decided OK at {JUST_OVER} T, worst shape (5%, and chance)"
        yield Criterion(what, worst(passed), with_chance(ALPHA, runs))
    fine = [tally for ratio, tallies_there in at.items() if ratio <= 1.45 for tally in tallies_there]
    yield Criterion(
        f"{metric}: decided CRITICAL up to 1.45 T", worst(t.rate(Verdict.CRITICAL, decided=True) for t in fine), 0.05
    )
    yield Criterion(f"{metric}: any CRITICAL up to 1.45 T", worst(t.rate(Verdict.CRITICAL) for t in fine), 0.1)
    at_limit = sum(t.rate(Verdict.CRITICAL, decided=True) for t in at[2.0]) / len(SHAPES)
    yield Criterion(f"{metric}: decided CRITICAL at 2 T, all shapes together", 100 * at_limit, 0.5)
    warned = worst(t.rate(Verdict.WARNING, decided=True) for t in at[1.45])
    yield Criterion(f"{metric}: decided WARNING at 1.45 T", warned, 0.5)
    for ratio, limit in ((2.1, 5.0), (2.5, 2.0), (4.0, 0.1)):
        if ratio in over:
            yield Criterion(f"{metric}: decided and milder at {ratio} T", worst(map(milder, over[ratio])), limit)


# --- 3. and 4. Requests --------------------------------------------------------------------------------------------


def request_section(tallies: Tallies) -> Iterator[str | Criterion]:
    for metric in METRICS:
        yield from by_shape(metric, lambda cell: f"{tallies[cell].mean_requests:.1f}")
    yield "Requests until the verdict, on average, warm-up and confirmation included."
    yield ""

    def most(shapes: Iterable[str], ratio: float, metric: Metric = MEDIAN) -> float:
        return max(tallies[Cell(shape=shape, metric=metric, ratio=ratio)].mean_requests for shape in shapes)

    yield Criterion("median, 0.3 T", most(set(SHAPES) - {SPIKES}, 0.3), 6.2, "requests")
    yield Criterion("median, 0.3 T, spikes", most([SPIKES], 0.3), 6.8, "requests")
    yield Criterion("median, 0.8 T, sigma up to .3", most(NARROW, 0.8), 7, "requests")
    yield Criterion("median, 0.8 T, sigma .6", most([WIDE], 0.8), 15, "requests")
    yield Criterion("median, 4 T, sigma up to .3", most(NARROW, 4.0), 13, "requests")
    yield Criterion("median, 4 T, sigma .6", most([WIDE], 4.0), 24, "requests")
    yield Criterion("p95, 0.8 T, sigma up to .3", most(NARROW, 0.8, P95), 69, "requests")
    yield Criterion("p95, 0.3 T, sigma .6", most([WIDE], 0.3, P95), 69, "requests")


def bound_section(tallies: Tallies) -> Iterator[str | Criterion]:
    """Wald: a test that errs at the limit in at most alpha, and always ends, takes ln(1 / alpha) / D requests or more.

    D is the Kullback-Leibler divergence of the true share over the limit from 1 - p. A CRITICAL needs two such tests.
    The first stage is compared with the bound for its own alpha: all stages in which an endpoint can be OK share 5%.
    """
    alone: list[float] = []
    whole: dict[Verdict, list[float]] = {Verdict.OK: [], Verdict.CRITICAL: []}
    rows = []
    for shape in SHAPES:
        for ratio in (0.3, 0.8, 2.5, 4.0):
            tally = tallies[Cell(shape=shape, ratio=ratio)]
            verdict, limit, stages = (Verdict.OK, 1.5, 1) if ratio < 1 else (Verdict.CRITICAL, 2.0, 2)
            alpha = FIRST_STAGE.alpha if ratio < 1 else ALPHA
            share = 1 - SHAPES[shape].below(limit / ratio / unit(shape, MEDIAN))
            bound_alone, bound = (math.log(1 / error) / divergence(share, 0.5) for error in (alpha, ALPHA))
            first = tally.first_stage / tally.runs
            if bound < looks_of(MEDIAN) / 4:  # the others end undecided too often to be compared
                alone.append(first / bound_alone)
                whole[verdict].append(tally.mean_requests / bound / stages)
            rows.append([shape, f"{ratio} T", f"{bound_alone:.1f}", f"{first:.1f}", f"{first / bound_alone:.2f}"])
            rows[-1] += [
                f"{bound * stages:.1f}",
                f"{tally.mean_requests:.1f}",
                f"{tally.mean_requests / bound / stages:.2f}",
            ]
    yield from table(
        ["median", "at", "bound", "first stage", "ratio", "bound, procedure", "full procedure", "ratio"], rows
    )
    yield Criterion("boundary alone, over Wald's bound", max(alone), 1.2, "times")
    yield Criterion("full procedure, OK", max(whole[Verdict.OK]), 1.45, "times")
    yield Criterion("full procedure, CRITICAL", max(whole[Verdict.CRITICAL]), 1.75, "times")


# --- Screening -----------------------------------------------------------------------------------------------------


def screening_section(screened: Tallies) -> Iterator[str | Criterion]:
    rows = []
    for cell, tally in screened.items():
        found = [f"{100 * tally.rate(verdict, decided=True):.2f}" for verdict in FINAL]
        share = f"{100 * tally.screened / tally.runs:.0f}"
        rows.append([cell.shape, f"{cell.ratio} T", share, *found, f"{tally.mean_requests:.1f}"])
    yield from table(["median", "at", "screened %", "OK %", "WARNING %", "CRITICAL %", "requests"], rows)

    def rate(ratio: float, verdict: Verdict) -> float:
        return max(tally.rate(verdict, decided=True) for cell, tally in screened.items() if cell.ratio == ratio)

    runs = min(tally.runs for tally in screened.values())
    passed = 100 * rate(JUST_OVER, Verdict.OK)
    yield Criterion(f"screened: decided OK at {JUST_OVER} T (5%, and chance)", passed, with_chance(ALPHA, runs))
    yield Criterion("screened: CRITICAL up to 1.2 T", 100 * max(rate(r, Verdict.CRITICAL) for r in (0.3, 0.8, 1.2)), 0)
    yield Criterion("screened: OK at 2.5 T", 100 * rate(2.5, Verdict.OK), 0)


# --- 5. Bursts -----------------------------------------------------------------------------------------------------


def burst_section(tallies: Tallies) -> Iterator[str | Criterion]:
    rows = []
    for cell in (*BURSTS, *TAIL_BURSTS):
        tally = tallies[cell]
        found = [f"{100 * tally.rate(verdict):.2f}" for verdict in FINAL]
        situation = [
            str(cell.metric),
            cell.shape,
            f"{100 * cell.burst_share:.0f}%",
            str(cell.confirm),
            f"{cell.ratio} T",
        ]
        rows.append([*situation, *found, f"{tally.mean_requests:.1f}", f"{tally.seconds / tally.runs:.1f}"])
    yield from table(
        ["metric", "shape", "in bursts", "confirm", "at", "OK %", "WARNING %", "CRITICAL %", "requests", "seconds"],
        rows,
    )

    def false(share: float, confirm: int) -> float:
        return 100 * max(
            tallies[cell].rate(Verdict.CRITICAL)
            for cell in BURSTS
            if (cell.burst_share, cell.confirm) == (share, confirm) and cell.ratio < 3
        )

    yield Criterion("false CRITICAL up to 1.2 T, 8% of the time in bursts", false(0.08, 1), 0.3)
    yield Criterion("false CRITICAL up to 1.2 T, 18%", false(0.18, 1), 1.0)
    yield Criterion("false CRITICAL up to 1.2 T, 18%, --confirm 2", false(0.18, 2), 0.1)
    at = {cell: tallies[cell] for cell in BURSTS if cell.confirm == 1}
    requests = max(
        t.mean_requests for c, t in at.items() if (c.ratio, c.burst_share) == (0.8, 0.08) and c.shape in NARROW
    )
    yield Criterion("requests at 0.8 T, 8%", requests, 9, "requests")
    missed = max(1 - t.rate(Verdict.CRITICAL) for c, t in at.items() if c.ratio > 2)
    yield Criterion("missed at 3 T", 100 * missed, 0.5)
    tail = max(
        tallies[c].rate(Verdict.CRITICAL)
        for c in TAIL_BURSTS
        if (c.burst_share, c.confirm) == (0.08, 1) and c.ratio < 1
    )
    yield Criterion("p95: false CRITICAL up to 0.8 T, 8%", 100 * tail, 0.9)


# --- 6. Errors, and the rules to compare with ----------------------------------------------------------------------


def error_section(tallies: Tallies) -> Iterator[str | Criterion]:
    rows = []
    for cell in ERRORS:
        tally = tallies[cell]
        found = [f"{100 * tally.rate(verdict):.2f}" for verdict in FINAL]
        situation = [str(cell.errors), f"{cell.true_ms:g} ms", f"{100 * cell.failure_rate:g}%"]
        rows.append([*situation, *found, f"{tally.mean_requests:.1f}", f"{tally.seconds / tally.runs:.1f}"])
    yield from table(["errors", "median", "failing", "OK %", "WARNING %", "CRITICAL %", "requests", "seconds"], rows)

    def at(rate: float, verdict: Verdict, latency_ms: float = CHEAP_MS) -> float:
        return 100 * tallies[failing(rate, latency_ms)].rate(verdict)

    few = max(at(rate, Verdict.CRITICAL) for rate in FAILURE_RATES if rate <= 0.01)
    yield Criterion("CRITICAL with at most 1% failing", few, 0.1)
    yield Criterion("WARNING with 1% failing", at(0.01, Verdict.WARNING), 3)
    yield Criterion("OK with 10% failing", at(0.1, Verdict.OK), 5)
    yield Criterion("OK with 20% failing", at(0.2, Verdict.OK), 0.5)
    yield Criterion("OK with 10% failing, 200 ms", at(0.1, Verdict.OK, DEAR_MS), 40)
    yield Criterion("CRITICAL with 20% failing", at(0.2, Verdict.CRITICAL), 90, at_least=True)
    yield Criterion("CRITICAL with 50% failing", at(0.5, Verdict.CRITICAL), 99, at_least=True)
    yield Criterion("CRITICAL with all failing", at(1.0, Verdict.CRITICAL), 100, at_least=True)
    all_failing = tallies[failing(1.0)].mean_requests
    yield Criterion("requests with all failing: warm-up, five, and five again", all_failing, 11, "requests")


FIXED_CELLS = [
    *(Cell(shape=shape, ratio=ratio) for shape in ("lognormal .3", WIDE) for ratio in (0.8, 1.45, 2.1, 2.5, 4.0)),
    *(Cell(ratio=ratio, burst_share=share) for share in (0.08, 0.18) for ratio in (0.8, 1.2)),
]


def fixed_section(tallies: Tallies, fixed: dict[Cell, list[float]]) -> Iterator[str | Criterion]:
    rows = []
    for cell in FIXED_CELLS:
        tally = tallies[cell]
        own = f"{100 * tally.rate(Verdict.CRITICAL):.2f} ({tally.mean_requests:.1f})"
        situation = [cell.shape, f"{100 * cell.burst_share:.0f}%", f"{cell.ratio} T"]
        rows.append([*situation, *(f"{100 * rate:.2f}" for rate in fixed[cell]), own])
    yield from table(["shape", "in bursts", "at", *(f"n = {n}" for n in FIXED), "perfcheck (requests)"], rows)
    yield "How often the median is called CRITICAL, in %: the point estimate of n requests in a row, and perfcheck."
    yield ""


# --- Running and printing ------------------------------------------------------------------------------------------


def fixed_rules(cell: Cell, runs: int) -> list[float]:
    return [fixed_rule(cell, requests, runs) for requests in FIXED]


def by_shape(metric: Metric, figure: Callable[[Cell], str]) -> Iterator[str]:
    """A table of one figure: shapes down, ratios across."""
    ratios = ratios_of(metric)
    rows = [[shape, *(figure(Cell(shape=shape, metric=metric, ratio=ratio)) for ratio in ratios)] for shape in SHAPES]
    return table([str(metric), *(f"{ratio} T" for ratio in ratios)], rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000, help="runs of each situation (default: 2000)")
    parser.add_argument(
        "--quick", action="store_true", help="200 runs: too few to compare rare errors with their limits"
    )
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the criteria and all counts there as well")
    options = parser.parse_args()
    runs = 200 if options.quick else options.runs
    cells = [
        *(cell for metric in METRICS for cell in independent(metric)),
        *AT_LIMIT_TWICE,
        *BURSTS,
        *TAIL_BURSTS,
        *ERRORS,
    ]
    cells += [cell for cell in FIXED_CELLS if cell not in cells]
    with multiprocessing.Pool(2) as pool:
        cells_and_runs = [(cell, runs * RUNS_OF_ERRORS if cell in ERRORS else runs) for cell in cells]
        tallies = dict(zip(cells, pool.starmap(simulate, cells_and_runs, chunksize=1), strict=True))
        screening = pool.map(partial(simulate_screening, runs=runs // 2), SCREENED, chunksize=1)
        screened = dict(zip(SCREENED, screening, strict=True))
        fixed = dict(zip(FIXED_CELLS, pool.map(partial(fixed_rules, runs=runs), FIXED_CELLS, chunksize=1), strict=True))
    print(f"# Decisions\n\n{runs} runs of each situation, {runs * RUNS_OF_ERRORS} with failures.")
    print("T is the target; limits at 1.5 T and 2 T.")
    criteria = [
        *show("Boundaries", boundary_section(tallies)),
        *show("Wrong verdicts, independent samples", verdict_section(tallies)),
        *show("Screened over several connections: services of eight such endpoints", screening_section(screened)),
        *show("Requests", request_section(tallies)),
        *show("Requests and the theoretical bound", bound_section(tallies)),
        *show(
            "A machine that stalls: bursts of 0.1 to 3 s, in which everything takes 2 to 6 times as long",
            burst_section(tallies),
        ),
        *show("Failing requests", error_section(tallies)),
        *show("Compared with rules of a fixed number of requests", fixed_section(tallies, fixed)),
    ]
    if options.json:
        options.json.write_text(
            json.dumps(as_json(runs, criteria, tallies, screened), indent=1) + "\n", encoding="utf-8"
        )
    return conclude(criteria)


def as_json(runs: int, criteria: Iterable[Criterion], tallies: Tallies, screened: Tallies) -> dict[str, object]:
    situations = []
    for cell, tally in (*tallies.items(), *screened.items()):
        counts = {f"{verdict}{'' if decided else ', undecided'}": n for (verdict, decided), n in tally.verdicts.items()}
        situations.append({**asdict(cell), "requests": tally.mean_requests, "verdicts": counts})
    return {
        "runs": runs,
        "criteria": [{**asdict(criterion), "is_met": criterion.is_met} for criterion in criteria],
        "situations": situations,
    }


if __name__ == "__main__":
    raise SystemExit(main())
