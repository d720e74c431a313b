# SPDX-License-Identifier: GPL-2.0-only
"""Talking to QEMU: its control protocol (QMP) and its gdb stub.

Both over socket pairs that QEMU inherits, so there are no ports or paths that
two labs could fight over.
"""
import json
import select
import socket

from deplib.cache import Failure


class Qmp:
    """QMP over a connected socket. Events are kept in `events`."""

    def __init__(self, connection):
        self._socket = connection
        self._buffer = b""
        self.events = []

    def handshake(self):
        """Take the greeting; needed once, before any call."""
        self._message()
        self.call("qmp_capabilities")

    def _message(self, wait=None):
        """Next message; TimeoutError if none comes within WAIT seconds."""
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self._socket], [], [], wait)
            if not ready:
                raise TimeoutError
            data = self._socket.recv(1 << 16)
            if not data:
                raise EOFError
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        return json.loads(line)

    def call(self, command, **arguments):
        """What QEMU answers to COMMAND."""
        self._socket.sendall(json.dumps(
            {"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            answer = self._message()
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise Failure(f"QEMU refused {command}: "
                              + answer["error"]["desc"])
            else:
                return answer["return"]

    def poll(self):
        """Take in events that have arrived; never waits for one."""
        try:
            while True:
                self.events.append(self._message(wait=0))
        except (TimeoutError, EOFError, ConnectionError):
            pass

    def shutdown_reason(self):
        """Why the machine went off ("guest-shutdown", ...), or None."""
        for event in self.events:
            if event.get("event") == "SHUTDOWN":
                return event["data"]["reason"]
        return None

    def instructions(self):
        """Instructions executed since power-on (counting mode)."""
        return self.call("query-replay")["icount"]


class Gdb:
    """As much of the gdb remote protocol as running to an address takes."""

    def __init__(self, connection):
        self._socket = connection

    def _send(self, text):
        data = text.encode()
        self._socket.sendall(b"$%s#%02x" % (data, sum(data) & 0xff))

    def _receive(self):
        data = b""
        while not data.endswith(b"#"):
            byte = self._socket.recv(1)
            if not byte:
                raise EOFError
            data = data + byte if data or byte == b"$" else b""
        self._socket.recv(2)
        self._socket.sendall(b"+")
        return data[1:-1].decode()

    def run_to(self, address, seconds):
        """Start the stopped machine and return when it is about to run ADDRESS."""
        self._socket.settimeout(seconds)
        for command in ("?", f"Z1,{address:x},1", "c", f"z1,{address:x},1"):
            self._send(command)
            self._receive()

    def detach(self):
        """Let it run on by itself."""
        self._send("D")
        self._receive()


def pair():
    """(our end, the end QEMU inherits) of a connection."""
    ours, theirs = socket.socketpair()
    theirs.set_inheritable(True)
    return ours, theirs
