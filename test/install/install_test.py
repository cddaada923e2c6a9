"""The installed product. Goal: what `cmake --install` lays down can be compiled and linked against, in
C and C++, shared and static, with the server and without, and exports the API alone; temporald runs.
Method: installs into a temporary prefix and builds small programs there, by pkg-config and by the CMake
package, as a user would.

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
PRIVATE = "temporal_private_"


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
    def pkg_config(cls, *args, package="temporal"):
        return run("pkg-config", *args, package, env=cls.env).split()

    def static_libs(self, package):
        return [f"{self.lib}/lib{flag[2:]}.a" if flag.startswith("-ltemporal") else flag
                for flag in self.pkg_config("--static", "--libs", package=package)]

    def symbols(self, file, *args):
        """Those that it defines for others: name -> version."""
        lines = [line.split() for line in run("nm", "--defined-only", "--extern-only", *args,
                                              f"{self.lib}/{file}").splitlines()]
        names = [words[2].replace("@@", "@").partition("@") for words in lines if len(words) == 3]
        return {name: version for name, _, version in names if not name.startswith("TEMPORAL_")}

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
        run(CC, "-std=c17", f"{CONSUMER}/consumer.c", "-o", self.path("static"), *self.cflags,
            *self.static_libs("temporal"))
        self.assertEqual(run(self.path("static")), "NOT_FOUND\n")

    def test_server_shared_by_pkg_config(self):
        run(CC, "-std=c17", f"{CONSUMER}/server.c", "-o", self.path("server_shared"), *self.cflags,
            *self.pkg_config("--libs", package="temporal-server"))
        self.assertEqual(run(self.path("server_shared"), env={**os.environ, "LD_LIBRARY_PATH": self.lib}), "ok\n")
        needed = run("readelf", "-d", self.path("server_shared"))
        for name in ("libtemporal.so.0", "libtemporal-server.so.0"):
            self.assertIn(name, needed)

    def test_server_static_by_pkg_config(self):
        run(CC, "-std=c17", f"{CONSUMER}/server.c", "-o", self.path("server_static"), *self.cflags,
            *self.static_libs("temporal-server"))
        self.assertEqual(run(self.path("server_static")), "ok\n")

    def test_cmake_package(self):
        build = self.path("consumer")
        run("cmake", "-S", CONSUMER, "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}", f"-DCMAKE_C_COMPILER={CC}")
        run("cmake", "--build", build)
        for program, output in (("consumer", "NOT_FOUND\n"), ("server", "ok\n")):
            self.assertEqual(run(f"{build}/{program}_static"), output)
            self.assertEqual(run(f"{build}/{program}_shared"), output)
            self.assertNotIn("libtemporal", run("readelf", "-d", f"{build}/{program}_static"))

    def test_temporald(self):
        self.assertIn("--db-filename", run(self.path("bin/temporald"), "--help"))
        self.assertTrue(glob.glob(f"{self.prefix}/share/man/man1/temporald.1"))

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
        node = "TEMPORAL_PRIVATE_" + self.pkg_config("--modversion")[0]
        exported = self.symbols("libtemporal.so", "-D")
        for name, version in exported.items():
            with self.subTest(name=name):
                self.assertTrue(name.startswith(PREFIXES))
                self.assertEqual(version, node if name.startswith(PRIVATE) else "TEMPORAL_1")
        self.assertIn("temporal_client_connect_", exported)
        server = self.symbols("libtemporal-server.so", "-D")
        self.assertEqual([name for name in server if not name.startswith("temporal_server_")], [])
        self.assertIn("temporal_server_start_sized", server)
        self.assertEqual(set(server.values()), {"TEMPORAL_1"})

    def test_sonames(self):
        for name in ("libtemporal.so", "libtemporal-server.so"):
            soname = re.search(r"SONAME.*\[(.*)\]", run("readelf", "-d", f"{self.lib}/{name}"))
            self.assertEqual(soname.group(1), f"{name}.0")

    def test_the_server_takes_libtemporal_of_its_own_version(self):
        versions = run("readelf", "--version-info", "--wide", f"{self.lib}/libtemporal-server.so")
        self.assertIn("File: libtemporal.so.0", versions)
        self.assertIn("Name: TEMPORAL_PRIVATE_" + self.pkg_config("--modversion")[0], versions)

    def test_both_kinds_have_the_same_symbols(self):
        for name in ("libtemporal", "libtemporal-server"):
            self.assertEqual(set(self.symbols(f"{name}.a")), set(self.symbols(f"{name}.so", "-D")))

    def test_documents(self):
        for name in ("LICENSE", "README.md", "CHANGELOG.md"):
            self.assertTrue(glob.glob(f"{self.prefix}/share/doc/temporal/{name}"), name)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
