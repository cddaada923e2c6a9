"""Goal: our codec and JSON agree with Python's protobuf on random and on hostile messages, both ways.

Method: messages filled at random go through our program and are compared field by field with the original;
their bytes, damaged at random, are given to both, and both have to accept or both to refuse them. Where we
refuse more, it has to be for one of the reasons that we have chosen (a NUL in a string, a limit).
"""
import math
import os
import random
import re
import struct
import subprocess
import sys

try:
    from google.protobuf import descriptor_pb2, empty_pb2, json_format, struct_pb2, unknown_fields, wrappers_pb2
    from google.protobuf.message import DecodeError
    from temporalio.api.command.v1 import Command
    from temporalio.api.common.v1 import Payload
    from temporalio.api.failure.v1 import Failure
    from temporalio.api.history.v1 import HistoryEvent
    from temporalio.api.sdk.v1 import WorkflowTaskCompletedMetadata
    from temporalio.api.workflowservice.v1 import (
        DescribeTaskQueueResponse, PollWorkflowTaskQueueResponse, RespondWorkflowTaskCompletedRequest,
        StartWorkflowExecutionRequest)
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

ROUNDS = int(os.environ.get("PROTO_DIFFERENTIAL_ROUNDS", "3000"))
SEED = int(os.environ.get("PROTO_DIFFERENTIAL_SEED", "20261124"))
TYPES = [
    HistoryEvent, PollWorkflowTaskQueueResponse, RespondWorkflowTaskCompletedRequest,
    StartWorkflowExecutionRequest, DescribeTaskQueueResponse, Command, Payload, Failure,
    WorkflowTaskCompletedMetadata, struct_pb2.Struct, descriptor_pb2.FieldDescriptorProto,
    wrappers_pb2.DoubleValue, wrappers_pb2.FloatValue, wrappers_pb2.UInt32Value, wrappers_pb2.UInt64Value,
]
TEXTS = ["", "a", "workflow-1", "n\u00e9s \u20ac \U0001f600", "x" * 7 + "\u00e9", "y" * 200, '"\\\n\t\x01\x7f', "\u2028</script>"]
INTS = [0, 1, -1, 127, 128, 300, 2**31 - 1, -2**31, 2**32 - 1, 2**53 + 1, 2**63 - 1, -2**63, 2**64 - 1]
DOUBLES = [0.0, -0.0, 1.0, -1.5, 0.1, 1e300, 5e-324, math.inf, -math.inf, math.nan, 1 / 3]
FLOATS = [0.0, -0.0, 1.0, 0.1, 3e38, 1e-45, math.inf, math.nan]


class Driver:
    def __init__(self):
        path = os.path.join(os.environ.get("TEMPORAL_TEST_BUILD_DIR", "build"), "test/interop/proto_driver")
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, what, name, data):
        name = name.encode()
        self.process.stdin.write(what + struct.pack("<I", len(name)) + name + struct.pack("<I", len(data)) + data)
        self.process.stdin.flush()
        head = self.process.stdout.read(5)
        if len(head) != 5:
            raise SystemExit(f"our program died (status {self.process.wait()}) on {what} {name} {data.hex()}")
        return head[:1] == b"+", self.process.stdout.read(struct.unpack("<I", head[1:])[0])


def integer(rng, low, high):
    value = rng.choice(INTS) if rng.random() < 0.7 else rng.randrange(low, high + 1)
    return value if low <= value <= high else rng.randrange(low, high + 1)


def scalar(rng, field, json):
    kind = field.cpp_type
    if kind == field.CPPTYPE_STRING:
        if field.type == field.TYPE_BYTES:
            return rng.randbytes(rng.choice([0, 1, 2, 3, 40]))
        return rng.choice(TEXTS)
    if kind == field.CPPTYPE_BOOL:
        return rng.random() < 0.5
    if kind == field.CPPTYPE_ENUM:
        closed = field.enum_type.is_closed
        return rng.choice([v.number for v in field.enum_type.values] + ([] if closed else [999, -1]))
    if kind == field.CPPTYPE_DOUBLE:
        return rng.choice(DOUBLES)
    if kind == field.CPPTYPE_FLOAT:
        return rng.choice(FLOATS)
    return integer(rng, *{
        field.CPPTYPE_INT32: (-2**31, 2**31 - 1), field.CPPTYPE_UINT32: (0, 2**32 - 1),
        field.CPPTYPE_INT64: (-2**63, 2**63 - 1), field.CPPTYPE_UINT64: (0, 2**64 - 1)}[kind])


