"""Messages between the doctor and the process that runs the user's code: JSON with arrays beside it, nothing that could run code.

A message is a header of two lengths, the JSON text, and the bytes of the arrays one after the other. In the JSON an array is
`{"array": k}` (k its number in `arrays`), a tuple `{"tuple": [...]}`, a dict `{"dict": [[key, value], ...]}`, anything else unknown
`{"object": "its type"}`.
"""

from __future__ import annotations

import json
import os
import struct
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from engine.doctor.read.kinds import is_array, is_dict, is_sequence, named_entries

if TYPE_CHECKING:
    from engine.language.functions import Array

HEADER = struct.Struct("<QQ")
LARGEST = 1 << 29
"""Bytes of one message; more is refused."""
DEEPEST = 12
LONGEST = 4000
"""Entries of a list or dict that are sent; what is longer is cut."""


class Whole(list[Any]):
    """A list that is sent whole, however long it is."""


def pack(value: Any) -> bytes:
    """A message. Arrays of numbers are sent as they are, NumPy's own scalars as plain numbers."""
    arrays: list[Array] = []
    text = json.dumps({"value": _plain(value, arrays, 0), "arrays": [[a.dtype.str, a.shape] for a in arrays]}).encode()
    body = b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)
    return HEADER.pack(len(text), len(body)) + text + body


def unpack(text: bytes, body: bytes) -> Any:
    """The value of a message; ValueError when it is none."""
    message = json.loads(text)
    arrays: list[Array] = []
    offset = 0
    for kind, shape in message["arrays"]:
        dtype = np.dtype(kind)
        count = int(np.prod(shape, dtype=np.int64))
        if dtype.hasobject or count < 0:
            raise ValueError("an array of objects")
        arrays.append(np.frombuffer(body, dtype, count, offset).reshape(shape).copy())
        offset += count * dtype.itemsize
    return _restored(message["value"], arrays)


def send(file: int, value: Any) -> None:
    """Writes a message to a file descriptor."""
    rest = memoryview(pack(value))
    while rest:
        rest = rest[os.write(file, rest) :]


def _plain(value: Any, arrays: list[Array], depth: int) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value if not isinstance(value, int) or abs(value) < 1 << 63 else float(value)
    if isinstance(value, float):
        return {"float": repr(float(value))}
    if isinstance(value, np.generic):
        return _plain(value.item(), arrays, depth)
    if depth > DEEPEST:
        return {"object": type(value).__name__}
    if is_array(value):
        array = value
        if array.dtype.kind not in "biufc":
            return _plain(array.tolist(), arrays, depth + 1)
        arrays.append(np.asarray(array))
        return {"array": len(arrays) - 1}
    if (entries := named_entries(value)) is not None:
        return _plain(entries, arrays, depth + 1)
    if is_sequence(value):
        items = [_plain(item, arrays, depth + 1) for item in (value if isinstance(value, Whole) else value[:LONGEST])]
        return {"tuple": items} if isinstance(value, tuple) else items
    if is_dict(value):
        pairs = list(value.items())[:LONGEST]
        return {"dict": [[_key(key), _plain(item, arrays, depth + 1)] for key, item in pairs]}
    fields = getattr(value, "__dict__", None)
    if is_dict(fields):  # a result object: its attributes are what it holds
        attributes: dict[str, Any] = {
            k: v for k, v in fields.items() if is_array(v) or is_dict(v) or is_sequence(v) or isinstance(v, float)
        }
        return _plain(attributes, arrays, depth + 1) if attributes else {"object": type(value).__name__}
    return {"object": type(value).__name__}


def _key(key: Any) -> str | int:
    return key if isinstance(key, str | int) else repr(key)[:80]


def _restored(value: Any, arrays: list[Array]) -> Any:
    if isinstance(value, list):
        return [_restored(item, arrays) for item in cast("list[Any]", value)]
    if not is_dict(value):
        return value
    kind, inside = cast("tuple[str, Any]", next(iter(value.items())))
    match kind:
        case "array":
            return arrays[int(inside)]
        case "tuple":
            return tuple(_restored(item, arrays) for item in inside)
        case "dict":
            return {key: _restored(item, arrays) for key, item in inside}
        case "float":
            return float(inside)
        case _:
            return None
