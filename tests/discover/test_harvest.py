from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.discover.harvest import Harvest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("collection", "body", "prefix", "parameter", "expected"),
    [
        ("/things", [{"id": 7}, {"id": 9}], "/things/", "thing_id", ["7", "9"]),
        ("/things/", {"count": 1, "results": [{"id": 7}]}, "/things/", "id", ["7"]),
        ("/things", {"data": [{"id": "a", "attributes": {}}]}, "/things/", "pk", ["a"]),
        ("/things", {"_embedded": {"things": [{"uuid": "u1"}]}}, "/things/", "thingUuid", ["u1"]),
        ("/collections", {"collections": [{"id": "lakes"}], "links": []}, "/collections/", "collectionId", ["lakes"]),
        ("/features", {"type": "FeatureCollection", "features": [{"id": 3}]}, "/features/", "feature_id", ["3"]),
        ("/names", ["a", "b"], "/names/", "name", ["a", "b"]),
        ("/tokens", [{"key": "sk_live_abcdefgh"}, {"key": "7"}], "/tokens/", "key", ["7"]),
        ("/kernels", {"python3": {"spec": 1}, "julia": {"spec": 2}}, "/kernels/", "kernel_name", ["python3", "julia"]),
        ("/things", [{"id": 7, "owner_login": "ada"}], "/people/", "owner_login", ["ada"]),
        ("/flows", [{"id": 5, "name": "nightly"}], "/flows/name/", "name", ["nightly"]),
        ("/users", [{"id": 5}], "/reports/by/", "user_id", ["5"]),
        ("/categories", [{"id": 5, "slug": "toys"}], "/shop/", "category_slug", ["toys"]),
    ],
)
def test_values_for_a_parameter(collection: str, body: Any, prefix: str, parameter: str, expected: list[str]) -> None:
    harvest = Harvest()
    harvest.add(collection, body)
    assert harvest.path_values(prefix, parameter) == expected


def test_ids_are_kept_by_collection() -> None:
    harvest = Harvest()
    harvest.add("/things", [{"id": 7}])
    assert harvest.path_values("/orders/", "id") == []
    assert harvest.path_values("/orders/", "order_id") == []
    assert harvest.query_values("id") == []


def test_of_many_rows_the_first_few_are_kept() -> None:
    harvest = Harvest()
    harvest.add("/things", [{"id": number} for number in range(100_000)])
    assert harvest.path_values("/things", "id") == ["0", "1", "2"]


def test_what_cannot_stand_in_a_path_is_no_value() -> None:
    harvest = Harvest()
    harvest.add("/things", [{"id": None}, {"id": True}, {"id": 1.5}, {"id": ""}, {"id": "a\nb"}, {"id": "x" * 1000}])
    assert harvest.path_values("/things", "id") == []


@given(JSON, st.text(), st.text())
def test_any_body_can_be_harvested(body: Any, collection: str, parameter: str) -> None:
    harvest = Harvest()
    harvest.add(collection, body)
    assert all(value for value in harvest.path_values(collection, parameter))
