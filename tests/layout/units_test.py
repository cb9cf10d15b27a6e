"""The units: how exposed they are by systemd's own measure, that it knows every setting, and that the template differs
from the unit in names only."""
import os
import shutil
import subprocess
import sys
import tempfile

DEPLOY = os.path.join(sys.argv[1], "deploy")
# Exposure times ten, which systemd-analyze rounds as it shows it.
MOST, MOST_WITH_CUDA = 12, 13


def settings(name):
    with open(os.path.join(DEPLOY, name)) as file:
        return [line for line in file.read().splitlines() if not line.startswith("#")]


def analyze(unit, most, *options):
    done = subprocess.run(["systemd-analyze", "security", "--no-pager", "--offline=true", f"--threshold={most}", *options,
                           unit], capture_output=True, text=True)
    assert done.returncode == 0, f"{unit} is exposed by more than {most / 10}:\n{done.stdout}{done.stderr}"
    print(done.stdout.splitlines()[-1])


def main():
    if shutil.which("systemd-analyze") is None:
        print("SKIPPED: systemd-analyze is not installed")
        return 77
    plain, template = settings("atcd.service"), settings("atcd@.service")
    as_plain = [line.replace(" (%i)", "").replace("/%i.toml", "/atcd.toml").replace("atcd-%i", "atcd") for line in template]
    assert as_plain == plain, f"they differ in more than names: {set(plain) ^ set(as_plain)}"

    with tempfile.TemporaryDirectory() as tree:
        units = os.path.join(tree, "etc/systemd/system")
        os.makedirs(os.path.join(units, "atcd@.service.d"))
        for unit in ("atcd.service", "atcd@.service"):
            shutil.copy(os.path.join(DEPLOY, unit), units)
        analyze("atcd.service", MOST, f"--root={tree}")
        analyze("atcd@second.service", MOST, f"--root={tree}")
        shutil.copy(os.path.join(DEPLOY, "atcd-cuda.conf"), os.path.join(units, "atcd@.service.d"))
        analyze("atcd@second.service", MOST_WITH_CUDA, f"--root={tree}")
        # What is not in this tree it complains of too.
        told = subprocess.run(["systemd-analyze", "verify", f"--root={tree}", "atcd.service", "atcd@second.service"],
                              capture_output=True, text=True).stderr.splitlines()
        faults = [line for line in told if ".service:" in line and "not found" not in line and "not executable" not in line]
        assert not faults, "\n".join(faults)
    return 0


if __name__ == "__main__":
    sys.exit(main())
