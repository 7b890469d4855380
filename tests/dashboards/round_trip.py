"""Reads dashboards with Grafana's own model and writes them again: what gets lost is unknown to Grafana.

Usage: round_trip.py FILE...; prints the lost keys. Needs the package grafana-foundation-sdk.
"""

import json
import sys

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard


def leaves(value, path=""):
    if isinstance(value, dict):
        for key, below in value.items():
            yield from leaves(below, f"{path}/{key}")
    elif isinstance(value, list):
        for place, below in enumerate(value):
            yield from leaves(below, f"{path}/{place}")
    else:
        yield path


register_default_plugins()
for name in sys.argv[1:]:
    with open(name, encoding="utf-8") as file:
        ours = json.load(file)
    theirs = json.loads(JSONEncoder().encode(Dashboard.from_json(ours)))
    for path in sorted(set(leaves(ours)) - set(leaves(theirs))):
        # Read by the Prometheus data source itself, not by the model of this release.
        if path.startswith("/annotations/list/") and path.endswith(("/step", "/titleFormat")):
            continue
        print(f"{name}: {path}")
