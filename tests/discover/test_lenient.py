from __future__ import annotations

import pytest
from apps.service import ok, service

from perfcheck.client.client import Client
from perfcheck.discover.lenient import lenient
from perfcheck.errors import UsageError
from perfcheck.model import Endpoint, Service
from perfcheck.text import Redactor


@pytest.mark.parametrize("endpoint", [Endpoint("a", "/\ud800", 0), Endpoint("a", "/", 0, headers=(("X-A", "b\nc"),))])
def test_what_cannot_be_sent_is_a_failure_of_the_request(endpoint: Endpoint) -> None:
    with service({"/": ok(b"fine")}) as url, Client(Service(url), redact=Redactor()) as client:
        with pytest.raises(UsageError):
            client.fetch(endpoint)
        response = lenient(client.fetch)(endpoint)
        assert response.failure is not None
        assert response.detail
        assert lenient(client.fetch)(Endpoint("a", "/", 0)).body == b"fine"
