"""Seeds for fuzz_visibility: the queries of the unit test, and values of search attributes."""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
VALUES = ['1', '-1.5e3', 'true', '"text \\u00e9 \\ud83d\\ude00"', '["a", "b"]', '[]', 'null',
          '"2024-01-02T03:04:05.6Z"', '{"a": [1]}', '[[1]]', '"cut', '[1,']


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    lines = (HERE.parent / 'unit' / 'server' / 'visibility_official.txt').read_text().splitlines()
    queries = [line.split('\t')[0] for line in lines]
    queries += ['(' * 51 + 'a = 1' + ')' * 51, 'NOT ' * 60 + 'a = 1', "a='x' OR " * 400 + "a='x'"]
    for number, text in enumerate(queries + VALUES):
        (out / f'{number:04}').write_text(text.replace('CInt', 'a'))


main()
