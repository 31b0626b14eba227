"""What ``apps.routed_django`` includes by the name of a module."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path


def me(_: HttpRequest) -> HttpResponse:
    return HttpResponse("me")


def user(_: HttpRequest, username: str) -> HttpResponse:
    return HttpResponse(username)


def reset(_: HttpRequest) -> HttpResponse:
    return HttpResponse("reset")


app_name = "staff"
urlpatterns = [
    path("users/me/", me),
    path("users/<username>/", user),
    path("reset/", reset),
]
