"""The same as end_to_end_test.py with the simulated Bybit."""
import sys

import end_to_end_test
import market_check

if __name__ == "__main__":
    market_check.EXCHANGE = "bybit"
    sys.exit(end_to_end_test.main())
