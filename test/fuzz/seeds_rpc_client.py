"""Seeds of fuzz_rpc_client: what servers say.

    seeds_rpc_client.py DIR
"""
import pathlib
import sys

from rpc_frames import (DATA, END_STREAM, GOAWAY, PING, PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, headers,
                        message)

HELLO = frame(SETTINGS, 0, 0, b"\0\3\0\0\0\x64") + frame(SETTINGS, 1, 0)
OK = (":status", "200"), ("content-type", "application/grpc")

SEEDS = {
    "success": headers(0, 1, *OK) + frame(DATA, 0, 1, message(b"hello")) + headers(END_STREAM, 1, ("grpc-status", "0")),
    "failure": headers(END_STREAM, 1, *OK, ("grpc-status", "5"), ("grpc-message", "n%C3%A9"),
                       ("grpc-status-details-bin", "AAEC/w")),
    "gzip": headers(0, 1, *OK, ("grpc-encoding", "gzip")) + frame(DATA, 0, 1, message(b"hello " * 99, True)) +
            headers(END_STREAM, 1, ("grpc-status", "0")),
    "bomb": headers(0, 1, *OK, ("grpc-encoding", "gzip")) + frame(DATA, 0, 1, message(bytes(3 << 20), True)),
    "pieces": headers(0, 3, *OK) + frame(DATA, 0, 3, message(b"abcdef")[:7]) + frame(DATA, 0, 3, b"cdef") +
              headers(END_STREAM, 3, ("grpc-status", "0")),
    "lie": headers(0, 1, *OK) + frame(DATA, 0, 1, b"\0\xff\xff\xff\xff"),
    "reset": frame(RST_STREAM, 0, 1, b"\0\0\0\7") + frame(RST_STREAM, 0, 3, b"\0\0\0\0"),
    "goaway": frame(GOAWAY, 0, 0, b"\x7f\xff\xff\xff\0\0\0\0") + frame(GOAWAY, 0, 0, b"\0\0\0\1\0\0\0\0max_age"),
    "html": headers(0, 1, (":status", "503"), ("content-type", "text/html")) + frame(DATA, END_STREAM, 1, b"<html>"),
    "interim": headers(0, 1, (":status", "103")) * 9,
    "push": frame(PUSH_PROMISE, 4, 1, b"\0\0\0\2\x82"),
    "ping": frame(PING, 0, 0, b"12345678") * 3 + frame(WINDOW_UPDATE, 0, 0, b"\0\0\1\0"),
}

for name, data in SEEDS.items():
    pathlib.Path(sys.argv[1], name).write_bytes(b"\xff" + HELLO + data)
    pathlib.Path(sys.argv[1], name + "_bytes").write_bytes(b"\0" + HELLO + data)
