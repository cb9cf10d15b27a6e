"""A container with systemd as its first process, for units that are to be started for real: systemd-nspawn without
registering anywhere, with a network of its own. Needs root and a control group that may be written."""
import os
import shutil
import signal
import subprocess
import time

import redis

from harness import configuration, stream_key, wait_for

SKIPPED = 77
UNIFIED = ("/sys/fs/cgroup/unified", "/sys/fs/cgroup")


def why_not():
    """Why there can't be a container here; empty where there can."""
    if os.geteuid() != 0:
        return "systemd-nspawn needs root"
    if shutil.which("systemd-nspawn") is None or shutil.which("nsenter") is None:
        return "systemd-nspawn or nsenter is not installed"
    if not any(os.path.exists(f"{top}/cgroup.procs") for top in UNIFIED + ("/sys/fs/cgroup/systemd",)):
        return "no control groups are mounted"
    return ""


class CantStart(Exception):
    pass


class ControlGroup:
    """A control group of the container's own in every hierarchy that systemd uses: two containers in one would end each
    other's services."""

    def __init__(self, name):
        self.folders = []
        with open("/proc/self/cgroup") as file:
            for line in file:
                number, controllers, ours = line.rstrip("\n").split(":", 2)
                if controllers == "name=systemd":
                    top = "/sys/fs/cgroup/systemd"
                elif number == "0":
                    top = next(top for top in UNIFIED if os.path.exists(f"{top}/cgroup.procs"))
                else:
                    continue
                self.folders.append(f"{top}{ours.rstrip('/')}/{name}")
        for folder in self.folders:
            os.makedirs(folder)

    def enter(self):
        for folder in self.folders:
            with open(f"{folder}/cgroup.procs", "w") as file:
                file.write("0")

    def remove(self):
        for top in self.folders:
            for folder, _, _ in os.walk(top, topdown=False):
                os.rmdir(folder)


class Container:
    """Booted when constructed, powered off by stop(). `options` are systemd-nspawn's own, `arguments` systemd's."""

    def __init__(self, place, options, arguments=(), name="container"):
        self.log = place.path(f"{name}.log")
        name = f"atcd-{os.getpid()}-{name}"
        try:
            self.group = ControlGroup(name)
        except OSError as error:
            raise CantStart(str(error)) from error
        command = ["systemd-nspawn", "--register=no", "--keep-unit", "--private-network", "--console=pipe",
                   f"--machine={name}", "--boot", *options, "systemd.firstboot=off",
                   "systemd.unit=multi-user.target", *arguments]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True, preexec_fn=self.group.enter)
        try:
            self.leader = wait_for(self.find_leader, "the container's systemd runs")
            wait_for(self.booted, "the container has booted")
        except BaseException:
            self.stop()
            raise

    def find_leader(self):
        if self.process.poll() is not None:
            raise CantStart(open(self.log, errors="replace").read()[-2000:])
        children = subprocess.run(["pgrep", "--parent", str(self.process.pid), "--exact", "systemd"],
                                  capture_output=True, text=True).stdout.split()
        return int(children[0]) if children else None

    def booted(self):
        if self.process.poll() is not None:
            raise CantStart(open(self.log, errors="replace").read()[-2000:])
        return self.run("systemctl", "is-system-running", check=False).strip() in ("running", "degraded")

    def run(self, *command, check=True, **options):
        """Standard output of a command inside; its standard input is empty unless `input` is given."""
        options.setdefault("input", "")
        done = subprocess.run(["nsenter", "--target", str(self.leader), "--all", "--wd=/", "--", *command],
                              capture_output=True, text=True, **options)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def systemctl(self, *arguments, **options):
        return self.run("systemctl", "--no-pager", *arguments, **options)

    def show(self, unit, what):
        return self.systemctl("show", "--property", what, "--value", unit).strip()

    def journal(self, unit):
        return self.run("journalctl", "--no-pager", "--output", "cat", "--unit", unit)

    def stop(self):
        """One TERM powers it off; a second one, or KILL, would leave its processes behind."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.group.remove()


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)


def trial_units(place, password=""):
    """Units of a Redis and a simulated exchange beside the daemon, in the same network: a folder of their files. Redis'
    socket, in the folder `trial`, which is to be bound to /trial, is how the test looks into the container."""
    os.chmod(place.directory, 0o755)
    os.makedirs(place.path("trial"))
    os.chmod(place.path("trial"), 0o777)
    write(place.path("units/trial-redis.service"),
          "[Service]\nExecStart=/usr/bin/redis-server --bind 127.0.0.1 --port 6379 --save \"\" --unixsocket "
          f"/trial/redis.sock --unixsocketperm 777 --requirepass \"{password}\"\n")
    write(place.path("units/trial-simulator.service"),
          "[Service]\nExecStart=/usr/bin/atcd simulate --listen 127.0.0.1:9500 --symbols 4 --speed 240 --seed 9 "
          "--weight-limit 1000000\n")
    write(place.path("hosts"), "127.0.0.1 localhost exchange.test redis.test\n")
    return place.path("units")


def trial_configuration(symbols, instance="main", directory="/var/lib/atcd", http="off"):
    # Names, for the sandbox must let the daemon resolve them.
    text = configuration("ws://exchange.test:9500", "http://exchange.test:9500", "redis://redis.test:6379", directory, symbols,
                         http=http)
    return f'instance = "{instance}"\n{text}'


def trial_redis(place, password=None):
    """A client of the container's Redis, once it answers."""
    client = redis.Redis(unix_socket_path=place.path("trial/redis.sock"), password=password, decode_responses=True)

    def answers():
        try:
            return client.ping()
        except redis.exceptions.ConnectionError:
            return False

    wait_for(answers, "redis-server answers in the container")
    return client


def check_contiguous(client, symbol):
    """Every bar once and in order."""
    times = [int(entry.split("-")[0]) for entry, _ in client.xrange(stream_key(symbol))]
    assert times == list(range(times[0], times[0] + 60_000 * len(times), 60_000)), f"{symbol}: {times}"
    print(f"{symbol}: {len(times)} bars once and in order")


def wait_in(container, unit, condition, what):
    """As wait_for; a failure shows the unit's status and journal."""
    try:
        return wait_for(condition, what)
    except AssertionError:
        print(container.systemctl("status", unit, check=False), container.journal(unit)[-6000:])
        raise


def seconds_since(began):
    return f"{time.monotonic() - began:.0f} s"
