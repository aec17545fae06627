"""Record as many events as the argument says, in one process."""

import sys

from system_usage import tracker

for number in range(int(sys.argv[1])):
    tracker.track(f"command {number}")
