"""The checker itself. Goal: each rule fails on a bad sample, at its line, and lets a good one pass.
Method: trees of a few small files in a temporary folder.
"""
import os
import tempfile
import unittest

import tidy

GOOD = """/* add.c: sums. Pure. */
#include "base/add.h"

int add(int a, int b)
{
	return a + b;
}
"""
GOOD_HEADER = "/* Sums. */\n#ifndef BASE_ADD_H\n#define BASE_ADD_H\n\nint add(int a, int b);\n\n#endif\n"


def problems(changes):
    """Those of the good tree with some files changed, added, or (None) left out."""
    files = {
        "src/base/add.c": GOOD,
        "src/base/add.h": GOOD_HEADER,
        "src/base/CMakeLists.txt": "target_sources(x PRIVATE\n\tadd.c\n)\n",
        "src/base/README.md": "# base\n",
        **changes,
    }
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            if text is None:
                continue
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as f:
                f.write(text)
        return [f"{p.path}:{p.line}: {p.what}" for p in tidy.check_tree(root)[0]]


def function(*body, name="f"):
    return "/* a.c: a sample. */\nvoid " + name + "(void)\n{\n" + "".join(f"{line}\n" for line in body) + "}\n"


class TidyTest(unittest.TestCase):
    def assert_problem(self, files, *expected):
        self.assertEqual(problems(files), list(expected))

    def assert_in_base(self, text, *expected):
        self.assert_problem({"src/base/add.c": text}, *(f"src/base/add.c:{e}" for e in expected))

    def test_good_tree(self):
        self.assert_problem({})

    def test_unfinished_words(self):
        for word in ("TODO", "FIXME", "XXX", "HACK", "stub", "Placeholder", "not implemented"):
            with self.subTest(word=word):
                self.assert_in_base(GOOD + f"/* {word} */\n", f"8: the word `{word}`")
        self.assert_in_base(GOOD + "/* stubborn HACKNEY */\n")

    def test_words_in_other_files(self):
        self.assert_problem({"docs/x.md": "a\nTODO\n"}, "docs/x.md:2: the word `TODO`")

    def test_calls(self):
        for call in ("strcpy", "strcat", "sprintf", "gets", "alloca", "strtok", "atoi", "printf", "exit"):
            with self.subTest(call=call):
                self.assert_in_base(function(f"\t{call}(x);"), f"4: `{call}`")
        self.assert_in_base(function("\tsnprintf(x);", "\tfgets(x);", '\tlog("strcpy(x)");', "\to->exit(x);"))
        self.assert_problem({"test/unit/base/a_test.c": function("\tprintf(x);")})

    def test_machine(self):
        self.assert_in_base(GOOD + "/* /ro" "ot/x */\n", "8: `/ro" "ot/`")
        self.assert_problem({"scripts/get": "curl https://pyp" "i.org/x\n"}, "scripts/get:1: `pyp" "i.org`")

    def test_slash_comments(self):
        self.assert_in_base(function("\tx(); // why"), "4: a // comment")
        self.assert_in_base(function('\tx("http://a");', "\t/* http://a */", "\ty('\"');  /* // */"))

    def test_columns(self):
        self.assert_in_base(function("\t" + "x" * 93 + ";"), "4: 102 columns")
        self.assert_in_base(function("\t" + "x" * 91 + ";"))

    def test_trailing_blanks(self):
        self.assert_in_base(function("\tx(); "), "4: blanks at the end of the line")

    def test_function_length(self):
        self.assert_in_base(function(*["\tx();"] * 69), "2: f has 71 lines")
        self.assert_in_base(function(*["\tx();"] * 68))

    def test_flat_switch_may_be_long(self):
        cases = [text for i in range(60) for text in (f"\tcase {i}:", "\t\treturn;")]
        self.assert_in_base(function("\tswitch (x) {", *cases, "\t}"))
        self.assert_in_base(function("\tswitch (x) {", *cases, "\t\tif (y)", "\t\t\tz();", "\t}"), "2: f has 126 lines")

    def test_ratchet(self):
        long = function(*["\tx();"] * 78)
        for allowed, expected in ((80, []), (79, ["src/base/add.c:2: f has 80 lines"]),
                                  (81, ["test/tidy/ratchet.txt:1: src/base/add.c:f has 80 lines now, not 81"])):
            with self.subTest(allowed=allowed):
                self.assert_problem({"src/base/add.c": long, "test/tidy/ratchet.txt": f"src/base/add.c:f {allowed}\n"},
                                    *expected)
        self.assert_problem({"test/tidy/ratchet.txt": "# long\nsrc/base/add.c:add 90\n"},
                            "test/tidy/ratchet.txt:2: src/base/add.c:add has few enough lines now, not 90")

    def test_file_length(self):
        self.assert_in_base(GOOD + "int x;\n" * 794, "1: src/base/add.c has 801 lines")

    def test_nesting(self):
        deep = ["\tif (a)", "\t\tfor (;;)", "\t\t\twhile (b)", "\t\t\t\tif (c)", "\t\t\t\t\tx();"]
        self.assert_in_base(function(*deep), "7: f: nested 4 deep")
        self.assert_in_base(function(*deep[:3], "\t\t\t\tx();"))

    def test_typedef_of_a_struct(self):
        self.assert_in_base(GOOD + "typedef struct a a_t;\n", "8: a typedef of a struct")
        self.assert_in_base(GOOD + "typedef struct a *(*make)(int);\ntypedef int number;\ntypedef struct a b_out;\n")

    def test_opening_comment(self):
        self.assert_in_base("int x;\n", "1: no comment opens the file")

    def test_guard(self):
        self.assert_problem({"src/base/add.h": GOOD_HEADER.replace("BASE_ADD_H", "ADD_H")},
                            "src/base/add.h:1: the guard is ADD_H")
        self.assert_problem({"src/base/add.h": "int add(int a, int b);\n"}, "src/base/add.h:1: the guard is missing")
        self.assert_problem({"test/lib/add.h": GOOD_HEADER.replace("BASE_ADD_H", "LIB_ADD_H")})
        self.assert_problem({"test/lib/add.h": GOOD_HEADER.replace("BASE_ADD_H", "SUM_H")},
                            "test/lib/add.h:1: the guard is SUM_H")

    def test_folder_without_readme(self):
        self.assert_problem({"src/base/README.md": None}, "src/base:1: no README.md")

    def test_file_outside_the_lists(self):
        self.assert_problem({"src/base/sub.c": "/* sub.c: a sample. */\n"}, "src/base/sub.c:1: no CMakeLists.txt names it")

    def test_includes_point_down(self):
        for layer, other, bad in (("base", "proto", True), ("engine", "rpc", True), ("rpc", "engine", True),
                                  ("workflow", "client", True), ("client", "workflow", True), ("proto", "base", False),
                                  ("worker", "base", False), ("workflow", "proto", False), ("testing", "rpc", False)):
            with self.subTest(layer=layer, other=other):
                expected = [f"src/{layer}/a.c:2: {layer} includes {other}"] if bad else []
                self.assert_problem(self.source(layer, f'"{other}/b.h"'), *expected)

    def source(self, layer, include):
        files = {f"src/{layer}/a.c": f"/* a.c: a sample. */\n#include {include}\n",
                 f"src/{layer}/README.md": f"# {layer}\n", f"src/{layer}/CMakeLists.txt": "a.c\n"}
        if layer == "base":
            files["src/base/CMakeLists.txt"] = "a.c add.c\n"
        return files

    def test_includes_of_the_api(self):
        for layer, header, bad in (("base", "error.h", False), ("base", "worker.h", True), ("engine", "workflow.h", True),
                                   ("engine", "error.h", False), ("workflow", "workflow.h", False),
                                   ("workflow", "types.h", False), ("worker", "client.h", False), ("rpc", "types.h", True)):
            with self.subTest(layer=layer, header=header):
                expected = [f"src/{layer}/a.c:2: {layer} includes <temporal/{header}>"] if bad else []
                self.assert_problem(self.source(layer, f"<temporal/{header}>"), *expected)

    def test_includes_of_libraries(self):
        for layer, header, bad in (("engine", "pthread.h", True), ("engine", "uv.h", True), ("client", "uv.h", True),
                                   ("engine", "string.h", False), ("rpc", "uv.h", False), ("base", "pthread.h", False)):
            with self.subTest(layer=layer, header=header):
                expected = [f"src/{layer}/a.c:2: {layer} includes <{header}>"] if bad else []
                self.assert_problem(self.source(layer, f"<{header}>"), *expected)

    def test_includes_of_generated_headers(self):
        header = "temporal/api/common/v1/message.pb-c.h"
        self.assert_problem(self.source("engine", f"<{header}>"))
        self.assert_problem(self.source("proto", f'"{header}"'))
        self.assert_problem(self.source("base", f'"{header}"'), f"src/base/a.c:2: base includes {header}")

    def test_include_without_layer(self):
        self.assert_problem({"src/base/add.c": GOOD.replace("base/add.h", "add.h")},
                            "src/base/add.c:2: add.h is not named by its layer")

    def test_public_header_includes_public_ones_alone(self):
        header = "#ifndef TEMPORAL_A_H\n#define TEMPORAL_A_H\n#include {}\n#endif\n"
        for include, bad in (('"base/add.h"', True), ("<temporal/api/common/v1/message.pb-c.h>", True),
                             ("<temporal/error.h>", False), ("<stdint.h>", False)):
            with self.subTest(include=include):
                path = "include/temporal/a.h"
                expected = [f"{path}:3: a public header includes {include[1:-1]}"] if bad else []
                self.assert_problem({path: header.format(include)}, *expected)

    def test_example_uses_the_api_alone(self):
        text = '/* a.c: a sample. */\n#include "base/add.h"\n'
        self.assert_problem({"examples/x/a.c": text, "examples/x/CMakeLists.txt": "a.c\n"},
                            "examples/x/a.c:2: a program of a user includes base/add.h")


if __name__ == "__main__":
    unittest.main()
