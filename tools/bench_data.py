"""Rate of training parts on one core: program, surface points, the farthest 256 of them, token ids.

python tools/bench_data.py [COUNT]
"""

import sys
import time
from itertools import islice

import numpy as np

from cadcode.data.dataset import DataOptions, samples
from cadcode.geometry.points import farthest_points


def main(count: int) -> None:
    started = time.process_time()
    for sample in islice(samples(DataOptions(), np.random.default_rng(0)), count):
        farthest_points(sample.points, 256)
    seconds = time.process_time() - started
    print(f"{count} parts in {seconds:.1f} s of one core: {count / seconds:.0f} a second")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
