"""Runs one fuzzer from its seeds.

    run.py PROGRAM SECONDS WORK_DIR CORPUS_DIR [SEEDS_SCRIPT]

SEEDS_SCRIPT DIR writes more seeds. SECONDS 0: PROGRAM only takes each seed once. What libFuzzer finds
is kept in WORK_DIR: the inputs that reach new code in `found`, a failing input beside it.
"""
import os
import subprocess
import sys


def main():
    program, seconds, work, corpus = sys.argv[1:5]
    seeds, found = os.path.join(work, "seeds"), os.path.join(work, "found")
    for folder in (seeds, found):
        os.makedirs(folder, exist_ok=True)
    for script in sys.argv[5:]:
        subprocess.run([sys.executable, script, seeds], check=True)
    folders = [f for f in (seeds, corpus) if os.path.isdir(f)]
    files = [os.path.join(f, name) for f in folders for name in sorted(os.listdir(f))]
    if not files:
        sys.exit(f"{program}: no seeds in {corpus}, and no script that makes them")
    if seconds == "0":
        command = [program, *files]
    else:
        command = [program, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1",
                   "-error_exitcode=1",  # its own is what a skipped test says
                   f"-artifact_prefix={work}/", found, *folders]
    sys.exit(subprocess.run(command).returncode)


if __name__ == "__main__":
    main()
