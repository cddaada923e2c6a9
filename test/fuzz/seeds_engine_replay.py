"""Seeds of fuzz_engine_replay: small histories of each machine, in each way that history comes.

    seeds_engine_replay.py DIR
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


# Of the event types used here: the number of the attributes' field in HistoryEvent.
ATTRIBUTES = {1: 6, 2: 7, 3: 8, 5: 10, 6: 11, 7: 12, 8: 13, 9: 14, 10: 15, 11: 16, 12: 17, 13: 18, 14: 19, 15: 22, 16: 23,
              17: 20, 18: 21, 19: 24, 20: 26, 21: 28, 25: 25, 26: 30, 27: 31, 28: 29}


def history(*events):
    """Events as (type, attributes), numbered from 1."""
    out = b""
    for i, (kind, attributes) in enumerate(events, 1):
        out += block(1, number(1, i) + block(2, number(1, i)) + number(3, kind) + block(ATTRIBUTES.get(kind, 100), attributes))
    return out


def task(scheduled):
    return [(5, b""), (6, number(1, scheduled))]


def done(scheduled):
    return (7, number(1, scheduled) + number(2, scheduled + 1) + block(6, number(1, 1) + number(1, 3)))


START = [(1, block(1, block(1, "W")) + block(15, "run"))] + task(2)
ACTIVITY = (10, block(1, "1") + block(2, block(1, "a")))
TIMER = (17, block(1, "1"))
SIGNAL = (26, block(1, "go"))

HISTORIES = {
    "started": history(*START),
    "activity": history(*START, done(2), ACTIVITY, (11, number(1, 5)), (12, number(2, 5) + number(3, 6)), *task(8), done(8), (2, b"")),
    "failed": history(*START, done(2), ACTIVITY, (11, number(1, 5)), (13, block(1, block(1, "no")) + number(2, 5)), *task(8), done(8), (3, b"")),
    "cancelled": history(*START, done(2), ACTIVITY, (11, number(1, 5)), SIGNAL, *task(8), done(8), (15, number(1, 5)),
                         (16, number(3, 5) + number(4, 6)), *task(13), done(13), (21, b"")),
    "timer": history(*START, done(2), TIMER, (18, block(1, "1") + number(2, 5)), *task(7), done(7), (28, b"")),
    "timer_cancelled": history(*START, done(2), TIMER, SIGNAL, *task(7), done(7), (19, block(1, "1") + number(2, 5)), (20, b""), *task(12)),
    "task_failed": history(*START, (9, number(1, 2) + number(3, 20) + block(8, "run-2")), *task(5), (8, number(1, 5)), *task(8)),
    "heartbeat": history(*START, done(2), *task(5), done(5), *task(8)),
    "marker": history(*START, done(2), (25, block(1, "core_patch")), *task(6)),
    "terminated": history(*START, (27, b"")),
}


def main():
    os.makedirs(sys.argv[1], exist_ok=True)
    for i, (name, events) in enumerate(HISTORIES.items()):
        for mode in (3, 7, 15, 79, 0, 39, 20):
            tape = bytes((17 * i + 29 * j + mode) % 97 for j in range(31))
            with open(os.path.join(sys.argv[1], f"{name}_{mode}"), "wb") as out:
                out.write(bytes([mode]) + tape + events)


main()
