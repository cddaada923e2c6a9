"""The checker of tables. Goal: a missing option, a test or file that is not there, and a row without proof are found, and
nothing else. Method: a tree of a header, two tables and a test, in a temporary folder.
"""
import os
import tempfile
import unittest

import tables

HEADER = """struct temporal_worker_opts {
	const char *task_queue; /* required; see .identity */
	void (*on_log)(int line, void *user);
	int64_t a_limit_ms;
};
"""
OPTIONS = """# Options
| theirs | ours | shown by |
|---|---|---|
| queue | `.task_queue` | `test/a_test.c:it_works` |
| log, limit | `.on_log`, `.a_limit_ms` | `test/a_test.c` |

## What has no place in C

| theirs | why |
|---|---|
| sandbox | no need |
"""
CHAPTER = "| statement | shown by |\n|---|---|\n| It runs | `test/a_test.c:it_works` |\n"
TEST = "static void it_works(void **state)\n"


def problems(**changes):
    files = {"header": HEADER, "options": OPTIONS, "chapter": CHAPTER, **changes}
    paths = {"header": tables.HEADER, "options": tables.TABLES[0], "chapter": tables.TABLES[1]}
    with tempfile.TemporaryDirectory() as root:
        for name, text in [*((paths[key], text) for key, text in files.items()), ("test/a_test.c", TEST)]:
            os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
            with open(os.path.join(root, name), "w", encoding="utf-8") as f:
                f.write(text)
        return tables.check(root)


class TablesTest(unittest.TestCase):
    def test_good_tables_pass(self):
        self.assertEqual(problems(), [])

    def test_an_option_needs_a_row(self):
        self.assertEqual(problems(header=HEADER.replace("};", "\tbool new_one;\n};")),
                         ["docs/options.md: no row for .new_one of struct temporal_worker_opts"])

    def test_what_is_named_must_be_there(self):
        self.assertEqual(problems(chapter=CHAPTER.replace("it_works", "it_flies")),
                         ["docs/chapter.md:3: test/a_test.c has no it_flies"])
        self.assertEqual(problems(chapter=CHAPTER.replace("a_test.c", "b_test.c")),
                         ["docs/chapter.md:3: test/b_test.c is not there"])

    def test_a_row_needs_a_proof(self):
        self.assertEqual(problems(options=OPTIONS.replace("`test/a_test.c:it_works`", "trust us")),
                         ["docs/options.md:4: the row names no test and no program"])


if __name__ == "__main__":
    unittest.main()
