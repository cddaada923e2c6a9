"""cmake/descriptors.py. Goal: whatever form the API's descriptors come in, protoc-gen-c takes what is made of them,
`optional` fields of proto3 too, and a wrong package is refused. Method: an API of one file, as a descriptor set and
as a package; the C that is generated is compiled.

    descriptors.py SCRIPT PROTOC CC
"""
import os
import subprocess
import sys
import tempfile
import unittest
import zipfile

SCRIPT, PROTOC, CC = sys.argv[1:4]
NAME = "temporal/api/protocol/v1/message.proto"
PROTO = """
syntax = "proto3";
package temporal.api.protocol.v1;
import "google/protobuf/duration.proto";
message Sample {
  message Inner { optional string linux = 1; }
  optional int64 number = 3;
  string plain = 1;
  optional google.protobuf.Duration span = 2;
  oneof choice { bool yes = 4; Inner inner = 5; }
  map<string, bytes> pairs = 6;
}
"""


class Descriptors(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        os.makedirs(os.path.dirname(self.path(NAME)))
        with open(self.path(NAME), "w", encoding="utf-8") as file:
            file.write(PROTO)
        self.run_ok(PROTOC, f"-I{self.folder.name}", f"-o{self.path('source.fds')}",
                    "--experimental_allow_proto3_optional", NAME)
        self.run_ok(PROTOC, f"-o{self.path('well_known.fds')}", "--include_imports",
                    "google/protobuf/duration.proto", "google/protobuf/struct.proto")

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def run_ok(self, *command):
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def script(self, *source):
        return subprocess.run([sys.executable, SCRIPT, *source, "--well-known", self.path("well_known.fds"),
                               "--out", self.path("api.fds"), "--list", self.path("api.list")],
                              capture_output=True, text=True)

    def wheel(self):
        """A package like the official one: the descriptor is a literal in a module that would not even run."""
        with open(self.path("source.fds"), "rb") as file:
            source = file.read()
        self.assertLess(len(source), 1 << 14)  # so that tag and length are three bytes
        with zipfile.ZipFile(self.path("api.whl"), "w") as wheel:
            wheel.writestr("temporalio/message_pb2.py",
                           f"import nothing_of_the_kind\nD = pool.AddSerializedFile({source[3:]!r})\n")
        return self.path("api.whl")

    def check_generated(self):
        with open(self.path("api.list"), encoding="utf-8") as file:
            names = file.read().split()
        self.assertEqual(names[-1], "google/protobuf/struct.proto")
        self.assertIn(NAME, names)
        self.run_ok(PROTOC, f"--descriptor_set_in={self.path('api.fds')}", f"--c_out={self.folder.name}", *names)
        with open(self.path("check.c"), "w", encoding="utf-8") as file:
            file.write('#include "temporal/api/protocol/v1/message.pb-c.h"\n'
                       "int f(const Protocol__Sample *s)\n"
                       "{ return s->_number_case == PROTOCOL__SAMPLE___NUMBER_NUMBER && s->inner->linux && s->n_pairs; }\n"
                       "const void *t = &protocol__sample__descriptor;\n")
        for source in (self.path("check.c"), self.path(NAME.replace(".proto", ".pb-c.c"))):
            self.run_ok(CC, "-std=c17", "-fsyntax-only", f"-I{self.folder.name}", source)

    def test_set(self):
        self.assertEqual(self.script("--set", self.path("source.fds")).returncode, 0)
        self.check_generated()

    def test_wheel(self):
        done = self.script("--wheel", self.wheel())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_generated()

    def test_wrong_checksum(self):
        done = self.script("--wheel", self.wheel(), "--sha256", "0" * 64)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("SHA-256 is", done.stderr)

    def test_no_wheel(self):
        with open(self.path("api.whl"), "w", encoding="utf-8") as file:
            file.write("<html>")
        done = self.script("--wheel", self.path("api.whl"))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("api.whl", done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_nothing_of_the_api(self):
        done = self.script("--set", self.path("well_known.fds"))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("temporal/api", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
