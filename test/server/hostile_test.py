"""Bad input at the server's port. Goal: clients that break the rules, or keep them and mean no good, are cut
off or refused; memory stays bounded, and an honest client is served meanwhile and afterwards. Method: sockets
that write HTTP/2 frames, each against a temporald of its own on which an official client works all the time.
"""
import asyncio
import os
import re
import socket
import sys
import time
import unittest

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest, GetWorkflowExecutionHistoryRequest, SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

import harness

sys.path.insert(0, os.path.join(os.environ["TEMPORAL_TEST_SOURCE_DIR"], "test", "fuzz"))
from rpc_frames import (  # noqa: E402
    DATA, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, headers, message)

CONTINUATION = 9
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SERVICE = "/temporal.api.workflowservice.v1.WorkflowService/"
GROWTH_MAX_MB = 48
HONEST_MAX_S = 5


def call_headers(stream, method="DescribeNamespace", flags=0, content_type="application/grpc", extra=()):
    return headers(flags, stream, (":method", "POST"), (":scheme", "http"), (":path", SERVICE + method),
                   (":authority", "x"), ("content-type", content_type), ("te", "trailers"), *extra)


def call(stream, request, method="DescribeNamespace"):
    return call_headers(stream, method) + frame(DATA, END_STREAM, stream, message(request.SerializeToString()))


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def pieces(data, size=16000):
    return [data[i:i + size] for i in range(0, len(data), size)]


class Attacker:
    """A connection that says what it is told to."""

    def __init__(self, address, hello=PREFACE + frame(SETTINGS, 0, 0)):
        host, port = address.split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        self.socket.sendall(hello)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """False once the server has closed."""
        try:
            self.socket.sendall(data)
            return True
        except OSError:
            return False

    def read_frames(self, until=None, timeout_s=30):
        """Those that come until the connection ends, or one of the kind."""
        frames, data = [], b""
        self.socket.settimeout(timeout_s)
        try:
            while True:
                while len(data) >= 9 and len(data) >= 9 + int.from_bytes(data[:3], "big"):
                    size = int.from_bytes(data[:3], "big")
                    frames.append((data[3], int.from_bytes(data[5:9], "big"), data[9:9 + size]))
                    data = data[9 + size:]
                    if frames[-1][0] == until:
                        return frames
                more = self.socket.recv(65536)
                if not more:
                    return frames
                data += more
        except ConnectionError:
            return frames


class HostileTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.daemon = harness.Process(harness.program("temporald"), "--port", 0)
        self.addCleanup(self.daemon.kill)
        self.daemon.wait_output("listens on")
        self.address = re.search(r"listens on (\S+)", self.daemon.output()).group(1)
        self.client = await Client.connect(self.address)
        self.before = self.memory()

    async def asyncTearDown(self):
        self.assertFalse(self.daemon.ended(), self.daemon.output())
        for _ in range(500):  # the server hears of closed connections a little later
            if self.memory() - self.before < GROWTH_MAX_MB:
                break
            await asyncio.sleep(0.01)
        self.assertLess(self.memory() - self.before, GROWTH_MAX_MB)
        await self.honest()

    def memory(self):
        """Resident, in MB."""
        with open(f"/proc/{self.daemon.pid}/status") as f:
            return int(re.search(r"VmRSS:\s+(\d+) kB", f.read()).group(1)) / 1024

    def processor(self):
        """Seconds that it has used."""
        with open(f"/proc/{self.daemon.pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def honest(self):
        await asyncio.wait_for(self.client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace="default")), HONEST_MAX_S)

    async def during(self, attack):
        """Runs the attack in a thread, and honest calls beside it."""
        task = asyncio.ensure_future(asyncio.to_thread(attack))
        served = 0
        while not task.done():
            await self.honest()
            served += 1
            await asyncio.sleep(0.005)
        self.assertGreater(served, 0)
        return task.result()

    def cut_off(self, parts):
        """Sends until the server closes; fails if it took all."""
        with Attacker(self.address) as attacker:
            for part in parts:
                if not attacker.send(part):
                    return
            attacker.socket.shutdown(socket.SHUT_WR)
            kinds = [kind for kind, _, _ in attacker.read_frames()]
            self.assertIn(GOAWAY, kinds, "the server took it all")

    async def test_rapid_reset(self):
        parts = (call_headers(stream) + frame(RST_STREAM, 0, stream, (8).to_bytes(4, "big"))
                 for stream in range(1, 400001, 2))
        await self.during(lambda: self.cut_off(parts))

    async def test_continuation_flood(self):
        field = b"\x00\x01a\x7f\x00" + b"b" * 127
        parts = (frame(CONTINUATION, 0, 1, field) if n else frame(HEADERS, 0, 1, field) for n in range(200000))
        await self.during(lambda: self.cut_off(parts))

    async def test_floods_that_want_answers(self):
        for part in (frame(PING, 0, 0, b"12345678"), frame(SETTINGS, 0, 0), frame(WINDOW_UPDATE, 0, 0, bytes(4)),
                     frame(RST_STREAM, 0, 1, bytes(4))):
            with self.subTest(kind=part[3]):
                await self.during(lambda: self.cut_off(part * 1000 for _ in range(2000)))

    async def large_history(self):
        """A workflow with a history of 1 MB; who asks for it."""
        start = StartWorkflowExecutionRequest(namespace="default", workflow_id="large", request_id="r", identity="i")
        start.workflow_type.name, start.task_queue.name = "T", "q"
        start.input.payloads.add(data=b"x" * 1000000)
        await self.client.workflow_service.start_workflow_execution(start)
        return GetWorkflowExecutionHistoryRequest(
            namespace="default", execution=WorkflowExecution(workflow_id="large"))

    async def test_slow_reader(self):
        request = await self.large_history()

        def attack():
            with Attacker(self.address) as attacker:
                for stream in range(1, 801, 2):
                    attacker.send(call(stream, request, "GetWorkflowExecutionHistory"))
                time.sleep(1)
                return self.memory()

        # 400 answers of 1 MB are wanted; what waits on a connection has a limit.
        self.assertLess(await self.during(attack) - self.before, 60)

    async def test_slow_readers_together(self):
        """Each alone keeps to its limit; all together have one too."""
        request = await self.large_history()

        def attack():
            attackers = [Attacker(self.address) for _ in range(20)]
            for stream in range(1, 101, 2):
                for attacker in attackers:
                    attacker.send(call(stream, request, "GetWorkflowExecutionHistory"))
            time.sleep(1)
            memory = self.memory()
            for attacker in attackers:
                attacker.socket.close()
            return memory

        self.assertLess(await self.during(attack) - self.before, 400)

    async def test_answers_that_come_all_at_once(self):
        """Many wait for one event; when it comes, what is too much for their connection is reset."""
        request = await self.large_history()
        request.wait_new_event = True
        request.next_page_token = await self.token_after_the_first_page(request)
        signal = SignalWorkflowExecutionRequest(
            namespace="default", workflow_execution=WorkflowExecution(workflow_id="large"), signal_name="s")
        signal.input.payloads.add(data=b"x" * 1000000)

        def attack():
            with Attacker(self.address) as attacker:
                for stream in range(1, 801, 2):
                    attacker.send(call(stream, request, "GetWorkflowExecutionHistory"))
                time.sleep(0.5)
                asyncio.run_coroutine_threadsafe(
                    self.client.workflow_service.signal_workflow_execution(signal), self.loop).result()
                time.sleep(0.5)
                return self.memory()

        self.loop = asyncio.get_running_loop()
        self.assertLess(await self.during(attack) - self.before, 60)

    async def token_after_the_first_page(self, request):
        answer = await self.client.workflow_service.get_workflow_execution_history(request)
        self.assertTrue(answer.next_page_token)
        return answer.next_page_token

    async def test_many_that_say_nothing(self):
        connections = [Attacker(self.address, hello=PREFACE[:n % 24]) for n in range(400)]
        used = self.processor()
        await asyncio.sleep(1)
        await self.honest()
        self.assertLess(self.processor() - used, 0.3)
        for connection in connections:
            connection.socket.close()

    async def test_slow_loris(self):
        """Bodies that crawl, many at a time: the streams are reset, not waited for."""
        def attack():
            with Attacker(self.address) as attacker:
                for stream in range(1, 201, 2):
                    attacker.send(call_headers(stream) + frame(DATA, 0, stream, b"\0\0\0\0\x40"))
                for _ in range(13):
                    time.sleep(1)
                    for stream in range(1, 201, 2):
                        attacker.send(frame(DATA, 0, stream, b"x"))
                attacker.socket.shutdown(socket.SHUT_WR)
                return sum(kind == RST_STREAM for kind, _, _ in attacker.read_frames())

        self.assertGreater(await self.during(attack), 50)

    async def test_what_is_no_http2(self):
        for text in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\0" * 4096,
                     PREFACE + b"\xff" * 4096, PREFACE + frame(DATA, 0, 0, b"x"), PREFACE + frame(PING, 0, 0, b"x")):
            with self.subTest(text=text[:16]), Attacker(self.address, hello=text) as attacker:
                attacker.read_frames(timeout_s=HONEST_MAX_S)

    async def test_malformed_requests(self):
        good = DescribeNamespaceRequest(namespace="default").SerializeToString()
        for name, status, part in (
                ("no message of that type", "13", message(b"\xff\xff\xff")),
                ("no UTF-8", "13", message(b"\x0a\x02\xff\xfe")),
                ("longer than it says", "13", message(good)[:-1]),
                ("too large", "8", b"\0\x7f\xff\xff\xff" + good),
                ("flags that are none", "13", b"\x07" + message(good)[1:]),
                ("compressed in no way", "13", b"\1" + message(good)[1:]),
                ("two messages", "13", message(good) * 2),
                ("nothing", "13", b"")):
            with self.subTest(name), Attacker(self.address) as attacker:
                attacker.send(call_headers(1) + frame(DATA, END_STREAM, 1, part))
                frames = attacker.read_frames(until=HEADERS)
                self.assertEqual(frames[-1][0], HEADERS)
                self.assertRegex(frames[-1][2], bytes([len(status)]) + status.encode())

    async def test_unknown_methods_and_bodies(self):
        for part in (call_headers(1, method="NoSuchMethod", flags=END_STREAM),
                     call_headers(1, content_type="text/plain", flags=END_STREAM),
                     call_headers(1, extra=[("grpc-timeout", "soon")], flags=END_STREAM)):
            with Attacker(self.address) as attacker:
                attacker.send(part)
                self.assertEqual(attacker.read_frames(until=HEADERS)[-1][0], HEADERS)

    async def test_deep_messages(self):
        failure = b""
        for _ in range(5000):  # a cause in a cause in a cause
            failure = b"\x22" + varint(len(failure)) + failure
        with Attacker(self.address) as attacker:
            attacker.send(call_headers(1, "RespondActivityTaskFailed") +
                          b"".join(frame(DATA, 0, 1, part) for part in pieces(message(b"\x12" + varint(len(failure)) + failure)))
                          + frame(DATA, END_STREAM, 1))
            self.assertEqual(attacker.read_frames(until=HEADERS)[-1][0], HEADERS)

    async def test_requests_without_what_they_need(self):
        service = self.client.workflow_service
        for request in (StartWorkflowExecutionRequest(namespace="default"),
                        StartWorkflowExecutionRequest(namespace="default", workflow_id="x" * 1001),
                        StartWorkflowExecutionRequest(namespace="default", workflow_id="x")):
            with self.assertRaises(RPCError) as refused:
                await service.start_workflow_execution(request)
            self.assertEqual(refused.exception.status, RPCStatusCode.INVALID_ARGUMENT)
        with self.assertRaises(RPCError) as refused:
            await service.describe_namespace(DescribeNamespaceRequest(namespace="none-there"))
        self.assertEqual(refused.exception.status, RPCStatusCode.NOT_FOUND)


class DescriptorTest(unittest.IsolatedAsyncioTestCase):
    async def test_no_descriptors_left(self):
        """It runs out of file descriptors: who is connected is served, and others again later."""
        script = 'ulimit -Hn 64; exec "$0" --port 0'
        with harness.Process("sh", "-c", script, harness.program("temporald")) as daemon:
            daemon.wait_output("listens on")
            address = re.search(r"listens on (\S+)", daemon.output()).group(1)
            client = await Client.connect(address)
            request = DescribeNamespaceRequest(namespace="default")
            crowd = [Attacker(address) for _ in range(100)]
            await asyncio.wait_for(client.workflow_service.describe_namespace(request), HONEST_MAX_S)
            for attacker in crowd:
                attacker.socket.close()
            other = await asyncio.wait_for(Client.connect(address), HONEST_MAX_S)
            await asyncio.wait_for(other.workflow_service.describe_namespace(request), HONEST_MAX_S)


if __name__ == "__main__":
    harness.main()
