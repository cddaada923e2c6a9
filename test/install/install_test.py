"""The installed product. Goal: what `cmake --install` lays down can be compiled and linked against, in
C and C++, shared and static, and exports the API alone. Method: installs into a temporary prefix and
builds small programs there, by pkg-config and by the CMake package, as a user would.

    install_test.py BUILD_DIR C_COMPILER
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD, CC = os.path.abspath(sys.argv[1]), sys.argv[2]
CONSUMER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "consumer")
PREFIXES = ("temporal_", "wf_", "act_", "nexus_")
NODES = {"TEMPORAL_1", "TEMPORAL_PRIVATE"}


def run(*command, **kw):
    done = subprocess.run(command, capture_output=True, text=True, **kw)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class InstallTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.prefix = tempfile.mkdtemp(prefix="temporal-install-")
        run("cmake", "--install", BUILD, "--prefix", cls.prefix)
        cls.lib = os.path.dirname(glob.glob(f"{cls.prefix}/lib*/**/libtemporal.so", recursive=True)[0])
        cls.env = {**os.environ, "PKG_CONFIG_PATH": os.path.join(cls.lib, "pkgconfig")}
        cls.cflags = cls.pkg_config("--cflags")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.prefix)

    @classmethod
    def pkg_config(cls, *args):
        return run("pkg-config", *args, "temporal", env=cls.env).split()

    def path(self, name):
        return os.path.join(self.prefix, name)

    def headers(self):
        found = sorted(glob.glob(f"{self.prefix}/include/temporal/*.h"))
        self.assertTrue(found)
        return ["temporal/" + os.path.basename(h) for h in found]

    def test_shared_by_pkg_config(self):
        run(CC, "-std=c17", f"{CONSUMER}/consumer.c", "-o", self.path("shared"), *self.cflags,
            *self.pkg_config("--libs"))
        env = {**os.environ, "LD_LIBRARY_PATH": self.lib}
        self.assertEqual(run(self.path("shared"), env=env), "NOT_FOUND\n")
        self.assertIn("libtemporal.so.0", run("readelf", "-d", self.path("shared")))

    def test_static_by_pkg_config(self):
        libs = [f"{self.lib}/libtemporal.a" if flag == "-ltemporal" else flag
                for flag in self.pkg_config("--static", "--libs")]
        run(CC, "-std=c17", f"{CONSUMER}/consumer.c", "-o", self.path("static"), *self.cflags, *libs)
        self.assertEqual(run(self.path("static")), "NOT_FOUND\n")

    def test_cmake_package(self):
        build = self.path("consumer")
        run("cmake", "-S", CONSUMER, "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}", f"-DCMAKE_C_COMPILER={CC}")
        run("cmake", "--build", build)
        self.assertEqual(run(f"{build}/consumer_static"), "NOT_FOUND\n")
        self.assertEqual(run(f"{build}/consumer_shared"), "NOT_FOUND\n")
        self.assertNotIn("libtemporal", run("readelf", "-d", f"{build}/consumer_static"))

    def test_package_flags_refuse_an_ignored_result(self):
        done = subprocess.run([CC, "-c", f"{CONSUMER}/ignored.c", "-o", os.devnull, *self.cflags],
                              capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("unused-result", done.stderr)

    def test_each_header_stands_alone(self):
        for header in self.headers():
            for compiler, language, std in ((CC, "c", "c17"), ("g++", "c++", "c++17")):
                if not shutil.which(compiler):
                    self.skipTest(f"no {compiler}")
                with self.subTest(header=header, language=language):
                    run(compiler, f"-std={std}", "-x", language, "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                        "-fsyntax-only", *self.cflags, "-", input=f"#include <{header}>\nint unit_is_not_empty;\n")

    def test_shared_exports_the_api_alone(self):
        lines = run("nm", "-D", "--defined-only", f"{self.lib}/libtemporal.so").splitlines()
        names = {line.split()[-1].split("@")[0] for line in lines} - NODES
        self.assertTrue(names)
        self.assertEqual([n for n in sorted(names) if not n.startswith(PREFIXES)], [])
        soname = re.search(r"SONAME.*\[(.*)\]", run("readelf", "-d", f"{self.lib}/libtemporal.so"))
        self.assertEqual(soname.group(1), "libtemporal.so.0")
        versions = run("readelf", "--version-info", "--wide", f"{self.lib}/libtemporal.so")
        for node in NODES:
            self.assertIn(f"Name: {node}", versions)

    def test_both_libraries_have_the_same_symbols(self):
        def names(*args):
            lines = run("nm", "--defined-only", "--extern-only", *args).splitlines()
            return {line.split()[-1].split("@")[0] for line in lines if len(line.split()) == 3} - NODES

        self.assertEqual(names(f"{self.lib}/libtemporal.a"), names("-D", f"{self.lib}/libtemporal.so"))

    def test_documents(self):
        for name in ("LICENSE", "README.md", "CHANGELOG.md"):
            self.assertTrue(glob.glob(f"{self.prefix}/share/doc/temporal/{name}"), name)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
