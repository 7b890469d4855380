"""Holds answers of the API to its description: validate.py OPENAPI.json ANSWERS.jsonl. Says what is wrong."""

import json
import pathlib
import sys

import jsonschema_rs

document = json.loads(pathlib.Path(sys.argv[1]).read_text())
validators = {}


def validator(path, status, content_type):
    key = (path, status, content_type)
    if key not in validators:
        responses = document["paths"][path]["get"]["responses"]
        schema = responses[status]["content"][content_type]["schema"]
        whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
        whole["components"] = document["components"]
        validators[key] = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
    return validators[key]


for line in pathlib.Path(sys.argv[2]).read_text().splitlines():
    answer = json.loads(line)
    where = f"{answer['status']} {answer['url']}"
    try:
        check = validator(answer["path"], str(answer["status"]), answer["content_type"])
    except KeyError as error:
        print(f"{where}: {answer['content_type']} is not described: {error}")
        continue
    for error in check.iter_errors(answer["body"]):
        print(f"{where}: {error.instance_path}: {error.message[:300]}")
