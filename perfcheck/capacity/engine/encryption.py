"""The connection of the master and its workers, encrypted where both have the same key.

By CurveZMQ, whose server proves itself by a key pair, which here follows from the shared key. A client has to know its
public half, which is never sent: without the shared key nobody joins, and nobody reads along.
"""

from __future__ import annotations

from hashlib import pbkdf2_hmac
from typing import Any

import zmq
from locust.rpc.zmqrpc import BaseSocket
from zmq.utils import z85

_ROUNDS = 200_000  # so that a key that is not random is not found by trying


def encrypt(key: str) -> None:
    """All connections of Locust that this process makes from now on."""
    secret = z85.encode(pbkdf2_hmac("sha256", key.encode(), b"perfcheck capacity", _ROUNDS))
    public = zmq.curve_public(secret)
    connect: Any = BaseSocket.__init__

    def connect_encrypted(self: BaseSocket, kind: int, ipv4_only: bool) -> None:  # noqa: FBT001 - Locust's signature
        connect(self, kind, ipv4_only)
        if kind == zmq.ROUTER:  # the master
            self.socket.curve_secretkey, self.socket.curve_publickey = secret, public
            self.socket.curve_server = True
        else:
            self.socket.curve_publickey, self.socket.curve_secretkey = zmq.curve_keypair()
            self.socket.curve_serverkey = public

    BaseSocket.__init__ = connect_encrypted  # type: ignore[method-assign]
