"""Rank statistics against enumeration of everything that could have happened."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from perfcheck.stats.ranks import most_among_top, rank_sum_bound, signed_rank_bound, t_quantile

ALPHAS = (0.001, 0.005, 1 / 64, 0.025, 0.05, 0.1)


@pytest.mark.parametrize("pairs", range(1, 11))
@pytest.mark.parametrize("alpha", ALPHAS)
def test_signed_ranks_by_all_signs(pairs: int, alpha: float) -> None:
    sums = [sum(rank for rank, up in enumerate(signs, 1) if up) for signs in product((0, 1), repeat=pairs)]
    bound = signed_rank_bound(pairs, alpha)
    assert sum(total < bound for total in sums) <= alpha * len(sums)
    assert sum(total <= bound for total in sums) > alpha * len(sums)


@pytest.mark.parametrize(("before", "after"), [(1, 1), (1, 6), (3, 4), (5, 5), (6, 4), (2, 9)])
@pytest.mark.parametrize("alpha", ALPHAS)
def test_rank_sums_by_all_arrangements(before: int, after: int, alpha: float) -> None:
    sums = []
    for places in combinations(range(before + after), before):
        others = set(range(before + after)) - set(places)
        sums.append(sum(b < a for b in places for a in others))
    bound = rank_sum_bound(before, after, alpha)
    assert sum(total < bound for total in sums) <= alpha * len(sums)
    assert sum(total <= bound for total in sums) > alpha * len(sums)


@pytest.mark.parametrize(("before", "after", "top"), [(5, 5, 3), (4, 7, 5), (7, 4, 5), (6, 6, 1), (3, 3, 6)])
@pytest.mark.parametrize("alpha", ALPHAS)
def test_top_places_by_all_arrangements(before: int, after: int, top: int, alpha: float) -> None:
    counts = [sum(place >= before for place in places) for places in combinations(range(before + after), top)]
    many = most_among_top(before, after, top, alpha)
    assert sum(count >= many for count in counts) <= alpha * len(counts)
    assert sum(count >= many - 1 for count in counts) > alpha * len(counts)


@pytest.mark.parametrize(
    ("bound", "table"),
    [
        # Critical values of published tables; the rank is one more.
        (rank_sum_bound(5, 5, 0.005), 0),
        (rank_sum_bound(10, 10, 0.025), 23),
        (rank_sum_bound(20, 20, 0.005), 105),
        (rank_sum_bound(8, 15, 0.025), 29),
        (signed_rank_bound(10, 0.025), 8),
        (signed_rank_bound(25, 0.025), 89),
        (signed_rank_bound(50, 0.025), 434),
    ],
)
def test_published_critical_values(bound: int, table: int) -> None:
    assert bound == table + 1


def test_normal_approximations_take_over_where_exact_values_end() -> None:
    for alpha in (0.005, 0.05):
        exact, approximate = signed_rank_bound(50, alpha), signed_rank_bound(51, alpha)
        grown = 51 * 52 / 50 / 51
        assert approximate == pytest.approx(exact * grown, rel=0.02)
        assert rank_sum_bound(37, 37, alpha) == pytest.approx(rank_sum_bound(36, 36, alpha) * (37 / 36) ** 2, rel=0.02)


@pytest.mark.parametrize(
    ("p", "degrees", "table"),
    [(0.995, 4, 4.604), (0.995, 10, 3.169), (0.95, 5, 2.015), (0.95, 30, 1.697), (0.005, 8, -3.355), (0.5, 9, 0.0)],
)
def test_students_quantiles(p: float, degrees: float, table: float) -> None:
    assert t_quantile(p, degrees) == pytest.approx(table, rel=0.003, abs=1e-9)
