"""Parses OpenMetrics from standard input with the parser of the OpenMetrics project's own reference, prometheus_client,
which takes nothing that the specification does not allow, and prints a JSON line for each metric: its type, its unit,
its samples, and the exemplars of those."""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

for family in text_string_to_metric_families(sys.stdin.read()):
    exemplars = [sample.exemplar.labels for sample in family.samples if sample.exemplar]
    line = {"type": family.type, "unit": family.unit, "samples": len(family.samples), "exemplars": exemplars}
    print(json.dumps({"name": family.name, **line}))
