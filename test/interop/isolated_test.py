"""Goal: examples/isolated does what it says: each picture that is too much for the library is a failed activity
with a reason, the others get their thumbnail, and nothing is left of it. Method: the program itself.
"""
import os
import time
import unittest

import harness

WAIT_S = 60


@unittest.skipIf(harness.is_sanitized(), "the sanitizers' own memory is beyond any limit")
class IsolatedTest(unittest.TestCase):
    def alive(self, mark):
        """The processes with that in their environment: the worker's own, its helper, and what that has forked."""
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{entry}/environ", "rb") as f:
                    if mark.encode() in f.read():
                        found.append(entry)
            except OSError:  # it has ended, or is somebody else's
                continue
        return found

    def test_says_what_has_happened(self):
        mark = harness.unique("isolated")
        process = harness.Process(harness.program("examples/isolated/isolated"), harness.shared_address(),
                                  env={"ISOLATED_TEST": mark})
        self.addCleanup(process.kill)
        most = 0
        while not process.ended():
            most = max(most, len(self.alive(mark)))
            time.sleep(0.05)
        self.assertGreaterEqual(most, 3)
        self.assertEqual(process.wait(WAIT_S), 0, process.output())
        lines = process.output().splitlines()
        expected = [
            "cat.png: small-cat.png",
            "broken.png: activity 'thumbnail' died by SIGSEGV (address 0x0)",
            "newer.png: activity 'thumbnail' exited with status 3, instead of returning",
            "huge.png: activity 'thumbnail' died by SIGABRT",
            "endless.png: activity StartToClose timeout",
            "dog.png: small-dog.png",
        ]
        self.assertEqual(lines, expected)
        self.assertEqual(self.alive(mark), [])


if __name__ == "__main__":
    harness.main()
