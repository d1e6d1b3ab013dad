"""Compares package constrain with the package jsonschema (Draft 2020-12).

    python3 constrain/testdata/differential.py [--suite FOLDER] [--random N] [--seed S]

run in the module's root. FOLDER is json/tests/draft2020-12 of the sources of jsonschema, which
hold the JSON Schema Test Suite. Of each schema that is not refused

- no text of an invalid value may be taken, in any order of its members;
- every text that is drawn by the masks must be a valid value;
- of valid values it is counted how many are taken in some order, and the others are shown with -v.

The package's expressions are Python's, where \\w and \\b know all letters and $ holds before a last line
end: "ecmascript-regex.json: \\W matches everything but ascii letters" differs by that.

Random schemas are of the keywords that are held to, their values near what they ask for.
"""

import argparse
import collections
import itertools
import json
import os
import random
import re
import subprocess
import sys
import tempfile

import jsonschema

KNOWN = {"not", "if", "then", "else", "dependentRequired", "dependentSchemas", "uniqueItems", "contains", "minContains", "maxContains", "propertyNames",
         "unevaluatedProperties", "unevaluatedItems", "contentEncoding", "contentMediaType", "contentSchema", "$dynamicRef", "$dynamicAnchor", "$vocabulary", "$id", "dependencies", "items"}


def texts(value):
    """The compact writings of a value, members in every order where they are few."""
    def orders(v):
        if isinstance(v, dict):
            parts = [[json.dumps(k, ensure_ascii=False) + ":" + w for w in orders(x)] for k, x in v.items()]
            perms = itertools.permutations(parts) if len(parts) <= 4 else [parts, parts[::-1]]
            for p in perms:
                for c in itertools.islice(itertools.product(*p), 24):
                    yield "{" + ",".join(c) + "}"
        elif isinstance(v, list):
            for c in itertools.islice(itertools.product(*[list(orders(x)) for x in v]), 24):
                yield "[" + ",".join(c) + "]"
        elif isinstance(v, float) and v == int(v) and abs(v) < 1e15:
            yield repr(v)
            yield str(int(v))
        else:
            yield json.dumps(v, ensure_ascii=False)
    return list(itertools.islice(orders(value), 60))


def ask(questions):
    with tempfile.TemporaryDirectory() as d:
        with open(d + "/in", "w") as f:
            for q in questions:
                f.write(json.dumps(q) + "\n")
        subprocess.run(["go", "test", "./constrain", "-count=1", "-run", "^TestDifferential$", "-timeout", "20m", "-args", "-in", d + "/in", "-out", d + "/out"], check=True, stdout=subprocess.DEVNULL)
        with open(d + "/out") as f:
            return [json.loads(line) for line in f]


