"""Redis is killed while its disk is slow, hangs, is full, forgets everything and comes back older: ATCD_KILLS faults (20
where that is not set), while bars close four times a second. Every closed bar is in its stream once, in order, with the
bits of offline computing; and who reads on from the last ID that it has misses none and sees none twice."""
import os
import random
import shutil
import signal
import sys
import threading
import time

import redis

from harness import Workplace, wait_for
from market_check import PROFILES, SYMBOLS, check_entries, check_stream, configuration, stream_key

FAULTS = int(os.environ.get("ATCD_KILLS", "20"))
KEYS = [stream_key(symbol, profile) for symbol in SYMBOLS for profile in PROFILES]
AWAY = (redis.exceptions.ConnectionError, redis.exceptions.BusyLoadingError, redis.exceptions.TimeoutError)


class Reader(threading.Thread):
    """A bot that follows every stream by the last ID it has read, whatever becomes of Redis."""

    def __init__(self, socket):
        super().__init__(daemon=True)
        self.client = redis.Redis(unix_socket_path=socket, decode_responses=True, socket_timeout=10)
        self.read = {key: [] for key in KEYS}
        self.stopped = False

    def run(self):
        while not self.stopped:
            last = {key: entries[-1][0] if entries else "0" for key, entries in self.read.items()}
            try:
                for key, entries in self.client.xread(last, block=200):
                    self.read[key] += entries
            except AWAY:
                time.sleep(0.05)

    def has_all(self, client):
        return all(entries and entries[-1][0] == client.xrevrange(key, count=1)[0][0] for key, entries in self.read.items())


class Faults:
    """The faults: each a method that makes it happen and ends it. `keys` are the streams that grow meanwhile."""

    def __init__(self, place, keys=KEYS):
        self.place, self.keys = place, keys
        self.environment = {**os.environ, "LD_PRELOAD": os.environ["ATCD_BAD_DISK_LIBRARY"], "ATCD_BAD_DISK": place.directory}
        self.start()
        self.kinds = [self.killed, self.killed_with_a_slow_disk, self.hangs, self.memory_full, self.disk_full, self.forgets,
                      self.comes_back_older]

    def fewest_bars(self):
        return min(self.client.xlen(key) for key in self.keys)

    def start(self):
        self.client = self.place.redis(extra=("--appendonly", "yes", "--appendfsync", "everysec"), env=self.environment)
        self.process = self.place.processes[-1][1]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def lines(self, text):
        return len(self.place.log_lines("daemon", text))

    def until_said(self, text, before):
        wait_for(lambda: self.lines(text) > before, f"another {text}")

    def killed(self):
        self.kill()
        self.start()

    def killed_with_a_slow_disk(self):
        slow = self.place.path("slow")
        open(slow, "w").close()
        time.sleep(3 * random.random())  # a random moment: what Redis acknowledges waits for the sync meanwhile
        self.kill()
        os.unlink(slow)
        self.start()

    def hangs(self):
        before = self.lines("event=redis_disconnected")
        self.process.send_signal(signal.SIGSTOP)
        if random.random() < 0.5:
            self.until_said("event=redis_disconnected", before)
        else:
            time.sleep(random.random())
        self.process.send_signal(signal.SIGCONT)

    def memory_full(self):
        before = self.lines("event=redis_refused")
        self.client.config_set("maxmemory", "1")
        self.until_said("event=redis_refused", before)
        self.client.config_set("maxmemory", "0")

    def disk_full(self):
        full = self.place.path("full")
        before = self.lines("event=redis_refused")
        open(full, "w").close()
        self.until_said("event=redis_refused", before)
        os.unlink(full)

    def forgets(self):
        # What is flushed before anybody has read it nobody can read: the reader has all when it happens.
        self.daemon.send_signal(signal.SIGSTOP)
        wait_for(lambda: self.reader.has_all(self.client), "all is read")
        self.client.flushall()
        self.daemon.send_signal(signal.SIGCONT)
        wait_for(lambda: all(self.client.exists(key) for key in self.keys), "every stream has begun anew")

    def comes_back_older(self):
        now, old = self.place.path("appendonlydir"), self.place.path("old")
        shutil.copytree(now, old)
        bars = self.fewest_bars()
        wait_for(lambda: self.fewest_bars() > bars + 4, "signals that the copy does not have")
        self.kill()
        shutil.rmtree(now)
        os.rename(old, now)
        self.start()


def main():
    random.seed(20261127)
    with Workplace() as place:
        faults = Faults(place)
        simulator = place.simulator("--symbols", "3", "--speed", "240", "--seed", "41", "--weight-limit", "1000000")
        daemon = place.daemon(configuration(simulator, faults.client, place.directory))
        wait_for(lambda: faults.fewest_bars() >= 5, "the first signals of every series")
        reader = Reader(place.path("redis.sock"))
        reader.start()
        faults.daemon, faults.reader = daemon, reader
        happened = {}
        for number in range(FAULTS):
            fault = faults.kinds[number] if number < len(faults.kinds) else random.choice(faults.kinds)
            happened[fault.__name__] = happened.get(fault.__name__, 0) + 1
            fault()
            reached = {key: len(entries) for key, entries in reader.read.items()}
            wait_for(lambda: all(len(entries) > reached[key] + 1 for key, entries in reader.read.items()),
                     f"signals go on after fault {number}, {fault.__name__}")
        daemon.terminate()
        assert daemon.wait(60) == 0
        wait_for(lambda: reader.has_all(faults.client), "all is read")
        reader.stopped = True
        reader.join()
        assert not place.log_lines("daemon", "event=conflict"), place.log_lines("daemon", "event=conflict")
        for symbol in SYMBOLS:
            for profile in PROFILES:
                check_stream(simulator, faults.client, symbol, profile)
                read, _ = check_entries(simulator, reader.read[stream_key(symbol, profile)], symbol, profile)
        print(f"{FAULTS} faults ({', '.join(f'{kind} {count}' for kind, count in sorted(happened.items()))}): {read} bars x "
              f"{len(KEYS)} series read once, in order, equal bits")
    return 0


if __name__ == "__main__":
    sys.exit(main())
