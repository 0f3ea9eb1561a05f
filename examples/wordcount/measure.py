"""Prints how many seconds the count of a fixed text takes."""

import random
import time

from wordcount import most_common

chance = random.Random(4711)
words = [f"word{int(chance.paretovariate(0.6)) % 900}" for _ in range(100_000)]
text = " ".join(words)
started = time.perf_counter()
most_common(text, 10)
print(f"{time.perf_counter() - started:.4f}")
