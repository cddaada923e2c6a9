"""The table of mutations. Goal: what it says is read as it is written, and what no longer fits is told. Method: texts, and
the tree of a source and a test in a temporary folder.
"""
import os
import tempfile
import unittest

import table

TEXT = """# a comment
one, and more of it
@ src/a.c
- \told();
- \tolder();
+ \tnew();
= test/a_test.c:it_works
= test/b.txt

another of the same file
- \tx();
= test/a_test.c:it_works
"""


class TableTest(unittest.TestCase):
    def problems(self, source, text=TEXT):
        with tempfile.TemporaryDirectory() as root:
            for path, content in (("src/a.c", source), ("test/a_test.c", "it_works\n"), ("test/b.txt", "")):
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                    f.write(content)
            return [problem for mutation in table.parse(text) for problem in table.problems_of(root, mutation)]

    def test_mutations_are_read(self):
        one, another = table.parse(TEXT)
        self.assertEqual(one, ("one, and more of it", "src/a.c", "\told();\n\tolder();\n", "\tnew();\n",
                               [("test/a_test.c", "it_works"), ("test/b.txt", "")]))
        self.assertEqual((another.path, another.old, another.new), ("src/a.c", "\tx();\n", ""))

    def test_what_is_not_complete_is_refused(self):
        for text in ("title\n- a\n+ b\n= test/x\n", "title\n@ a.c\n- a\n+ b\n", "title\n@ a.c\n- a\n+ a\n= test/x\n",
                     "title\nanother\n"):
            with self.assertRaises(ValueError):
                table.parse(text)

    def test_it_has_to_fit(self):
        fits = "\told();\n\tolder();\n\tx();\n"
        self.assertEqual(self.problems(fits), [])
        self.assertEqual(self.problems(fits + fits),
                         ["src/a.c has the old text 2 times, expected once"] * 2)
        self.assertEqual(self.problems(fits, TEXT.replace("it_works", "it_flies")),
                         ["test/a_test.c has no it_flies"] * 2)

    def test_every_option_is_a_mutation(self):
        titles = {mutation.title for mutation in [*table.options(table.TOP), *table.mutations(table.TOP)]}
        missing = [m for m in table.members(table.TOP, table.WORKER) if "." + m not in titles]
        self.assertEqual(missing, [])


if __name__ == "__main__":
    unittest.main()