class Random:
    """Schemas, and values near them."""

    def __init__(self, seed):
        self.r = random.Random(seed)

    def schema(self, depth=0):
        r = self.r
        kinds = ["string", "integer", "number", "boolean", "null", "enum", "const", "lengths", "pattern", "types"]
        if depth < 3:
            kinds += ["object", "object", "object", "array", "array", "tuple", "anyOf", "oneOf", "allOf", "ref", "open", "named"]
        kind = r.choice(kinds)
        n = lambda: r.choice([-20, -3, 0, 1, 2, 5, 10, 99, 100, 0.5, -1.25, 12.75])
        if kind in ("string", "boolean", "null"):
            return {"type": kind}
        if kind in ("integer", "number"):
            s = {"type": kind}
            for k in ("minimum", "exclusiveMinimum"):
                if r.random() < .4:
                    s[k] = n()
            for k in ("maximum", "exclusiveMaximum"):
                if r.random() < .4:
                    s[k] = n() + r.choice([0, 5, 200])
            if r.random() < .3:
                s["multipleOf"] = r.choice([1, 2, 3, 7, 0.5, 0.25, 2.5, 10])
            return s
        if kind == "enum":
            return {"enum": [self.any(2) for _ in range(r.randint(1, 4))]}
        if kind == "const":
            return {"const": self.any(1)}
        if kind == "lengths":
            a = r.randint(0, 3)
            return {"type": "string", "minLength": a, "maxLength": a + r.randint(0, 3)}
        if kind == "pattern":
            s = {"type": "string", "pattern": r.choice(["^a+$", "b", "^[a-c]{1,3}$", "^\\d+$", "a|b", "^(x|yy)*$", "\\.", "^é", "c$", "^[^a]*$", '"', "\\\\"])}
            if r.random() < .4:
                s["maxLength"] = r.randint(1, 5)
            return s
        if kind == "types":
            s = {"type": r.sample(["string", "integer", "null", "boolean", "number"], r.randint(1, 3))}
            if r.random() < .5:
                s["minLength"] = 1
            if r.random() < .5:
                s["maximum"] = 3
            return s
        if kind in ("object", "open", "named"):
            names = r.sample(["a", "b", "c", "d", "é", "a b", 'q"'], r.randint(0, 4))
            s = {"type": "object", "properties": {k: self.schema(depth + 1) for k in names}}
            req = [k for k in names if r.random() < .5]
            if req or r.random() < .3:
                s["required"] = req
            s["additionalProperties"] = False
            if kind == "open":
                s["additionalProperties"] = r.choice([True, {"type": "integer"}, {"type": "string"}])
            if kind == "named":
                s["patternProperties"] = {p: self.schema(depth + 1) for p in r.sample(["^a", "b$", "^x_", "."], r.randint(1, 2))}
                if r.random() < .3:
                    del s["additionalProperties"]
            if r.random() < .2:
                s["maxProperties"] = r.randint(0, 3)
            if r.random() < .2:
                s["minProperties"] = r.randint(0, 2)
            return s
        if kind == "array":
            s = {"type": "array", "items": self.schema(depth + 1)}
            if r.random() < .5:
                s["minItems"] = r.randint(0, 2)
            if r.random() < .5:
                s["maxItems"] = r.randint(0, 4)
            return s
        if kind == "tuple":
            s = {"type": "array", "prefixItems": [self.schema(depth + 1) for _ in range(r.randint(1, 3))]}
            if r.random() < .7:
                s["items"] = r.choice([False, True, {"type": "null"}])
            if r.random() < .5:
                s["minItems"] = r.randint(0, 3)
            return s
        if kind in ("anyOf", "oneOf"):
            s = {kind: [self.schema(depth + 1) for _ in range(r.randint(1, 3))]}
            if r.random() < .2:
                s["type"] = r.choice(["object", "string", "integer"])
            return s
        if kind == "allOf":
            return {"allOf": [self.schema(depth + 1) for _ in range(2)]}
        return {"$ref": "#/$defs/" + r.choice("pq")}

    def document(self):
        s = self.schema()
        s["$defs"] = {"p": {"type": "object", "properties": {"v": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#/$defs/p"}, {"type": "null"}]}}, "required": ["v"], "additionalProperties": False}, "q": self.schema(2)}
        return s

    def any(self, depth=0):
        r = self.r
        k = r.randint(0, 9 if depth < 2 else 6)
        if k == 0:
            return None
        if k == 1:
            return r.random() < .5
        if k in (2, 3):
            return r.choice([-20, -3, 0, 1, 2, 3, 5, 7, 10, 99, 100, 150, 0.5, -1.25, 2.5, 12.75])
        if k in (4, 5, 6):
            return r.choice(["", "a", "b", "ab", "abc", "x", "xyy", "12", "é", "😀", 'a"', "\\", "\n", "aaaa"])
        if k == 7:
            return [self.any(depth + 1) for _ in range(r.randint(0, 3))]
        return {r.choice(["a", "b", "c", "d", "é", "a b", "x_1", "ab", "v"]): self.any(depth + 1) for _ in range(r.randint(0, 3))}

    def near(self, s, defs, depth=0):
        """A value that a schema may like."""
        r = self.r
        if depth > 6 or r.random() < .07 or not isinstance(s, dict):
            return self.any(1)
        near = lambda x: self.near(x, defs, depth + 1)
        if "$ref" in s:
            return near(defs[s["$ref"][-1]])
        for k in ("anyOf", "oneOf", "allOf"):
            if k in s:
                vs = [near(x) for x in s[k]]
                if k == "allOf" and all(isinstance(v, dict) for v in vs):
                    return {k: x for v in vs for k, x in v.items()}
                return r.choice(vs)
        if "enum" in s:
            return r.choice(s["enum"])
        if "const" in s:
            return s["const"]
        t = s.get("type")
        if isinstance(t, list):
            t = r.choice(t)
        if t == "object":
            v = {}
            for k, x in s.get("properties", {}).items():
                if k in s.get("required", []) or r.random() < .5:
                    v[k] = near(x)
            for p, x in s.get("patternProperties", {}).items():
                if r.random() < .5:
                    v[r.choice(["a", "ab", "b", "x_1"])] = near(x)
            if r.random() < .4:
                v[r.choice(["z", "a", "ab"])] = near(s.get("additionalProperties", True))
            return v
        if t == "array":
            v = [near(x) for x in s.get("prefixItems", [])[:r.randint(0, 3)]]
            if len(v) == len(s.get("prefixItems", [])):
                v += [near(s.get("items", True)) for _ in range(r.randint(0, 3))]
            return v
        if t == "null":
            return None
        if t == "boolean":
            return r.random() < .5
        if t in ("integer", "number"):
            return r.choice([s.get(k, 0) for k in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")] + [0, 1, 2, 5]) + r.choice([0, 0, 1, -1, .5, .25])
        return r.choice(["", "a", "b", "ab", "abc", "x", "xyy", "12", "é", "😀", 'a"', "\\", "\n", "aaaa", "aa", "."])


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--suite")
    p.add_argument("--random", type=int, default=0)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--walks", type=int, default=8)
    p.add_argument("-v", action="store_true")
    a = p.parse_args()
    cases = []  # (name, schema, [(value, valid)])
    if a.suite:
        names = [f for f in sorted(os.listdir(a.suite)) if f.endswith(".json")]
        names += ["optional/format/" + f + ".json" for f in ("date", "date-time", "time", "uuid", "email", "ipv4", "ipv6", "hostname")]
        names += ["optional/" + f + ".json" for f in ("bignum", "ecmascript-regex", "non-bmp-regex", "float-overflow")]
        for f in names:
            if os.path.exists(os.path.join(a.suite, f)):
                for g in json.load(open(os.path.join(a.suite, f))):
                    cases.append((f + ": " + g["description"], g["schema"], [(t["data"], t["valid"]) for t in g["tests"]]))
    r = Random(a.seed)
    for i in range(a.random):
        s = r.document()
        v = jsonschema.Draft202012Validator(s)
        values = [r.near(s, s["$defs"]) for _ in range(20)]
        cases.append((f"random {i}", s, [(x, v.is_valid(x)) for x in values]))
    questions = [{"schema": s, "texts": [t for x, _ in values for t in texts(x)], "walks": a.walks if n.startswith("random") else 3} for n, s, values in cases]
    wrong, refused, counts = 0, collections.Counter(), collections.Counter()
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    for (name, s, values), answer in zip(cases, ask(questions)):
        if answer["error"]:
            refused[re.sub(r"\d+", "N", answer["error"].split("\n")[0].split(": ", 1)[-1])[:90]] += 1
            counts["refused"] += 1
            good = [x for x, valid in values if valid]
            if good and not any(w in answer["error"] for w in ("can't be held to", "not shown to", "not known", "another document", "names nothing", "not followed")):
                wrong += 1
                print("REFUSED though satisfied:", name, json.dumps(s), good[0], answer["error"])
            if a.v:
                print("refused", name, "|", answer["error"].split("\n")[0])
            continue
        counts["schemas"] += 1
        taken = iter(answer["taken"])
        for x, valid in values:
            got = [next(taken) for _ in texts(x)]
            counts["valid" if valid else "invalid"] += 1
            if valid and any(got):
                counts["valid and taken"] += 1
            elif valid and a.v:
                print("not taken", name, json.dumps(s)[:300], json.dumps(x, ensure_ascii=False))
            if not valid and any(got):
                wrong += 1
                print("TAKEN though invalid:", name, json.dumps(s), [t for t, y in zip(texts(x), got) if y])
        v = jsonschema.Draft202012Validator(s, format_checker=checker)
        for w in answer["walks"] or []:
            counts["walks"] += 1
            try:
                x = json.loads(w)
                ok = v.is_valid(x)
            except RecursionError:
                continue
            except Exception as e:  # a reference to another document and its kind
                ok = not isinstance(e, json.JSONDecodeError)
            if not ok:
                wrong += 1
                print("WALK though invalid:", name, json.dumps(s), w)
    print(dict(counts))
    for k, n in refused.most_common(60):
        print(f"{n:5} {k}")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
