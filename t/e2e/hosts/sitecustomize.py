"""Python imports it as it starts, when PYTHONPATH names this folder."""

import chorus_names     # noqa: F401
