"""Renders the chart with Helm's own engine and validates what comes out.

Reads a JSON list of values from standard input and writes a list of results: the objects by template,
or the refusal of the schema. Needs the packages helm-python-sdk and kubernetes-validate.
"""

import functools
import json
import sys

import helm_python
import kubernetes_validate
import yaml

CHART = sys.argv[1]
# The oldest that Chart.yaml allows, and the newest that has schemas.
KUBERNETES = ["1.25", "1.37"]


def objects(text):
    return [one for one in yaml.safe_load_all(text) if one]


@functools.cache
def judge(text, version):
    """What the schema of this version says; most objects are the same in most renderings."""
    try:
        kubernetes_validate.validate(json.loads(text), version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return error.message
    return None


def problems(found):
    """What the schemas of Kubernetes say; kinds of operators have none."""
    for one in found:
        group = one["apiVersion"].rpartition("/")[0]
        if "." in group and not group.endswith(".k8s.io"):
            continue
        for version in KUBERNETES:
            if said := judge(json.dumps(one), version):
                yield f"{one['kind']} {one['metadata']['name']}, Kubernetes {version}: {said}"


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