def is_map(field):
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def fill_map(rng, target, field, depth, json):
    key, value = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
    for _ in range(rng.randrange(3)):
        k = scalar(rng, key, json)
        if value.message_type is not None:
            fill(rng, target[k], depth - 1, json)
        else:
            target[k] = scalar(rng, value, json)


def fill_well_known(rng, message, json):
    """JSON can write only what is in the types' ranges."""
    name = message.DESCRIPTOR.full_name
    if name == "google.protobuf.Timestamp":
        message.seconds, message.nanos = rng.randrange(-62135596800, 253402300800), rng.choice([0, 5, 10**6, 999999999])
    elif name == "google.protobuf.Duration":
        sign = rng.choice([1, -1])
        message.seconds, message.nanos = sign * rng.randrange(315576000000), sign * rng.choice([0, 5000, 10**8, 999999999])
    elif name == "google.protobuf.FieldMask":
        message.paths.extend(rng.sample(["a", "foo_bar", "a.b_c", "x_y_z"], rng.randrange(4)))
    elif name == "google.protobuf.Struct":
        message.update({"a": [1, None, "x", {"b": True}], "c": rng.choice([0.5, -0.0, 1e300])})
    else:
        return False
    return True


def fill(rng, message, depth, json=False):
    if fill_well_known(rng, message, json):
        return
    fields = list(message.DESCRIPTOR.fields)
    chosen = rng.sample(fields, min(len(fields), rng.choice([0, 1, 2, 5, len(fields)])))
    for field in [f for f in fields if f.is_required or f in chosen]:
        name = getattr(field.message_type, "full_name", "")
        if (depth <= 0 and name) or (json and name == "google.protobuf.Any"):
            continue
        if is_map(field):
            fill_map(rng, getattr(message, field.name), field, depth, json)
        elif field.is_repeated:
            for _ in range(rng.choice([0, 1, 3, 9])):
                if name:
                    fill(rng, getattr(message, field.name).add(), depth - 1, json)
                else:
                    getattr(message, field.name).append(scalar(rng, field, json))
        elif name:
            getattr(message, field.name).SetInParent()
            fill(rng, getattr(message, field.name), depth - 1, json)
        else:
            setattr(message, field.name, scalar(rng, field, json))


def unknown_value(f):
    """Bytes that are a message count by its fields: an over-long tag in them is no difference."""
    if f.wire_type == 3:
        return unknown_list(f.data)
    if f.wire_type == 2:
        try:
            return unknown_list(unknown_fields.UnknownFieldSet(empty_pb2.Empty.FromString(f.data)))
        except DecodeError:
            pass
    return f.data


def unknown_list(fields):
    return [(f.field_number, f.wire_type, unknown_value(f)) for f in fields]


def unknown(message):
    # Python keeps a map's entry that has an unknown field as an unknown field of the map's owner; to us it is
    # a known one, which comes before them. The order counts only among those of one number and wire type.
    return sorted(unknown_list(unknown_fields.UnknownFieldSet(message)), key=lambda entry: entry[:2])


def same_value(field, a, b):
    if field.message_type is not None:
        return same(a, b)
    if isinstance(a, float):
        return struct.pack("d", a) == struct.pack("d", b) or (math.isnan(a) and math.isnan(b))
    return a == b


def same_field(field, a, b):
    a, b = getattr(a, field.name), getattr(b, field.name)
    if is_map(field):
        value = field.message_type.fields_by_name["value"]
        return set(a) == set(b) and all(same_value(value, a[k], b[k]) for k in a)
    if field.is_repeated:
        return len(a) == len(b) and all(same_value(field, x, y) for x, y in zip(a, b))
    return same_value(field, a, b)


def same(a, b):
    """Equal in every field and unknown field; NaN is equal to itself, -0.0 is not 0.0."""
    for field in a.DESCRIPTOR.fields:
        if field.has_presence:
            if a.HasField(field.name) != b.HasField(field.name):
                return False
            if not a.HasField(field.name):
                continue
        if not same_field(field, a, b):
            return False
    return unknown(a) == unknown(b)


def number_zero(message):
    """Is there a field with the number 0, which protobuf forbids, in an unknown group? Python lets it be."""
    def within(fields):
        return any(n == 0 or (wire == 3 and within(data)) for n, wire, data in fields)

    def below(field, value):
        values = (value.values() if is_map(field) else value) if field.is_repeated else [value]
        return any(hasattr(v, "DESCRIPTOR") and number_zero(v) for v in values)

    return within(unknown(message)) or any(below(field, value) for field, value in message.ListFields())


def string_at(data, text):
    """The string that our error points at: its length is at that byte."""
    at = int(re.search(r"byte (\d+)", text)[1])
    size = shift = 0
    while True:
        size |= (data[at] & 0x7F) << shift
        at += 1
        shift += 7
        if data[at - 1] < 0x80:
            return data[at:at + size]


