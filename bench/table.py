"""What the parts of `make bench` say: a line of each comparison, and the same
as JSON, {"at": unix time, "rows": [{"name", "target", "ratio", figures}]}."""

import json
import time


class Table:
    def __init__(self):
        self.rows = []

    def add(self, name, target, ratio, **figures):
        """`figures`: what the ratio was made of, and what stands beside it."""
        row = {"name": name, "target": target, "ratio": round(ratio, 3),
               **{k: round(v, 3) for k, v in figures.items()}}
        self.rows.append(row)
        print(f"{name:44} {target:>9} {ratio:8.3f}   "
              + "  ".join(f"{k.replace('_', ' ')} {v:.4g}"
                          for k, v in figures.items()), flush=True)

    def save(self, path):
        """If anybody wants it."""
        if path:
            with open(path, "w") as f:
                json.dump({"at": time.time(), "rows": self.rows}, f, indent=1)
