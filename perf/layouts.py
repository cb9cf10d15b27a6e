"""How many times as fast as the naive reference the batch is, wherever the linker happens to put either.

The same instructions at other addresses take up to a tenth longer. So the benchmark is linked again with more and more
padding before everything else, all of these run in turn, and the figure is the median over them:

    /usr/bin/python3 -B perf/layouts.py BUILD_DIRECTORY [TURNS [PROCESSOR]]
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile

PADDINGS = [0, 16, 32, 48, 64, 80, 96, 112, 208, 336, 1024, 2064]  # bytes
NAIVE = "naive_reference"
BATCH = "batch_99x1500/lts/average/{}/process_time"
KERNELS = ["avx2", "avx512", "auto"]


def link(build, folder, padding):
    """Engine_bench with so many bytes of code before its own."""
    source, padded = os.path.join(folder, "padding.s"), os.path.join(folder, f"padding_{padding}.o")
    with open(source, "w") as file:
        file.write(f'.text\n.balign 64\n.fill {padding}, 1, 0x90\n.section .note.GNU-stack,"",@progbits\n')
    subprocess.run(["as", "-o", padded, source], check=True)
    commands = subprocess.run(["ninja", "-t", "commands", "engine_bench"], cwd=build, capture_output=True, text=True, check=True)
    own = "perf/CMakeFiles/engine_bench.dir/engine_bench.cpp.o"
    program = os.path.join(folder, f"engine_bench_{padding}")
    command = commands.stdout.splitlines()[-1].replace(f" {own}", f" {padded} {own}", 1).replace("-o engine_bench", f"-o {program}")
    subprocess.run(command, cwd=build, shell=True, check=True)
    return program


def measure(program, processor, times):
    """Adds the nanoseconds a bar and series of each benchmark."""
    done = subprocess.run(["taskset", "-c", processor, program, "--benchmark_format=json", "--benchmark_min_time=0.05",
                           f"--benchmark_filter={NAIVE}|{BATCH.format('(' + '|'.join(KERNELS) + ')')}",
                           "--benchmark_repetitions=3", "--benchmark_enable_random_interleaving=true"],
                          capture_output=True, text=True, check=True)
    for run in json.loads(done.stdout)["benchmarks"]:
        if run["run_type"] == "iteration":
            times.setdefault(run["run_name"], []).append(run["ns_per_bar"] * 1e9)  # it is in seconds


def main():
    build = os.path.abspath(sys.argv[1])
    turns = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    processor = sys.argv[3] if len(sys.argv) > 3 else "0"
    subprocess.run(["cmake", "--build", build, "--target", "engine_bench"], check=True, stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as folder:
        programs = {padding: link(build, folder, padding) for padding in PADDINGS}
        times = {padding: {} for padding in PADDINGS}
        for _ in range(turns):
            for padding, program in programs.items():
                measure(program, processor, times[padding])
    for how, of in (("minima", min), ("medians", statistics.median)):
        naive = [of(each[NAIVE]) for each in times.values()]
        print(f"{how}: naive {statistics.median(naive):.0f} ns ({min(naive):.0f} to {max(naive):.0f})")
        for kernel in KERNELS:
            batch = [of(each[BATCH.format(kernel)]) for each in times.values()]
            ratio = [one / other for one, other in zip(naive, batch)]
            print(f"  {kernel}: {statistics.median(batch):.1f} ns ({min(batch):.1f} to {max(batch):.1f}), "
                  f"{statistics.median(ratio):.1f} times ({min(ratio):.1f} to {max(ratio):.1f})")


if __name__ == "__main__":
    main()
