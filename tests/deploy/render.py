"""Renders the chart with Helm's own engine and validates what comes out.

Reads a JSON list of values from standard input and writes a list of results: the objects by template,
or the refusal of the schema. Needs the packages helm-python-sdk and kubernetes-validate.
"""

import json
import sys

import helm_python
import kubernetes_validate
import yaml

CHART = sys.argv[1]
# The oldest and the newest that have schemas and matter.
KUBERNETES = ["1.27", "1.33"]


def objects(text):
    return [one for one in yaml.safe_load_all(text) if one]


def problems(found):
    """What the schemas of Kubernetes say; kinds of operators have none."""
    for one in found:
        group = one["apiVersion"].rpartition("/")[0]
        if "." in group and not group.endswith(".k8s.io"):
            continue
        for version in KUBERNETES:
            try:
                kubernetes_validate.validate(one, version, strict=True)
            except Exception as error:  # noqa: BLE001 - every refusal is a finding
                yield f"{one['kind']} {one['metadata']['name']}, Kubernetes {version}: {error.message if hasattr(error, 'message') else error}"


def plain(one):
    """An object without what only Helm means or keeps in step."""
    if isinstance(one, dict):
        helm = ("helm.sh/chart", "app.kubernetes.io/managed-by", "checksum/config")
        return {key: plain(value) for key, value in one.items() if key not in helm}
    return [plain(each) for each in one] if isinstance(one, list) else one


def result(chart, values):
    try:
        chart.validate_schema(values)
        rendered = chart.render(values, name="dns-drift", namespace="dns-drift")
    except helm_python.HelmError as error:
        return {"refused": str(error)}
    texts = {path.rsplit("/", 1)[1]: text for path, text in sorted(rendered.items()) if text.strip()}
    texts.pop("NOTES.txt", None)
    found = {name: objects(text) for name, text in texts.items()}
    flat = [one for several in found.values() for one in several]
    manifests = {
        name: yaml.safe_dump_all([plain(one) for one in several], sort_keys=False, width=120)
        for name, several in found.items()
    }
    return {"objects": found, "problems": list(problems(flat)), "manifests": manifests}


with helm_python.Chart.load(CHART) as chart:
    results = [result(chart, values) for values in json.load(sys.stdin)]
lint = helm_python.lint(CHART, strict=True)
json.dump({"results": results, "lint": lint["errors"]}, sys.stdout)
