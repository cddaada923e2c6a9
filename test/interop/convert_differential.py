"""Goal: arguments mean the same in C and in Python, whatever the values; and we accept no JSON that Python refuses.

Method: random values are written by the official SDK's payload converter, go through a program of ours that
decodes them by a contract of test/compile/study.h and encodes them again, and are read by the SDK with type
hints: they have to be equal. Then JSON texts that are damaged at random: where ours takes one, Python has to.
"""
import dataclasses
import json
import os
import random
import struct
import subprocess
import sys
from typing import Any, List, Optional

try:
    from google.protobuf.duration_pb2 import Duration
    from temporalio.api.common.v1 import Payload, Payloads
    from temporalio.converter import default
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

ROUNDS = int(os.environ.get("CONVERT_DIFFERENTIAL_ROUNDS", "2000"))
SEED = int(os.environ.get("CONVERT_DIFFERENTIAL_SEED", "20261124"))
CONVERTER = default().payload_converter
TEXTS = ["", "a", "né\u20ac\U0001f600", '"\\\n\t\x01\x7f/', "\u2028</b>", "x" * 700, "\ud7ff\ue000\ufffd"]
DOUBLES = [0.0, -0.0, 1.0, 99.99, 0.1 + 0.2, 1e22, 1e23, 5e-324, 1.7976931348623157e308, 1e-7, 2.5e-5, 123456789.125]


@dataclasses.dataclass
class Line:
    sku: str
    n: int
    discount: Optional[float] = None


@dataclasses.dataclass
class Address:
    street: str
    city: str


@dataclasses.dataclass
class Parcel:
    to: Address
    lines: List[Line]
    tags: List[str]
    extra: Any
    source: Optional[Address] = None  # `from` on the wire, which Python cannot name


class Driver:
    def __init__(self):
        path = os.path.join(os.environ.get("TEMPORAL_TEST_BUILD_DIR", "build"), "test/interop/convert_driver")
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, letter, payloads):
        data = Payloads(payloads=payloads).SerializeToString()
        self.process.stdin.write(letter + struct.pack("<I", len(data)) + data)
        self.process.stdin.flush()
        head = self.process.stdout.read(5)
        if len(head) != 5:
            sys.exit(f"our program died (status {self.process.wait()}) on {letter} {data.hex()}")
        answer = self.process.stdout.read(struct.unpack("<I", head[1:])[0])
        return (True, Payloads.FromString(answer).payloads) if head[:1] == b"+" else (False, answer.decode())


def text(rng):
    return rng.choice(TEXTS) + "".join(chr(rng.choice([rng.randrange(1, 128), rng.randrange(0xA0, 0xD800)]))
                                       for _ in range(rng.randrange(6)))


def double(rng):
    if rng.random() < 0.5:
        return rng.choice(DOUBLES)
    while True:
        value = struct.unpack("<d", rng.randbytes(8))[0]
        if value - value == 0:
            return value


def single(rng):
    while True:
        value = struct.unpack("<f", rng.randbytes(4))[0]
        if value - value == 0:
            return value


def integer(rng, bits, signed):
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return rng.choice([low, high, 0, 1, rng.randint(low, high)])


