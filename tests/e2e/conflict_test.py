"""Redis holds another signal than ours. Where the bar itself differs the exchange decides, however often it has to be asked,
and no later bar waits long for it; where only older bars differed, as between twins of which one began after a late correction,
what was published stands: no bar is told twice."""
import http.client
import os
import sys

import harness
from alert_rules import Scrape
from harness import Workplace, wait_for

SYMBOL = "BTCUSDT"
KEY = f"atc:1:{{binance:spot:1m:default}}:stream:{SYMBOL}"
MINUTE_MS = 60_000


class Twin:
    """A daemon with a state directory of its own."""

    def __init__(self, place, simulator, client, name):
        self.place, self.name = place, name
        os.mkdir(place.path(f"state-{name}"))
        config = harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.path(f"state-{name}"), [SYMBOL],
                                       http="127.0.0.1:0")
        self.process = place.daemon(f"instance = \"{name}\"\n" + config, name=name)
        lines = wait_for(lambda: [line for line in place.log_lines(name, "event=http_listening") if line.endswith("\n")], "it listens")
        self.address = lines[0].split("address=")[1].strip()
        wait_for(lambda: any('"LIVE"' in state for state in client.hvals(f"atc:1:state:{name}")), "it is live")

    def scrape(self):
        connection = http.client.HTTPConnection(self.address, timeout=harness.DEADLINE_S)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return Scrape(text)

    def count(self, metric):
        return int(self.scrape()[metric])

    def differences(self):
        return self.count('atcd_publish_total{result="different"}')

    def answers(self):
        scrape = self.scrape()
        return sum(int(scrape[f'atcd_publish_total{{result="{result}"}}']) for result in ("added", "same", "different"))

    def conflicts(self):
        return self.count("atcd_publish_conflicts_total")

    def repaired(self):
        return self.count("atcd_publish_repaired_total")

    def end(self):
        self.process.terminate()
        assert self.process.wait(60) == 0


def head(client):
    return client.xrevrange(KEY, count=1)[0]


def close_a_minute(simulator, client, deadline_s=harness.DEADLINE_S):
    """The exchange's clock stands still but for this."""
    before = int(head(client)[1]["close_ms"])
    simulator.control(f"advance?ms={MINUTE_MS}")
    wait_for(lambda: int(head(client)[1]["close_ms"]) == before + MINUTE_MS, "the minute's signal", deadline_s)


def tamper(client, **changes):
    """The newest entry says something else; the daemons connect anew and read it. Returns how it was."""
    (before, _), (last, fields) = client.xrange(KEY)[-2:]
    client.xdel(KEY, last)
    client.execute_command("XSETID", KEY, before)
    client.xadd(KEY, {**fields, **changes}, id=last)
    client.client_kill_filter(_type="normal", skipme=True)
    return last, fields


def is_put_right(client, daemon, last, fields, repaired):
    wait_for(lambda: daemon.repaired() == repaired, "the exchange has told")
    wait_for(lambda: head(client)[1]["close"] == fields["close"], "the right one is there again")
    assert head(client)[0] == last.replace("-0", "-1"), head(client)


def the_bar_differs(simulator, client, daemon):
    last, fields = tamper(client, close="77", average="0.123")
    is_put_right(client, daemon, last, fields, 1)
    assert daemon.conflicts() == 1 and daemon.differences() == 1
    close_a_minute(simulator, client)


def the_exchange_fails_at_first(place, simulator, client, daemon):
    for number, how in enumerate(("500", "empty", "stale", "unsettled", "halved"), start=2):
        simulator.control(f"rest?how={how}&count=1")
        last, fields = tamper(client, close="77")
        is_put_right(client, daemon, last, fields, number)
        close_a_minute(simulator, client)
    assert daemon.conflicts() == 6
    assert not place.log_lines("a", "our bar was wrong")


def the_signal_alone_differs(simulator, client, daemon):
    last, _ = tamper(client, average="0.123")
    wait_for(lambda: daemon.conflicts() == 7, "it is counted")
    close_a_minute(simulator, client)
    assert client.xrange(KEY, last, last)[0][1]["average"] == "0.123" and not client.xrange(KEY, last.replace("-0", "-1"), last[:-1] + "9")
    assert daemon.repaired() == 6, "the exchange had nothing to tell"


def twins_disagree(place, simulator, client, a):
    for _ in range(5):
        close_a_minute(simulator, client)
    simulator.control(f"correct?symbol={SYMBOL}&bars_ago=4")
    wait_for(lambda: [fields for _, fields in client.xrange("atc:1:events") if fields["event"] == "late_correction"],
             "the first keeps what it had published")
    b = Twin(place, simulator, client, "b")
    wait_for(lambda: b.conflicts() == 1, "the second began with the new telling")
    from_entry = client.xlen(KEY)
    different, answered = (sum(read(twin) for twin in (a, b)) for read in (Twin.differences, Twin.answers))
    for bar in range(1, 11):
        close_a_minute(simulator, client)
        wait_for(lambda: a.answers() + b.answers() >= answered + 2 * bar, f"both have spoken of bar {bar}")
    told = client.xrange(KEY)[from_entry:]
    assert len(told) == 10 and all(fields["rev"] == "0" for _, fields in told), [entry for entry, _ in told]
    assert a.differences() + b.differences() >= different + 5, "they agree: nothing was tested"
    assert a.conflicts() <= 8 and b.conflicts() == 1 and b.repaired() == 0, "told once a run, not with each bar"
    b.end()
    print(f"twins: {len(told)} bars, each told once, by {sorted({fields['instance'] for _, fields in told})}")


def the_exchange_shuts_us_out(place, simulator, client, daemon):
    simulator.control("rest?how=418&seconds=3600&count=1")
    repaired = daemon.repaired()
    tamper(client, close="77")
    wait_for(lambda: place.log_lines("a", "simulated 418"), "the exchange shuts us out")
    close_a_minute(simulator, client)
    tamper(client, close="77")
    close_a_minute(simulator, client)
    assert place.log_lines("a", "has not answered yet")
    assert daemon.repaired() == repaired, "nothing was settled"


def main():
    with Workplace() as place:
        client = place.redis()
        # The next anchor is most of an hour away. A bar has not settled just after its end.
        simulator = place.simulator("--symbols", SYMBOL, "--speed", "0", "--start", "2026-11-24T00:20:01Z", "--seed", "7",
                                    "--weight-limit", "1000000")
        a = Twin(place, simulator, client, "a")
        wait_for(lambda: client.xlen(KEY) > 0, "the first signal")
        for _ in range(3):
            close_a_minute(simulator, client)
        the_bar_differs(simulator, client, a)
        the_exchange_fails_at_first(place, simulator, client, a)
        the_signal_alone_differs(simulator, client, a)
        twins_disagree(place, simulator, client, a)
        the_exchange_shuts_us_out(place, simulator, client, a)
        a.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
