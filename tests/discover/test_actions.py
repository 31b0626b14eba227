from __future__ import annotations

import pytest

from perfcheck.discover.actions import action_word


@pytest.mark.parametrize(
    ("template", "word"),
    [
        ("/logout", "logout"),
        ("/auth/log-out/", "log-out"),
        ("/session/signOut", "signOut"),
        ("/jobs/{id}/cancel", "cancel"),
        ("/cache/clear_all", "clear_all"),
        ("/users/delete/{id}", "delete"),
        ("/runs/{id}/run", "run"),
        ("/-/restart?now=1", "restart"),
        ("/admin/users", "admin"),
        ("/_debug/heap", "_debug"),
        ("/api/admin", "admin"),
        ("/users/delete/ada", "delete"),
        ("/cart/add/{id}", "add"),
        ("/posts/{id}/like", "like"),
    ],
)
def test_looks_like_an_action(template: str, word: str) -> None:
    assert action_word(template) == word


@pytest.mark.parametrize(
    "template",
    [
        "/",
        "/{id}",
        "/things/",
        "/runs/{id}",
        "/run/{id}",
        "/imports",
        "/deleted",
        "/administrators",
        "/restart-policy",
        "/cancel/status",
        "/archive.zip",
        "/stores/{id}/closing-times",
        "/clearance",
        "/add-ons",
        "/sets/{id}",
        "/likes",
    ],
)
def test_looks_like_something_to_read(template: str) -> None:
    assert action_word(template) is None
