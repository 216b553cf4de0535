"""No network, unless it was asked for.

A hook refuses what Python itself does, in a sentence. On Linux a filter of system calls holds also compiled code and the programs that
this one starts: none of them gets a socket of the internet. Sockets between processes of this machine (AF_UNIX) stay as they are.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

SENTENCE = "the doctor runs a program without a network; --network allows it"
_FAMILIES = (int(socket.AF_INET), int(socket.AF_INET6))
_OWN = ("", "localhost", "127.0.0.1", "::1", "0.0.0.0")

_SYSTEMS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""The number by which the filter knows the machine, and that of its call `socket` (linux/audit.h, asm/unistd.h)."""


class NoNetwork(OSError):
    """The network was asked for."""


class SocketRules:
    """Decides on what a program is about to do with sockets."""

    def __init__(self, refused: Callable[[str, str], None]) -> None:
        self.refused = refused
        self.events: dict[str, Callable[[Any], None]] = {
            "socket.__new__": lambda a: self._refuse("a socket") if int(a[1]) in _FAMILIES else None,
            "socket.getaddrinfo": lambda a: self._name(a[0]),
            "socket.gethostbyname": lambda a: self._name(a[0]),
            "socket.gethostbyaddr": lambda a: self._name(a[0]),
        }

    def _name(self, host: Any) -> None:
        name = os.fsdecode(host) if isinstance(host, (str, bytes)) else ""
        if name not in _OWN and name != socket.gethostname():
            self._refuse(name)

    def _refuse(self, what: str) -> None:
        self.refused("network", what)
        raise NoNetwork(errno.EACCES, SENTENCE)


def close() -> bool:
    """Lets neither this process nor any it starts open a socket of the internet; whether the system has such a filter."""
    machine, order = os.uname().machine, sys.byteorder
    if not sys.platform.startswith("linux") or machine not in _SYSTEMS or order != "little":
        return False
    number, call = _SYSTEMS[machine]
    refuse, allow = 0x00050000 | errno.EACCES, 0x7FFF0000
    program = b"".join(
        struct.pack("<HBBI", *step)
        for step in (
            (0x20, 0, 0, 4),  # load the machine's number
            (0x15, 0, 5, number),  # another one: allow
            (0x20, 0, 0, 0),  # load the call's number
            (0x15, 0, 3, call),  # another one: allow
            (0x20, 0, 0, 16),  # load its first argument, the family
            (0x15, 2, 0, _FAMILIES[0]),
            (0x15, 1, 0, _FAMILIES[1]),
            (0x06, 0, 0, allow),
            (0x06, 0, 0, refuse),
        )
    )
    steps = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP" if struct.calcsize("P") == 8 else "HP", len(program) // 8, ctypes.addressof(steps))
    control = ctypes.CDLL(None).prctl
    control.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    if control(38, 1, 0, 0, 0) != 0:  # PR_SET_NO_NEW_PRIVS: without it only root may have a filter
        return False
    steps_and_count = ctypes.create_string_buffer(header, len(header))
    return bool(control(22, 2, ctypes.addressof(steps_and_count), 0, 0) == 0)  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
