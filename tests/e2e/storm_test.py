"""Everything goes wrong at once: for ATCD_STORM_S seconds (25 where that is not set) faults of the exchange, of Redis and of
two daemons that publish as one, drawn from ATCD_SEED, each without waiting for what the one before has done. Then every
closed bar is in its stream once, in order, with the bits of offline computing, both daemons are live, and both verify."""
import os
import random
import shutil
import signal
import sys
import time

import redis

import market_check
from harness import Workplace, entries, wait_for
from market_check import PROFILES, SYMBOLS, check_stream, fewest_bars, stream_key, verify

SECONDS = float(os.environ.get("ATCD_STORM_S", "25"))
RANDOM = random.Random(int(os.environ.get("ATCD_SEED", "20261128")))
GONE = (redis.exceptions.ConnectionError, redis.exceptions.BusyLoadingError, redis.exceptions.TimeoutError)


def up_to(most):
    return RANDOM.randint(1, most)


def waits_for(number, pid):
    """Or has held that signal back until it does; before, one would end the process."""
    with open(f"/proc/{pid}/status") as file:
        masks = {line.split()[0]: int(line.split()[1], 16) for line in file if line.startswith(("SigBlk:", "SigCgt:"))}
    return (masks["SigBlk:"] | masks["SigCgt:"]) & 1 << (number - 1)


class Storm:
    """The faults are its methods; each ends what it began, or it ends by itself."""

    def __init__(self, place):
        self.place = place
        self.start_redis()
        self.simulator = place.simulator("--symbols", "3", "--speed", "60", "--seed", "71", "--weight-limit", "1000000",
                                         "--message-limit", "0")
        self.symbols = {"a": SYMBOLS, "b": SYMBOLS}
        self.running = {name: place.daemon(self.configuration(name), name=name) for name in self.symbols}
        self.kinds = [self.kill, self.end, self.stand_still, self.reload, self.lose_its_state, self.redis_killed,
                      self.redis_hangs, self.redis_full, self.redis_without_the_function, self.redis_cuts,
                      self.redis_a_replica, self.refused] + [self.exchange] * 9

    def configuration(self, name):
        config = market_check.configuration(self.simulator, self.client, self.place.path(name))
        wanted = ", ".join(f'"{symbol}"' for symbol in self.symbols[name])
        return f'instance = "{name}"\n' + config.replace(", ".join(f'"{symbol}"' for symbol in SYMBOLS), wanted)

    def start_redis(self):
        self.client = self.place.redis(extra=("--appendonly", "yes", "--appendfsync", "everysec"))
        self.redis = self.place.processes[-1][1]

    # ---- of the daemons

    def kill(self):
        name = RANDOM.choice("ab")
        self.running[name].kill()
        self.running[name].wait()
        time.sleep(3 * RANDOM.random())  # the other one is alone meanwhile
        self.running[name] = self.place.daemon(self.configuration(name), name=name)

    def end(self):
        name = RANDOM.choice("ab")
        # One that was started a moment ago has begun nothing yet that it could end.
        allowed = (0,) if waits_for(signal.SIGTERM, self.running[name].pid) else (0, -signal.SIGTERM)
        self.running[name].terminate()
        assert self.running[name].wait(90) in allowed
        self.running[name] = self.place.daemon(self.configuration(name), name=name)

    def stand_still(self):
        process = self.running[RANDOM.choice("ab")]
        process.send_signal(signal.SIGSTOP)
        time.sleep(6 * RANDOM.random())
        process.send_signal(signal.SIGCONT)

    def reload(self):
        self.reload_with(RANDOM.choice("ab"), RANDOM.sample(SYMBOLS, RANDOM.randint(2, 3)))

    def reload_with(self, name, symbols):
        self.symbols[name] = symbols
        with open(self.place.path(f"{name}.toml"), "w") as file:
            file.write(self.configuration(name))
        wait_for(lambda: waits_for(signal.SIGHUP, self.running[name].pid), "it has come so far that it can be asked")
        self.running[name].send_signal(signal.SIGHUP)

    def lose_its_state(self):
        name = RANDOM.choice("ab")
        self.running[name].kill()
        self.running[name].wait()
        shutil.rmtree(self.place.path(name), ignore_errors=True)
        self.running[name] = self.place.daemon(self.configuration(name), name=name)

    # ---- of Redis

    def redis_killed(self):
        self.redis.kill()
        self.redis.wait()
        time.sleep(3 * RANDOM.random())
        self.start_redis()

    def redis_hangs(self):
        self.redis.send_signal(signal.SIGSTOP)
        time.sleep(RANDOM.choice([0.3, 1, 7]))  # a command may take 5 s
        self.redis.send_signal(signal.SIGCONT)

    def redis_full(self):
        self.client.config_set("maxmemory", "1")
        time.sleep(2 * RANDOM.random())
        self.client.config_set("maxmemory", "0")

    def redis_without_the_function(self):
        self.client.execute_command("FUNCTION", "FLUSH")

    def redis_cuts(self):
        self.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def redis_a_replica(self):
        self.client.execute_command("REPLICAOF", "127.0.0.1", "1")
        time.sleep(2 * RANDOM.random())
        self.client.execute_command("REPLICAOF", "NO", "ONE")

    # ---- of the exchange

    def refused(self):
        self.simulator.control(f"refuse?symbol={RANDOM.choice(SYMBOLS)}")
        self.simulator.control("cut?how=close")
        time.sleep(4 * RANDOM.random())
        self.simulator.control("allow")

    def exchange(self):
        frames = f"symbol={RANDOM.choice(SYMBOLS)}&count={up_to(4)}"
        rest = RANDOM.choice(["500", "429", "418", "403", "empty", "truncated", "html", "cut", "hang", "stale", "halved"])
        self.simulator.control(RANDOM.choice([
            "cut?how=close", "cut?how=reset", "cut?how=shutdown", f"stall?ms={up_to(4000)}", f"silence?ms={up_to(6000)}",
            "silence?ms=9000&pings=no", f"turn_away?ms={up_to(3000)}&how={RANDOM.choice(['503', 'reset', 'hang'])}",
            f"duplicate?{frames}", f"truncate?{frames}", f"corrupt?{frames}", f"corrupt?{frames}&byte=255", f"oversize?{frames}",
            f"withhold_closing?{frames}", f"delay_closing?{frames}&ms={RANDOM.choice([5000, 20_000, 90_000])}",
            f"differ_closing?{frames}", "early_data?count=2"] + [f"rest?how={rest}&count={up_to(4)}&seconds={up_to(2)}"] * 5))

    # ----

    def run(self):
        end = time.monotonic() + SECONDS
        happened = {}
        while time.monotonic() < end:
            kind = RANDOM.choice(self.kinds)
            happened[kind.__name__] = happened.get(kind.__name__, 0) + 1
            print(f"{time.strftime('%H:%M:%S', time.gmtime())} {kind.__name__}", flush=True)
            try:
                kind()
            except GONE:
                pass  # it was cut off itself
            time.sleep(RANDOM.choice([0, 0.1, 0.5, 2]))
            for name, process in self.running.items():
                assert process.poll() is None, f"{name} ended with {process.poll()}"
        return happened

    def calm(self):
        """What was asked of the simulator and has not happened must not happen to who checks."""
        self.client.config_set("maxmemory", "0")
        self.client.execute_command("REPLICAOF", "NO", "ONE")
        for name in self.running:
            self.reload_with(name, SYMBOLS)

        def used_up():
            try:
                self.simulator.request("GET", "/api/v3/time")
            except (AssertionError, OSError, ValueError):
                pass
            return self.simulator.status()["faults_due"] == 0

        wait_for(used_up, "every fault has happened")

    def live(self, name):
        states = self.client.hgetall(f"atc:1:state:{name}")
        return len(states) == len(SYMBOLS) * len(PROFILES) and all('"LIVE"' in state for state in states.values())


