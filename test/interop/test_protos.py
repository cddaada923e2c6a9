"""Writes the FileDescriptorSet of the messages of gRPC's interoperability tests, from the table below.

Only what goes over the wire matters (field numbers and types), so enums are plain integers here.
"""
import pathlib
import sys

INT32, BOOL, STRING, MESSAGE, BYTES = 5, 8, 9, 11, 12

MESSAGES = {
    "Empty": [],
    "Payload": [("type", 1, INT32), ("body", 2, BYTES)],
    "BoolValue": [("value", 1, BOOL)],
    "EchoStatus": [("code", 1, INT32), ("message", 2, STRING)],
    "SimpleRequest": [("response_type", 1, INT32), ("response_size", 2, INT32), ("payload", 3, "Payload"),
                      ("fill_username", 4, BOOL), ("fill_oauth_scope", 5, BOOL),
                      ("response_compressed", 6, "BoolValue"), ("response_status", 7, "EchoStatus"),
                      ("expect_compressed", 8, "BoolValue")],
    "SimpleResponse": [("payload", 1, "Payload"), ("username", 2, STRING), ("oauth_scope", 3, STRING)],
    "StreamingInputCallRequest": [("payload", 1, "Payload"), ("expect_compressed", 2, "BoolValue")],
    "StreamingInputCallResponse": [("aggregated_payload_size", 1, INT32)],
    "ResponseParameters": [("size", 1, INT32), ("interval_us", 2, INT32), ("compressed", 3, "BoolValue")],
    "StreamingOutputCallRequest": [("response_type", 1, INT32), ("response_parameters", 2, ["ResponseParameters"]),
                                   ("payload", 3, "Payload"), ("response_status", 7, "EchoStatus")],
    "StreamingOutputCallResponse": [("payload", 1, "Payload")],
}


def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def block(field, value):
    data = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(data)) + data


def field(name, tag, kind):
    repeated = isinstance(kind, list)
    kind = kind[0] if repeated else kind
    out = block(1, name) + number(3, tag) + number(4, 3 if repeated else 1)
    if isinstance(kind, str):
        return out + number(5, MESSAGE) + block(6, ".interop." + kind)
    return out + number(5, kind)


def main():
    body = block(1, "interop.proto") + block(2, "interop")
    for name, fields in MESSAGES.items():
        body += block(4, block(1, name) + b"".join(block(2, field(*f)) for f in fields))
    body += block(12, "proto3")
    pathlib.Path(sys.argv[1]).write_bytes(block(1, body))


main()
