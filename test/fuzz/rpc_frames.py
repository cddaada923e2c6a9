"""HTTP/2 frames for the seeds of fuzz_rpc_client and fuzz_rpc_server."""
import gzip

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE = range(9)
END_STREAM, END_HEADERS, ACK = 1, 4, 1


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def headers(flags, stream, *pairs):
    """Literal fields without indexing."""
    block = b"".join(b"\0" + bytes([len(n)]) + n.encode() + bytes([len(v)]) + v.encode() for n, v in pairs)
    return frame(HEADERS, flags | END_HEADERS, stream, block)


def message(data, compressed=False):
    data = gzip.compress(data, mtime=0) if compressed else data
    return bytes([compressed]) + len(data).to_bytes(4, "big") + data
