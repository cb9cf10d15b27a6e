"""Counts by callgrind what each piece of build/dev/instruction_counts takes a bar, and fails where that is more than 3 % apart
from the figure in instruction_counts.json. Who changes it on purpose records it anew, in the same commit: --record. The
figures are those of the preset `dev` with GCC 12 on Debian 12; valgrind has no AVX-512: that path's
instructions are counted by single steps where the processor has it and a process may be traced.
Arguments: PROGRAM [--record]. Exit status 77: valgrind is not installed, or the processor has no AVX2."""
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys

RECORD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "instruction_counts.json")
ALLOWED = 0.03
SKIPPED = 77


def steps_per_bar(program, piece):
    """By single steps; None where the system or the processor does not let it."""
    run = subprocess.run([program, "--steps", piece], capture_output=True, text=True)
    numbers = [int(line) for line in run.stdout.split()]
    return round(numbers[1] / numbers[0], 1) if len(numbers) == 2 and numbers[1] > 0 else None


def instructions_per_bar(program, piece):
    """With one decimal; None where this machine cannot tell."""
    if piece.endswith("/avx512"):
        return steps_per_bar(program, piece)
    run = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=measured",
                          program, piece], capture_output=True, text=True)
    collected = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or not collected or int(collected.group(1)) == 0:
        sys.exit(f"{piece} cannot be counted:\n{run.stderr}")
    return round(int(collected.group(1)) / int(run.stdout), 1)


def faults(recorded, measured):
    found = [f"{piece} has no recorded figure" for piece in measured if piece not in recorded]
    for piece, before in recorded.items():
        now = measured.get(piece)
        if piece not in measured:
            found.append(f"{piece} is recorded, but the program has no such piece")
        elif now is not None and abs(now / before - 1) > ALLOWED:
            found.append(f"{piece} takes {now} instructions a bar, {now / before - 1:+.1%}; recorded are {before}, and"
                         f" {before * (1 - ALLOWED):.1f} to {before * (1 + ALLOWED):.1f} are allowed")
    return found


def main():
    program = sys.argv[1]
    if not shutil.which("valgrind"):
        print("skipped: valgrind is not installed")
        return SKIPPED
    with open("/proc/cpuinfo") as file:
        if " avx2 " not in file.read():
            print("skipped: the processor has no AVX2")
            return SKIPPED
    pieces = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        measured = dict(zip(pieces, pool.map(lambda piece: instructions_per_bar(program, piece), pieces)))
    if sys.argv[2:] == ["--record"]:
        if None in measured.values():
            sys.exit("not recorded: this machine cannot count every piece")
        with open(RECORD, "w") as file:
            json.dump(measured, file, indent=1)
            file.write("\n")
    with open(RECORD) as file:
        recorded = json.load(file)
    for piece, now in measured.items():
        print(f"{piece:30} {now or 'not counted'} instructions a bar, recorded {recorded.get(piece)}")
    found = faults(recorded, measured)
    if found:
        print("\n".join(found))
        print("If this is meant, record it in the same commit: perf/instructions.py PROGRAM --record")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