def check_group(client, profile):
    """Every entry of the group's streams once, each series' in order."""
    group = stream_key("", profile).removesuffix(":stream:")
    told = [(fields["symbol"], fields["close_ms"], fields["rev"]) for _, fields in entries(client, f"{group}:all")]
    for symbol in SYMBOLS:
        own = [(symbol, fields["close_ms"], fields["rev"]) for _, fields in entries(client, stream_key(symbol, profile))]
        assert [entry for entry in told if entry[0] == symbol] == own, f"{group}:all differs from {symbol}'s stream"


def main():
    with Workplace() as place:
        storm = Storm(place)
        wait_for(lambda: fewest_bars(storm.client) >= 2, "the first signals of every series")
        happened = storm.run()
        storm.calm()
        wait_for(lambda: storm.live("a") and storm.live("b"), "both are live")
        reached = fewest_bars(storm.client)
        wait_for(lambda: fewest_bars(storm.client) >= reached + 3, "signals go on")
        for process in storm.running.values():
            process.terminate()
        for process in storm.running.values():
            assert process.wait(90) == 0
        for profile in PROFILES:
            for symbol in SYMBOLS:
                bars, _ = check_stream(storm.simulator, storm.client, symbol, profile)
            check_group(storm.client, profile)
        for name in storm.running:
            verified = verify(place.path(f"{name}.toml"))
            assert verified.returncode == 0, verified
            assert not place.log_lines(name, "event=conflict"), place.log_lines(name, "event=conflict")
        print(f"{sum(happened.values())} faults ({', '.join(f'{kind} {count}' for kind, count in sorted(happened.items()))}): "
              f"{bars} bars x {len(SYMBOLS) * len(PROFILES)} series once, in order, equal bits")
    return 0


if __name__ == "__main__":
    sys.exit(main())
