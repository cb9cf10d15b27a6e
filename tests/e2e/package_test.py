"""The Debian package, from what was built, in a clean Debian with systemd: installed and not started, run, upgraded and
rolled back under load without a missing bar, removed, purged. Debian itself comes from the configured mirror once and is
kept in ATCD_DEBIAN_CACHE (~/.cache/atcd-debian). The release before is what was built under a lower version; or the
package ATCD_RELEASE_BEFORE."""
import ctypes
import glob
import hashlib
import os
import re
import shutil
import struct
import subprocess
import sys
import time

from container import (SKIPPED, CantStart, Container, check_contiguous, seconds_since, trial_configuration,
                       trial_redis, trial_units, wait_in, why_not)
from harness import ATCD, Workplace, stream_key

SYMBOLS = ["BTCUSDT", "ETHUSDT", "BNBUSDT"]
CACHE = os.environ.get("ATCD_DEBIAN_CACHE", os.path.expanduser("~/.cache/atcd-debian"))


def output(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


def build(place):
    """The package of what was built. In the folder debs: next.deb, the same with a higher version, and before.deb, the
    release before it."""
    os.makedirs(place.path("debs"))
    output("cpack", "--config", os.path.join(os.path.dirname(ATCD), "CPackConfig.cmake"), "-B", place.path("cpack"))
    package = glob.glob(place.path("cpack/*.deb"))[0]
    output("dpkg-deb", "--raw-extract", package, place.path("next"))
    control = place.path("next/DEBIAN/control")
    text = open(control).read()
    with open(control, "w") as file:
        file.write(re.sub("(?m)^Version: .*", "Version: 99.0-1", text))
    output("dpkg-deb", "-Zgzip", "--build", "--root-owner-group", place.path("next"), place.path("debs/next.deb"))
    shutil.copy(os.environ.get("ATCD_RELEASE_BEFORE", package), place.path("debs/before.deb"))
    return package


def check_form(package):
    print(output("dpkg-deb", "--field", package, "Version", "Depends"), end="")
    if shutil.which("lintian") is None:
        print("lintian is not installed")
        return
    done = subprocess.run(["lintian", "--fail-on", "error", "--allow-root", package], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout, end="")


def debian(package):
    """The folder of a Debian with what the package depends on. Empty where it is not there and can't be had."""
    release = dict(line.rstrip().split("=", 1) for line in open("/etc/os-release") if "=" in line)
    suite = release["VERSION_CODENAME"]
    depends = output("dpkg-deb", "--field", package, "Depends")
    names = sorted({re.split(r"[ (|]", each.strip())[0] for each in depends.split(",")} | {"redis-server", "systemd"})
    folder = os.path.join(CACHE, f"{suite}-{hashlib.sha256(' '.join(names).encode()).hexdigest()[:12]}")
    if os.path.exists(folder):
        return folder
    sites = output("apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages", "Origin: Debian",
                   f"Codename: {suite}", "Component: main").split()
    os.makedirs(CACHE, exist_ok=True)
    fresh = f"{folder}.{os.getpid()}"
    done = subprocess.run(["mmdebstrap", "--variant=minbase", "--quiet", "--dpkgopt=force-unsafe-io",
                           f"--include={','.join(names)}", suite, fresh, *sites[:1]], capture_output=True, text=True)
    if done.returncode != 0:
        print(f"{' '.join(sites[:1])}: {done.stderr[-1000:]}")
        shutil.rmtree(fresh, ignore_errors=True)
        return ""
    try:
        os.rename(fresh, folder)
    except OSError:  # another test was quicker
        shutil.rmtree(fresh)
    return folder


def snapshot_of_a_later_version(container):
    """As if the release that is being rolled back from wrote its snapshots in another form."""
    path = os.path.join(f"/proc/{container.leader}/root", "var/lib/private/atcd/history/snapshot")
    with open(path, "r+b") as file:
        header = bytearray(file.read(32))
        struct.pack_into("<I", header, 8, 99)
        xxhash = ctypes.CDLL("libxxhash.so.0").XXH3_64bits_withSeed
        xxhash.restype = ctypes.c_uint64
        checksum = xxhash(bytes(header[8:]), ctypes.c_size_t(24), ctypes.c_uint64(0)) & 0xffffffff
        struct.pack_into("<I", header, 4, checksum)
        file.seek(0)
        file.write(header)


def trial(place, container):
    began = time.monotonic()

    def dpkg(*arguments):
        return container.run("dpkg", *arguments)

    def version():
        return container.run("dpkg-query", "--show", "--showformat", "${Version}", "atcd")

    def goes_on(what):
        before = {symbol: client.xlen(stream_key(symbol)) for symbol in SYMBOLS}
        wait_in(container, "atcd",
                lambda: all(client.xlen(stream_key(symbol)) > before[symbol] + 3 for symbol in SYMBOLS), what)

    def started_anew(since):
        process = container.show("atcd", "MainPID")
        return container.show("atcd", "ActiveState") == "active" and process not in ("0", since) and process

    dpkg("--install", "/debs/before.deb")
    first_version = version()
    assert container.show("atcd", "ActiveState") == "inactive", "installing does not start it"
    assert container.systemctl("is-enabled", "atcd", check=False).strip() == "disabled"
    container.run("atcd", "check", "--config", "/etc/atcd/atcd.toml")
    for name in ("/usr/share/atcd/signal.schema.json", "/usr/share/doc/atcd/redis.md",
                 "/usr/share/doc/atcd/examples/redis-users.txt"):
        container.run("test", "-s", name)
    print(f"{seconds_since(began)}: installed, not started")

    ours = trial_configuration(SYMBOLS)
    container.run("tee", "/etc/atcd/atcd.toml", input=ours)
    container.systemctl("start", "trial-redis", "trial-simulator")
    client = trial_redis(place)
    container.systemctl("enable", "--now", "atcd")
    wait_in(container, "atcd", lambda: all(client.xlen(stream_key(symbol)) > 3 for symbol in SYMBOLS), "first signals")
    # One more, started but not enabled.
    container.run("tee", "/etc/atcd/second.toml", input=trial_configuration(["SOLUSDT"], "second", "/var/lib/atcd-second"))
    container.systemctl("start", "atcd@second")
    second = container.show("atcd@second", "MainPID")
    print(f"{seconds_since(began)}: runs")

    before = container.show("atcd", "MainPID")
    dpkg("--install", "/debs/next.deb")
    assert version() == "99.0-1"
    before = wait_in(container, "atcd", lambda: started_anew(before), "the upgrade starts what ran anew")
    assert container.show("atcd@second", "MainPID") not in ("0", second), "and every instance that ran"
    assert container.run("cat", "/etc/atcd/atcd.toml") == ours, "the operator's configuration is kept"
    goes_on("signals go on after the upgrade")
    print(f"{seconds_since(began)}: upgraded")

    dpkg("--install", "/debs/before.deb")
    assert version() == first_version
    wait_in(container, "atcd", lambda: started_anew(before), "rolling back starts what ran anew")
    goes_on("signals go on after rolling back")
    print(f"{seconds_since(began)}: rolled back")

    dpkg("--install", "/debs/next.deb")
    goes_on("signals go on after the second upgrade")
    container.systemctl("stop", "atcd")
    snapshot_of_a_later_version(container)
    dpkg("--install", "/debs/before.deb")
    assert container.show("atcd", "ActiveState") == "inactive", "what does not run is not started by an upgrade"
    container.systemctl("start", "atcd")
    goes_on("signals go on with a snapshot that this version does not know")
    wait_in(container, "atcd", lambda: "version 99 is not" in container.journal("atcd"), "the log says so")
    print(f"{seconds_since(began)}: rolled back from a release with other snapshots")

    # While it runs: it has what is newer than the verification asks for.
    print(container.run("atcd", "verify", "--config", "/etc/atcd/atcd.toml", "--last", "100000"), end="")
    dpkg("--remove", "atcd")
    for unit in ("atcd", "atcd@second"):
        assert container.show(unit, "ActiveState") == "inactive", unit
    assert "history" in container.run("ls", "/var/lib/atcd/"), "removing keeps the bars"
    assert container.run("cat", "/etc/atcd/atcd.toml") == ours
    for symbol in SYMBOLS:
        check_contiguous(client, symbol)

    told = dpkg("--purge", "atcd")
    for line in ("removing the bars and snapshots in /var/lib/atcd\n",
                 "removing the bars and snapshots in /var/lib/atcd-second\n", "/etc/atcd/second.toml is left"):
        assert line in told, told
    left = container.run("sh", "-c", "ls -d /etc/atcd/* /var/lib/atcd* /var/lib/private/atcd* /lib/systemd/system/atcd* "
                                     "/etc/systemd/system/*/atcd* /usr/bin/atcd 2>/dev/null", check=False)
    assert left == "/etc/atcd/second.toml\n", f"left after purging: {left}"
    print(f"{seconds_since(began)}: removed, purged")


def main():
    for reason in (why_not(), "" if shutil.which("mmdebstrap") else "mmdebstrap is not installed"):
        if reason:
            print(f"SKIPPED: {reason}")
            return SKIPPED
    with Workplace() as place:
        package = build(place)
        check_form(package)
        tree = debian(package)
        if not tree:
            print("SKIPPED: a clean Debian can't be had from the mirror")
            return SKIPPED
        units = trial_units(place)
        options = [f"--directory={tree}", "--volatile=overlay", f"--bind-ro={place.path('debs')}:/debs",
                   f"--bind={place.path('trial')}:/trial", f"--bind-ro={place.path('hosts')}:/etc/hosts"]
        options += [f"--bind-ro={units}/{unit}:/etc/systemd/system/{unit}" for unit in os.listdir(units)]
        try:
            container = Container(place, options, arguments=["systemd.mask=redis-server.service"])
        except CantStart as error:
            print(f"SKIPPED: no container starts here: {error}")
            return SKIPPED
        try:
            trial(place, container)
        finally:
            container.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
