"""The engine inside the application. Goal: examples/embedded runs an order in one process, opens no socket
of the network, and goes on after kill -9 without charging twice. Method: the program itself, killed while
the order waits for its timer.
"""
import os
import time
import unittest

import harness

WAIT_S = 30


class EmbeddedTest(unittest.TestCase):
    def setUp(self):
        self.db = os.path.join(harness.temp_dir(), harness.unique("orders"))

    def start(self):
        process = harness.Process(harness.program("examples/embedded/embedded"), self.db, "order-123")
        self.addCleanup(process.kill)
        return process

    def network_sockets(self, pid):
        """The inodes of the process's sockets that the system's tables of TCP and UDP know."""
        own = set()
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                target = os.readlink(f"/proc/{pid}/fd/{fd}")
            except FileNotFoundError:
                continue
            if target.startswith("socket:["):
                own.add(target[8:-1])
        known = set()
        for table in ("tcp", "tcp6", "udp", "udp6"):
            if os.path.exists(f"/proc/{pid}/net/{table}"):
                with open(f"/proc/{pid}/net/{table}") as f:
                    known |= {line.split()[9] for line in f.readlines()[1:]}
        return own & known

    def wait_written(self, what):
        """Until it is in the database: the log of SQLite has what was written last."""
        end = time.monotonic() + WAIT_S
        while True:
            with open(self.db + "-wal", "rb") as f:
                if what in f.read():
                    return
            self.assertLess(time.monotonic(), end, f"{what} is not written")
            time.sleep(0.005)

    def test_goes_on_after_a_kill(self):
        first = self.start()
        first.wait_output("Charging")
        self.assertEqual(self.network_sockets(first.pid), set())
        self.wait_written(b"txn-99.99")
        first.kill()
        self.assertEqual(first.output(), "Charging $99.99\n")
        second = self.start()
        self.assertEqual(second.wait(WAIT_S), 0, second.output())
        self.assertEqual(second.output().splitlines(), [
            "Shipping order-123", "Order order-123: parcel of order-123, paid by txn-99.99"])

    def test_a_file_that_is_no_database_is_refused(self):
        with open(self.db, "w") as f:
            f.write("this is a text and no database, and it stays one\n" * 100)
        process = self.start()
        self.assertEqual(process.wait(WAIT_S), 1)
        self.assertIn(self.db, process.output())
        with open(self.db) as f:
            self.assertTrue(f.read().startswith("this is a text"))


if __name__ == "__main__":
    unittest.main()
