"""Over TLS: signals arrive where the certificate is verified against the given CA, and none where it is not."""
import os
import subprocess
import sys

import harness
from harness import Workplace, wait_for


def main():
    with Workplace() as place:
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tls_certificates.sh")
        subprocess.run(["bash", script, place.directory], check=True)
        client = place.redis()
        simulator = place.simulator("--symbols", "1", "--speed", "240", "--seed", "5", "--weight-limit", "1000000",
                                    "--tls-listen", "127.0.0.1:0", "--certificate", place.path("server.pem"),
                                    "--key", place.path("server.key"))
        stream = "atc:1:{binance:spot:1m:default}:stream:BTCUSDT"

        def configuration(ca_file):
            return harness.configuration(simulator.urls["wss_url"], simulator.urls["https_url"], client.url,
                                         place.directory, ["BTCUSDT"], feed=f'ca_file = "{place.path(ca_file)}"')

        stranger = place.daemon(configuration("stranger.pem"), name="stranger")
        wait_for(lambda: len(place.log_lines("stranger", "certificate")) >= 2, "the certificate is refused, and said so")
        assert client.xlen(stream) == 0
        stranger.terminate()
        assert stranger.wait(30) == 0

        daemon = place.daemon(configuration("ca.pem"))
        wait_for(lambda: client.xlen(stream) > 5, "signals over TLS")
        daemon.terminate()
        assert daemon.wait(30) == 0
        print(f"{client.xlen(stream)} signals over TLS; a stranger's CA refused {simulator.urls['wss_url']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
