#!/usr/bin/env python3
"""Makes the model of words that decides where no rule does: words.txt, beside this file.

    words.py train            writes the weights on standard output
    words.py features < TEXT  writes what is seen in a text, a feature a line
    words.py judge FILE ...   says how labelled outputs (JSON lines) are judged by the words alone

It learns from the outputs under tests/data and from the literals of the rules,
which are all of our own making. The same input gives the same weights.
"""

import collections
import json
import math
import pathlib
import random
import re
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
CATEGORIES = ["transient", "code_quality", "test_failure", "dependency", "unknown"]

# What is looked at of an output; detect/words.rs has the same numbers.
HEAD_LINES, TAIL_LINES, LINE_BYTES = 10, 50, 400

PLACE = re.compile(rb"(?:^|[\s(])[\w./\\@+-]+\.[A-Za-z]\w{0,5}[:(]\d+")
WORD_LENGTH_MIN = 3
STATUS_DIGITS = 3

# Features that fewer outputs have are left out: they are names, not words.
OUTPUTS_MIN = 3
EPOCHS, RATE, DECAY, SEED = 30, 0.3, 0.2, 1
REGULARISATION = 3e-5
WEIGHTS_PER_UNIT = 100


def is_letter(byte):
    return 65 <= byte <= 90 or 97 <= byte <= 122


def tokens(line):
    """Words in lower case, split where CamelCase turns; addresses as one; numbers of three digits."""
    found, at = [], 0
    while at < len(line):
        byte, start = line[at], at
        if line.startswith((b"http://", b"https://"), at):
            while at < len(line) and line[at] not in b" \t\n\v\f\r":
                at += 1
            found.append("<url>")
        elif is_letter(byte):
            at += 1
            while at < len(line) and is_letter(line[at]):
                if line[at - 1] >= 97 and line[at] <= 90:
                    break
                at += 1
            if line[at : at + 2] == b"'t" and not is_letter((line[at + 2 :] + b" ")[0]):
                at += 2
            found.append(line[start:at].decode().lower())
        elif 48 <= byte <= 57:
            while at < len(line) and 48 <= line[at] <= 57:
                at += 1
            alone = (start == 0 or not is_letter(line[start - 1])) and (
                at == len(line) or not is_letter(line[at])
            )
            if at - start == STATUS_DIGITS and alone:
                found.append(line[start:at].decode())
        else:
            at += 1
    return found


def features_of_line(line):
    line = line[:LINE_BYTES]
    found = set()
    if PLACE.search(line):
        found.add("<place>")
    words = tokens(line)
    found.update(word for word in words if len(word) >= WORD_LENGTH_MIN)
    found.update(f"{one} {next}" for one, next in zip(words, words[1:]))
    return found


def features(text):
    text = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", text)
    lines = [line for line in re.split(rb"[\r\n]", text) if line.strip()]
    looked_at = lines[:HEAD_LINES] + lines[-TAIL_LINES:]
    return sorted(set().union(*map(features_of_line, looked_at)))


def labelled(path):
    for line in path.read_text().splitlines():
        output = json.loads(line)
        text = (output.get("stdout") or "") + "\n" + (output.get("stderr") or "")
        yield text.encode(), output["category"], output


def cases(name):
    for case in (ROOT / "tests/data" / name).read_text().split("\n= ")[1:]:
        head, _, text = case.partition("\n")
        yield head.split(" | ")[0], text.encode()


def examples():
    """Every output of ours with its category, and the literals of each rule with the rule's."""
    category_of = {}
    for path in sorted((ROOT / "src/detect/rules").glob("*.toml")):
        for rule in tomllib.loads(path.read_text())["rule"]:
            category_of[rule["id"]] = rule["category"]
            if rule.get("find") and not rule.get("beats"):
                yield "\n".join(rule["find"]).encode(), rule["category"]
    for text, category, _ in labelled(ROOT / "tests/data/outputs.jsonl"):
        yield text, category
    for rule, text in cases("rules.txt"):
        if rule in category_of:
            yield text, category_of[rule]
    for name in ("tables.txt", "kinds.txt"):
        for category, text in cases(name):
            yield text, category


def shares(weights, bias, found):
    """How likely each category is."""
    known = [weights[feature] for feature in found if feature in weights]
    scale = 1 / math.sqrt(max(len(known), 1))
    sums = [bias[k] + scale * sum(one[k] for one in known) for k in range(len(bias))]
    most = max(sums)
    powers = [math.exp(one - most) for one in sums]
    return [power / sum(powers) for power in powers]


def train():
    seen = [(features(text), CATEGORIES.index(category)) for text, category in examples()]
    outputs = collections.Counter(feature for found, _ in seen for feature in found)
    weights = {f: [0.0] * len(CATEGORIES) for f, n in sorted(outputs.items()) if n >= OUTPUTS_MIN}
    bias = [0.0] * len(CATEGORIES)
    seen = [([f for f in found if f in weights], category) for found, category in seen]
    seen = [one for one in seen if one[0]]
    of_category = collections.Counter(category for _, category in seen)
    order = random.Random(SEED)
    for epoch in range(EPOCHS):
        order.shuffle(seen)
        rate = RATE / (1 + epoch * DECAY)
        for found, category in seen:
            scale = 1 / math.sqrt(len(found))
            rarity = len(seen) / (len(CATEGORIES) * of_category[category])
            for k, share in enumerate(shares(weights, bias, found)):
                slope = (share - (k == category)) * rarity
                bias[k] -= rate * 0.1 * slope
                for feature in found:
                    one = weights[feature]
                    one[k] -= rate * (slope * scale + REGULARISATION * one[k])
    return weights, bias


def written(name, values):
    return name + "\t" + " ".join(str(round(value * WEIGHTS_PER_UNIT)) for value in values)


def main():
    match sys.argv[1:]:
        case ["features"]:
            print(*features(sys.stdin.buffer.read()), sep="\n")
        case ["train"]:
            weights, bias = train()
            print("# Made by words.py from our own outputs; detect/words.rs says how it is read.")
            print("# A feature, and a hundred times its weight for: " + " ".join(CATEGORIES))
            print(written("", bias))
            for feature, values in sorted(weights.items()):
                print(written(feature, values))
        case ["judge", *paths]:
            weights, bias = train()
            for path in paths:
                for text, category, output in labelled(pathlib.Path(path)):
                    likely = shares(weights, bias, features(text))
                    best = max(range(len(likely)), key=likely.__getitem__)
                    print(output.get("id"), category, CATEGORIES[best], f"{likely[best]:.2f}")
        case _:
            sys.exit(__doc__)


main()