def damage(rng, data, other):
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        at = rng.randrange(len(data) + 1)
        way = rng.randrange(9)
        if way == 0 and data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        elif way == 1 and data:
            data[at % len(data)] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, 0x0A, 0x0B, 0x0C, 0x12])
        elif way == 2:
            del data[at:at + rng.choice([1, 1, 4, 50])]
        elif way == 3:
            data[at:at] = rng.randbytes(rng.choice([1, 2, 8]))
        elif way == 4:
            data[at:at] = data[at:at + rng.choice([2, 5, 30])]
        elif way == 5:
            del data[at:]
        elif way == 6:
            data += other  # the same type twice: everything is merged
        elif way == 7:
            data += rng.choice([b"\xc0\x3e\x05", b"\xcb\x3e\x0b\x08\x01\x0c\xcc\x3e", b"\xd2\x3e\x02zz",
                                b"\xd9\x3e12345678", b"\xe5\x3e1234", b"\x88\x80\x00\x01", b"\x00\x00"])
        elif way == 8 and data:
            i = at % len(data)  # a byte as an over-long varint
            data[i:i + 1] = bytes([data[i] | 0x80] + [0x80] * rng.randrange(12) + [rng.choice([0, 1, 2])])
    return bytes(data)


class Differential:
    def __init__(self):
        self.driver, self.rng, self.count = Driver(), random.Random(SEED), {}

    def tally(self, what):
        self.count[what] = self.count.get(what, 0) + 1

    def fail(self, what, kind, data, text=""):
        sys.exit(f"{what}: {kind.DESCRIPTOR.full_name} {data.hex()}\n{text}")

    def compare(self, kind, data):
        """One message to both: the same verdict, and after our re-encoding the same content."""
        try:
            theirs = kind.FromString(data)
        except DecodeError:
            theirs = None
        good, out = self.driver(b"b", kind.DESCRIPTOR.full_name, data)
        if theirs is None:
            if good:
                self.fail("we accept what Python refuses", kind, data, out.hex())
            return self.tally("both refuse")
        if good:
            if not same(kind.FromString(out), theirs):
                self.fail("we change a message", kind, data, out.hex())
            return self.tally("both accept")
        text = out.decode()
        if "has a NUL" in text and b"\0" in string_at(data, text):
            return self.tally("we refuse a NUL")
        if "nested deeper" in text or "larger than allowed" in text:
            return self.tally("we refuse by a limit")
        if "not whole" in text and number_zero(theirs):
            return self.tally("we refuse number 0 in a group")
        self.fail("we refuse what Python accepts", kind, data, text)

    def json(self, kind):
        message = kind()
        fill(self.rng, message, 4, json=True)
        data = message.SerializeToString()
        text = json_format.MessageToJson(message)
        good, out = self.driver(b"j", kind.DESCRIPTOR.full_name, text.encode())
        if not good or not same(kind.FromString(out), json_format.Parse(text, kind())):
            self.fail("we read Python's JSON wrongly", kind, data, f"{text}\n{out!r}")
        good, out = self.driver(b"p", kind.DESCRIPTOR.full_name, data)
        if not good or not same(json_format.Parse(out.decode(), kind()), json_format.Parse(text, kind())):
            self.fail("Python reads our JSON wrongly", kind, data, f"{out.decode()}\n{text}")
        self.tally("JSON alike")

    def fixed(self):
        """What chance meets too seldom."""
        chain = b""
        for depth in range(1, 120):
            prefix = b"\x22" + varint(len(chain))
            chain = prefix + chain
            if depth < 95 or depth > 105:
                self.compare(Failure, chain)
        for text in (b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"\xf0\x80\x80\x80", b"ok"):
            self.compare(Failure, b"\x0a" + varint(len(text)) + text)

    def run(self):
        self.fixed()
        for _ in range(ROUNDS):
            kind = self.rng.choice(TYPES)
            message, other = kind(), kind()
            fill(self.rng, message, 4)
            fill(self.rng, other, 2)
            data = message.SerializeToString()
            self.compare(kind, data)
            if kind is descriptor_pb2.FieldDescriptorProto:
                continue  # proto2: Python has closed enums and does not check its strings
            for _ in range(12):
                self.compare(kind, damage(self.rng, data, other.SerializeToString()))
            self.json(kind)
        print(f"seed {SEED}: " + ", ".join(f"{n} {what}" for what, n in sorted(self.count.items())))
        for what in ("both accept", "both refuse", "JSON alike"):
            if not self.count.get(what):
                sys.exit(f"nothing was tried: {what}")


def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out + bytes([n]))


Differential().run()
