#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""validate.py SCHEMA DOCUMENT"""

import json
import sys

import jsonschema


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def validator(path):
    """Of the schema in that file, which is one."""
    schema = load(path)
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


if __name__ == "__main__":
    try:
        validator(sys.argv[1]).validate(load(sys.argv[2]))
    except jsonschema.ValidationError as why:
        sys.exit(f"{sys.argv[2]}: {'/'.join(map(str, why.path))}: {why.message}")
