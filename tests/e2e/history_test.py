"""`atcd history`: CSV in and out with the same bits, what is damaged is found, and repair keeps all that can be read."""
import os
import random
import resource
import subprocess
import sys

import harness
from harness import ATCD, Workplace

SERIES = "binance:spot:BTCUSDT:1m"
HEADER = "open_ms,close_ms,open,high,low,close,volume\n"
FIRST_MS = 1_700_000_040_000
BARS = 3000


def rows_of(numbers):
    price = random.Random(7)
    rows = []
    for number in range(BARS):
        close = round(60_000 + 500 * price.random(), 2)
        open_ms = FIRST_MS + number * 60_000
        rows.append(f"{open_ms},{open_ms + 60_000},"
                    f"{close:.10g},{close:.10g},{close:.10g},{close:.10g},{round(price.random(), 5):.10g}\n")
    return [rows[number] for number in numbers]


def main():
    with Workplace() as place:
        def history(command, *arguments, expect=0, text=None, directory=place.directory):
            done = subprocess.run([ATCD, "history", command, "--directory", directory, *arguments], input=text,
                                  capture_output=True, text=True, timeout=harness.DEADLINE_S)
            assert done.returncode == expect, done
            return done.stdout if expect == 0 else done.stdout + done.stderr

        # The middle first: what is older is put before it, what is there already stays.
        middle, all_rows = rows_of(range(1000, 2000)), rows_of(range(BARS))
        assert "1000 bars imported, 0 were held" in history("import", SERIES, "-", text=HEADER + "".join(middle))
        assert "2000 bars imported, 1000 were held" in history("import", SERIES, "-", text=HEADER + "".join(all_rows))
        assert history("export", SERIES) == HEADER + "".join(all_rows)
        assert "1 series, 3000 bars, 0 problems" in history("check")
        listed = history("list").splitlines()
        assert listed[1].split()[:2] == [SERIES, "3000"] and listed[1].split()[3] == "0", listed
        assert "nothing is damaged" in history("repair")
        # What a repair that was killed has left may be the only original.
        os.mkdir(os.path.join(place.directory, "history.repaired"))
        with open(os.path.join(place.directory, "history.repaired", "marker"), "w"):
            pass
        assert "nothing is damaged" in history("repair")
        assert os.path.exists(os.path.join(place.directory, "history.damaged-1", "marker"))

        # A file is whole or what it was, and what could not be written is told.
        kept_file = place.path("kept.csv")
        with open(kept_file, "w") as file:
            file.write("before")
        export = [ATCD, "history", "export", "--directory", place.directory, SERIES]
        cut = subprocess.run([*export, "-o", kept_file], capture_output=True, text=True, restore_signals=False,
                             preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536)))
        assert cut.returncode == 1 and "File too large" in cut.stderr, cut
        assert open(kept_file).read() == "before"
        assert [name for name in os.listdir(place.directory) if name.startswith("kept.csv")] == ["kept.csv"]
        subprocess.run([*export, "-o", kept_file], check=True)
        assert open(kept_file).read() == HEADER + "".join(all_rows)
        with open("/dev/full", "w") as full:
            untold = subprocess.run([ATCD, "history", "list", "--directory", place.directory], stdout=full,
                                    stderr=subprocess.PIPE, text=True)
        assert untold.returncode == 1 and "cannot write to standard output" in untold.stderr, untold
        nowhere = place.path("nowhere")
        assert "no history" in history("repair", directory=nowhere, expect=1)
        assert not os.path.exists(nowhere)

        # Refused as a whole, every wrong line named; of very many the first.
        bad = HEADER + "".join(all_rows[:2]) + all_rows[2].replace("6", "x", 1) + all_rows[3] + "a,b\n" + all_rows[4]
        refused = history("import", "binance:spot:OTHER:1m", "-", text=bad, expect=1)
        assert "-: line 4: open_ms" in refused and "-: line 6: open_ms" in refused, refused
        assert "2 lines are wrong: nothing was imported" in refused, refused
        hopeless = history("import", "binance:spot:OTHER:1m", "-", text=HEADER + "x\n" * 1000, expect=1)
        assert "1000 lines are wrong" in hopeless and hopeless.count("is no number") == 20, hopeless
        assert "no column" in history("import", "binance:spot:OTHER:1m", "-", text="a,b\n", expect=1)
        assert "is no series" in history("import", "BTCUSDT", "-", text=HEADER, expect=2)
        assert "no series" in history("export", "binance:spot:OTHER:1m", expect=1)

        # What no daemon reads is told, and imported all the same.
        for name, why in (("binance:spot:BTC/USDT:1m", "is no exchange's own symbol"), ("a:b:C:1m", "there is no a:b")):
            done = subprocess.run([ATCD, "history", "import", "--directory", place.path("unread"), name, "-"], input=HEADER,
                                  capture_output=True, text=True)
            assert done.returncode == 0 and f"no daemon reads {name}: " in done.stderr and why in done.stderr, done

        # A hole stays a hole.
        history("import", "binance:spot:HOLE:1m", "-", text=HEADER + all_rows[0] + all_rows[9])
        assert history("export", "binance:spot:HOLE:1m") == HEADER + all_rows[0] + all_rows[9]
        assert [line.split()[3] for line in history("list").splitlines() if "HOLE" in line] == ["1"]

        # Damage costs the block that it hit, and nothing else, before and after the repair.
        path = os.path.join(place.directory, "history", "blocks")
        with open(path, "r+b") as file:
            file.seek(os.path.getsize(path) // 2)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 1]))
        assert "is damaged" in history("check", expect=1)
        kept = history("export", SERIES, expect=1)
        kept = kept[:kept.rindex("\n", 0, kept.index("is damaged")) + 1]
        lost = set(all_rows) - set(kept.splitlines(keepends=True))
        assert 0 < len(lost) <= 512, len(lost)
        assert "are in" in history("repair")
        assert "0 problems" in history("check")
        assert history("export", SERIES) == kept
        assert os.path.isfile(os.path.join(place.directory, "history.damaged-2", "blocks"))
        # What is missing can be put in again.
        assert f"{len(lost)} bars imported" in history("import", SERIES, "-", text=HEADER + "".join(all_rows))
        assert history("export", SERIES) == HEADER + "".join(all_rows)
        assert history("export", "binance:spot:HOLE:1m") == HEADER + all_rows[0] + all_rows[9]

        # Not beside a daemon that writes there.
        daemon = place.daemon(harness.configuration("ws://127.0.0.1:9", "http://127.0.0.1:9", "unix:///no/such.sock",
                                                    place.directory, ["BTCUSDT"]))
        harness.wait_for(lambda: place.log_lines("daemon", "event=start"), "the daemon's start")
        assert "another process writes here" in history("repair", expect=1)
        daemon.terminate()
        assert daemon.wait(30) == 0
        print(f"{BARS} bars in and out; {len(lost)} lost to one flipped bit, and put back")
    return 0


if __name__ == "__main__":
    sys.exit(main())
