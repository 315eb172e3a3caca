#!/usr/bin/python3
"""Writes the files of the demo: files.py FOLDER COUNT BIG_MIB

FOLDER/tree gets COUNT files in folders by year and month, of mixed sizes and
kinds, some with names that break careless software; FOLDER/film.bin is one of
BIG_MIB MiB.
"""

import os
import random
import sys

KINDS = [".jpg", ".txt", ".html", ".json", ".png", ".csv"]
ODD = ["with space.txt", "plus+plus.txt", "per%20cent.txt",
       "ümläut-日本語.txt", "quote'and\"quote.txt"]
SIZES = [0, 1, 100, 1000, 4096, 20000, 65536, 200000]


def main():
    folder, count, big_mib = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rnd = random.Random(2026)

    for i in range(count):
        name = ODD[i] if i < len(ODD) else f"file-{i:04d}{KINDS[i % 6]}"
        path = f"{folder}/tree/{2021 + i % 4}/{1 + i % 12:02d}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(rnd.randbytes(SIZES[i % len(SIZES)]))

    with open(f"{folder}/film.bin", "wb") as f:
        for _ in range(big_mib):
            f.write(rnd.randbytes(1 << 20))


main()
