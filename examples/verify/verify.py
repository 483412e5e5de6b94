#!/usr/bin/env python3
"""Verify a store of files by its seals: verify.py DIR [CHAIN]. CHAIN is what `recover key show` prints.
Exit codes: 0 as it was sealed, 1 changed or missing, 3 cannot be proved (no seal, no CHAIN), 125 newer format."""
import base64, hashlib, json, pathlib, re, subprocess, sys, tempfile, urllib.parse

SEAL = re.compile(r"(auto-recovery/store/[0-9a-f]{32})\n(0|[1-9][0-9]*)\n(\S{44})\nseal (0|[1-9][0-9]*)\n"
                  r"key (\S{44})\nnext (none|\S{44})\n\n((?:\u2014 [^\s+]+ \S+\n)+)")
DER = bytes.fromhex("302a300506032b6570032100")  # what comes before an Ed25519 key
sha = lambda data: hashlib.sha256(data).digest()
lines_of = lambda path: path.read_bytes().split(b"\n")[:-1] if path.exists() else []

def b64(text, size):
    if len(data := base64.b64decode(text, validate=True)) != size or base64.b64encode(data).decode() != text:
        raise ValueError("base64 that is not canonical")
    return data

def read_seal(note):
    """The seal that a signed note is; ValueError if it is none."""
    match = SEAL.fullmatch(note)
    ours = re.findall("\u2014 " + match[1] + "/([0-9a-f]{16}) (.*)\n", match[7]) if match else []
    if len(ours) != 1:
        raise ValueError("it is not written as a seal is")
    (chain, signature), key = (ours[0][0], b64(ours[0][1], 68)), b64(match[5], 32)
    with tempfile.TemporaryDirectory() as temp:
        for name, data in (("k", DER + key), ("t", note[:match.start(7) - 1].encode()), ("s", signature[4:])):
            pathlib.Path(temp, name).write_bytes(data)
        openssl = "openssl pkeyutl -verify -pubin -keyform DER -rawin -inkey k -in t -sigfile s".split()
        holds = not subprocess.run(openssl, capture_output=True, cwd=temp).returncode
    key_id = sha(f"{match[1]}/{chain}\n\x01".encode() + key)[:4]
    if not holds or signature[:4] != key_id or (match[4] == "0" and chain != sha(key).hex()[:16]):
        raise ValueError("its signature does not hold")
    return match[1], chain, int(match[4]), int(match[2]), b64(match[3], 32), key, match[6] != "none" and b64(match[6], 32)

def leaves(path):
    """Each line, and each object over several lines from a line `{` to a line `}`."""
    many = None
    for line in lines_of(path):
        if many and line[:1] == b"{":
            many = yield b"\n".join(many)
        many = many + [line] if many else [line] if line else None
        if many and (many[0] != b"{" or line == b"}"):
            many = yield b"\n".join(many)

def roots(path, sizes, visit=lambda leaf: None):
    """The roots of the first leaves (RFC 6962), for each of `sizes` that there is."""
    stack, found = [], {0: sha(b"")}
    for bits, leaf in enumerate(leaves(path)):
        node, count = sha(b"\0" + leaf), bits + 1
        while bits & 1:
            node, bits = sha(b"\1" + stack.pop() + node), bits >> 1
        stack.append(node)
        if count in sizes:
            for left in stack[-2::-1]:
                node = sha(b"\1" + left + node)
            found[count] = node
        visit(leaf)
    return found

def tell(told, leaf):
    """Adds what a journal record says of a trail: a head, or the one that it was removed with."""
    try:
        record = json.loads(leaf.decode())
        event, trail = record["event"], told.setdefault(record["session_id"], {"heads": [], "gone": None})
        head = (record["size"], b64(record["root"], 32)) if "root" in record else None
    except (ValueError, KeyError, TypeError):
        return
    trail["heads"] += [head] if head and event == "trail_sealed" else []
    if event in ("session_cleared", "session_pruned"):
        trail.update(heads=[], gone=head if head and head[0] else None)
    trail["gone"] = trail["gone"] if event != "trail_imported" else None

def main(store, pin=None):
    store, wrong, chains, seals, told = pathlib.Path(store), [], {}, [], {}
    for line in lines_of(store / "seals.jsonl"):
        try:
            kept = json.loads(line.decode())
            if kept["v"] > 1:
                return print("refused: a newer format") or 125
            seal = read_seal(kept["note"])
        except (ValueError, KeyError, TypeError) as error:
            wrong.append(f"a seal that is none: {error}")
            continue
        last, chains[seal[1]] = chains.get(seal[1], (seal[0], 0, -1, 0, 0, 0, seal[5])), seal
        if (seal[0], seal[2], seal[5]) != (last[0], last[2] + 1, last[6]) or seal[3] < last[3]:
            wrong.append(f"seal {seal[2]} does not follow the one before")
        seals.append(seal)
    found = roots(store / "journal.jsonl", {seal[3] for seal in seals}, lambda leaf: tell(told, leaf))
    wrong += [f"the journal is not as at seal {seal[3]}" for seal in seals if found.get(seal[3]) != seal[4]]
    for session, trail in told.items():
        name = re.sub(r"^\.", "%2E", urllib.parse.quote(session, safe="").replace("~", "%7E"))
        heads, gone = trail["heads"], trail["gone"]
        found = roots(store / f"{name}_audit.jsonl", {head[0] for head in heads + [gone] if head})
        wrong += [f"{session} is not as it was sealed" for size, root in heads if found.get(size) != root]
        wrong += [f"{session} was removed, and is back"] if gone and found.get(gone[0]) == gone[1] else []
    wrong += [f"there is no seal of chain {pin}"] if pin and pin not in chains else []
    print(*wrong or ["proved" if pin else "cannot be proved"], sep="\n")
    return 1 if wrong else 0 if pin else 3

if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
