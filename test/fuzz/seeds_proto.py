"""Seeds of fuzz_proto: messages of each of its types, and the shapes that decoders stumble over.

    seeds_proto.py DIR
"""
import os
import sys


def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out) + bytes([n])


def number(field, value):
    return varint(field << 3) + varint(value)


def block(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


PAYLOAD = block(1, block(1, "encoding") + block(2, "json/plain")) + block(2, '"x"')
PAYLOADS = block(1, PAYLOAD) * 2
FAILURE = block(1, "message") + block(2, "source") + block(4, block(1, "cause")) + block(5, block(1, "Type") + number(2, 1))
STARTED = block(1, block(1, "W")) + block(5, block(1, "q") + number(2, 1)) + block(6, PAYLOADS)
EVENT = number(1, 1) + block(2, number(1, 1700000000) + number(2, 5)) + number(3, 1) + block(6, STARTED)
HISTORY = block(1, EVENT) + block(1, number(1, 2) + number(3, 5))


def nested(depth):
    """Failures, each the cause of the one around it."""
    data = b""
    for _ in range(depth):
        data = block(4, data)
    return data


SEEDS = {
    "history": b"\0" + HISTORY,
    "failure": b"\1" + FAILURE,
    "failure_deep": b"\1" + nested(99),
    "failure_too_deep": b"\1" + nested(2000),
    "payloads": b"\2" + PAYLOADS,
    "payloads_many": b"\2" + block(1, b"") * 3000,
    "task": b"\3" + block(1, "token") + block(2, block(1, "id") + block(2, "run")) + block(8, HISTORY),
    "task_merged": b"\3" + block(8, HISTORY) * 3,
    "activity": b"\4" + block(1, "token") + block(10, PAYLOADS),
    "completed": b"\5" + block(1, "token") + block(2, number(1, 1) + block(3, PAYLOADS)),
    "unknown_fields": b"\1" + number(900, 1) + block(901, "x") + b"\xc5\x38\1\2\3\4" + FAILURE,
    "groups": b"\1" + varint(7 << 3 | 3) + number(1, 1) + varint(7 << 3 | 4),
    "truncated": (b"\0" + HISTORY)[:-3],
    "bad_utf8": b"\1" + block(1, b"\xff\xfe"),
    "nul": b"\1" + block(1, b"a\0b"),
    "long_varint": b"\0" + block(1, b"\x08" + b"\xff" * 9 + b"\x01"),
    "packed_unfinished": b"\5" + block(12, block(1, b"\xf5")),
    "huge_length": b"\1" + varint(1 << 3 | 2) + varint(1 << 40),
}


def main():
    for name, data in SEEDS.items():
        with open(os.path.join(sys.argv[1], name), "wb") as f:
            f.write(data)


if __name__ == "__main__":
    main()