def anything(rng, depth=0):
    kind = rng.randrange(7 if depth < 4 else 5)
    if kind < 5:
        return [None, True, integer(rng, 64, True), double(rng), text(rng)][kind]
    if kind == 5:
        return [anything(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {text(rng): anything(rng, depth + 1) for _ in range(rng.randrange(4))}


def some(rng, make):
    return make(rng) if rng.random() < 0.6 else None


def several(rng, make):
    return [make(rng) for _ in range(rng.randrange(4))]


def line(rng):
    return Line(text(rng), integer(rng, 32, True), some(rng, double))


def parcel(rng):
    return Parcel(Address(text(rng), text(rng)), several(rng, line), several(rng, text), anything(rng))


def ask(driver, letter, values, hints):
    """The values after their way through C."""
    ok, answer = driver(letter, CONVERTER.to_payloads(values))
    if not ok:
        sys.exit(f"refused: {answer}: {values!r}")
    return CONVERTER.from_payloads(answer, hints)


def check_simple(rng, driver):
    signed, unsigned = (8, 16, 32, 64, 64), (8, 16, 32, 64, 64)
    values = [rng.random() < 0.5, *(integer(rng, bits, True) for bits in signed),
              *(integer(rng, bits, False) for bits in unsigned), single(rng), double(rng), text(rng),
              rng.randbytes(rng.randrange(20)), anything(rng)]
    hints = [bool] + [int] * 10 + [float, float, str, bytes, Any]
    back = ask(driver, b"s", values, hints)
    # What is written for a float reads back as that float, and may have fewer digits than its double.
    back[11] = struct.unpack("<f", struct.pack("<f", back[11]))[0]
    assert_same(values, back)


def check_send(rng, driver):
    values = [parcel(rng), several(rng, double), [], some(rng, text), some(rng, lambda r: integer(r, 64, True)),
              some(rng, parcel)]
    hints = [Parcel, List[float], List[str], Optional[str], Optional[int], Optional[Parcel]]
    assert_same(values, ask(driver, b"S", values, hints))


def check_maybe(rng, driver):
    values = [some(rng, lambda r: r.random() < 0.5), some(rng, lambda r: integer(r, 16, True)),
              some(rng, lambda r: integer(r, 8, False)), None, some(rng, text),
              some(rng, lambda r: r.randbytes(5)), some(rng, anything)]
    hints = [Optional[bool], Optional[int], Optional[int], Optional[float], Optional[str], Optional[bytes], Any]
    assert_same(values, ask(driver, b"m", values, hints))


def check_message(rng, driver):
    values = [Duration(seconds=rng.randrange(10**9), nanos=rng.randrange(10**9)), None]
    assert_same(values, ask(driver, b"w", values, [Duration, Optional[Duration]]))


def plain(value):
    """What JSON has no form for."""
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) else repr(value)


def assert_same(values, back):
    sent, received = (json.dumps(each, default=plain, sort_keys=True) for each in (values, back))
    if sent != received:
        sys.exit(f"sent     {sent[:2000]}\nreceived {received[:2000]}")


def damaged(rng, data):
    data = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(data) + 1)
        action = rng.randrange(3)
        if action == 0 and at < len(data):
            data[at] = rng.choice(b'{}[],:"\\0-+.eEnNtu \x00\x1f\xff\xc3' + bytes([rng.randrange(256)]))
        elif action == 1:
            del data[at:at + rng.randrange(1, 4)]
        else:
            data[at:at] = rng.choice([b",", b"[", b"]", b'"', b"\\u12", b"1e", b"0", b"\xc3", b"null", b"//"])
    return bytes(data)


def check_damaged(rng, driver):
    data = damaged(rng, json.dumps(anything(rng), ensure_ascii=rng.random() < 0.5).encode())
    wrapped = b'{"to":{"street":"","city":""},"lines":[],"tags":[],"extra":' + data + b"}"
    ok, _ = driver(b"S", [Payload(metadata={"encoding": b"json/plain"}, data=bytes_) for bytes_ in
                          (wrapped, b"[]", b"[]")])
    if not ok:
        return
    try:
        json.loads(wrapped.decode())
    except ValueError as error:
        sys.exit(f"accepted, where Python says {error}: {wrapped!r}")


def main():
    driver = Driver()
    print(f"seed {SEED}")
    for i in range(ROUNDS):
        rng = random.Random(SEED + i)
        for check in (check_simple, check_send, check_maybe, check_message, check_damaged, check_damaged):
            check(rng, driver)
    driver.process.stdin.close()
    sys.exit(driver.process.wait())


main()
