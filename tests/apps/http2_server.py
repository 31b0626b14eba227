"""HTTP/2 for ``faulty_server.server``, made of h2."""

from __future__ import annotations

import socket
from collections.abc import Callable

import h2.config
import h2.connection
import h2.events
from apps.faulty_server import Conversation

OnEvent = Callable[[h2.connection.H2Connection, int, h2.events.Event], None]


def http2(on_event: OnEvent) -> Conversation:
    """What happens to a stream is given to ``on_event``, with the state of the connection and the number of the stream.

    An OSError that it raises closes the connection.
    """

    def converse(connection: socket.socket) -> None:
        state = h2.connection.H2Connection(config=h2.config.H2Configuration(client_side=False, header_encoding=None))
        state.initiate_connection()
        connection.sendall(state.data_to_send())
        while data := connection.recv(65536):
            for event in state.receive_data(data):
                if stream := getattr(event, "stream_id", None):
                    on_event(state, stream, event)
            connection.sendall(state.data_to_send())

    return converse
