"""Seeds of fuzz_rpc_server: what clients say.

    seeds_rpc_server.py DIR
"""
import pathlib
import sys

from rpc_frames import (DATA, END_STREAM, GOAWAY, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, headers,
                        message)

HELLO = frame(SETTINGS, 0, 0)
GRPC = (":method", "POST"), (":scheme", "http"), (":path", "/s/m"), (":authority", "a"), ("te", "trailers")
TYPE = ("content-type", "application/grpc")


def request(stream, *more):
    return headers(0, stream, *GRPC, TYPE, *more) + frame(DATA, END_STREAM, stream, message(b"abc"))


SEEDS = {
    "request": request(1) + request(3, ("grpc-timeout", "5S"), ("x-y-bin", "AAEC")),
    "held": headers(0, 1, *GRPC[:2], (":path", "/service/method"), TYPE) + frame(DATA, END_STREAM, 1, message(b"")),
    "gzip": headers(0, 1, *GRPC, TYPE, ("grpc-encoding", "gzip"), ("grpc-accept-encoding", "identity,gzip")) +
            frame(DATA, END_STREAM, 1, message(b"abc" * 99, True)),
    "bomb": headers(0, 1, *GRPC, TYPE, ("grpc-encoding", "gzip")) + frame(DATA, 0, 1, message(bytes(1 << 18), True)),
    "lie": headers(0, 1, *GRPC, TYPE) + frame(DATA, 0, 1, b"\0\xff\xff\xff\xff") + frame(DATA, 0, 1, b"more"),
    "page": headers(END_STREAM, 1, (":method", "GET"), *GRPC[1:2], (":path", "/"), (":authority", "a")),
    "wrong": headers(END_STREAM, 1, *GRPC, ("content-type", "text/html")) + headers(END_STREAM, 3, *GRPC) +
             headers(0, 5, *GRPC, TYPE, ("grpc-timeout", "10ms")) + headers(0, 7, *GRPC, TYPE, ("grpc-encoding", "br")),
    "resets": b"".join(request(n) + frame(RST_STREAM, 0, n, b"\0\0\0\x08") for n in range(1, 40, 2)),
    "windows": frame(SETTINGS, 0, 0, b"\0\4\0\0\0\0") + request(1) + frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\3") +
               frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\0"),
    "floods": frame(SETTINGS, 0, 0) * 120,
    "control": frame(PING, 0, 0, b"12345678") + frame(PRIORITY, 0, 9, b"\0\0\0\1\7") +
               frame(GOAWAY, 0, 0, b"\0\0\0\0\0\0\0\0"),
}

for name, data in SEEDS.items():
    pathlib.Path(sys.argv[1], name).write_bytes(b"\xff" + HELLO + data)
    pathlib.Path(sys.argv[1], name + "_bytes").write_bytes(b"\0" + HELLO + data)
