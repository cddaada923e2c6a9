"""The official Go SDK: its worker and its client in one program (go_sdk/). Goal: what they do together
comes out the same on both servers. Method: the program prints a line for each thing; the lines are known.
"""
import os
import subprocess
import unittest

import harness

EXPECTED = """\
order: txn-99.5
refused: Amount: no such amount
update 7: 0
update -1: : below zero
query: 7
approval: level 7 approved by ann
cancelled: cancelled
countdown: lift-off
parent: child: txn-1.5
local: local 3 42
resumed: 20
session: txn-1 txn-2
waits: false
marked: 1 1
calls: echo hello, txn-4.5, failed true
update with start: 0
signal with start: level 9 approved by bob
keeps: cleaned txn-3
memo: 1
"""


class GoSdkTest(unittest.TestCase):
    def test_worker_and_client(self):
        with harness.Server() as server:
            done = subprocess.run([PROGRAM, server.address], capture_output=True, text=True, timeout=90)
        self.assertEqual(done.stdout, EXPECTED, done.stderr)
        self.assertEqual(done.returncode, 0)


if __name__ == "__main__":
    PROGRAM = os.path.join(os.environ.get("TEMPORAL_TEST_GO_TOOLS", ""), "go_sdk")
    if not os.access(PROGRAM, os.X_OK):
        harness.skip(f"{PROGRAM} is not built: there is no Go here, or the module proxy cannot be reached")
    unittest.main()
