"""Locust's own users, as its documentation has them: what one process of Locust sends without perfcheck."""

from __future__ import annotations

from locust import FastHttpUser, HttpUser, task


class Fast(FastHttpUser):
    @task
    def get(self) -> None:
        self.client.get("/")


class Slow(HttpUser):
    @task
    def get(self) -> None:
        self.client.get("/")
