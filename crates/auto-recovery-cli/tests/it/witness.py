"""A witness of one log, after the C2SP's tlog-witness, with nothing but openssl: witness.py DIR LOG_KEY BODY.
DIR has its key and the last head that it signed. Prints the answer; exits with 0 where it signs, else 1."""
import base64, hashlib, pathlib, struct, subprocess, sys

NAME = "witness.example/py"
DER = bytes.fromhex("302a300506032b6570032100")  # what comes before an Ed25519 key
sha = lambda data: hashlib.sha256(data).digest()
b64 = lambda data: base64.b64encode(data).decode()
id_of = lambda name, typed: sha(name.encode() + b"\n" + typed)[:4]


def openssl(dir, *words):
    return subprocess.run(["openssl", *words], cwd=dir, check=True, capture_output=True).stdout


def public_key(dir):
    if not (dir / "key").exists():
        openssl(dir, "genpkey", "-algorithm", "ed25519", "-out", "key")
    return openssl(dir, "pkey", "-in", "key", "-pubout", "-outform", "DER")[-32:]


def is_signed(dir, text, line, name, typed):
    if not line.startswith(f"\u2014 {name} "):
        return False
    signature = base64.b64decode(line.rsplit(" ", 1)[1], validate=True)
    (dir / "log").write_bytes(DER + typed[1:])
    (dir / "text").write_bytes(text.encode())
    (dir / "sig").write_bytes(signature[4:])
    words = "pkeyutl -verify -pubin -keyform DER -rawin -inkey log -in text -sigfile sig"
    checked = subprocess.run(["openssl", *words.split()], cwd=dir, capture_output=True)
    return signature[:4] == id_of(name, typed) and checked.returncode == 0


def roots(old, new, known, proof):
    """Both roots, from the definition of the proof: its last hash is the topmost."""
    if old == new:
        root = known or proof.pop()
        return root, root
    left = 1 << (new - 1).bit_length() - 1
    beside = proof.pop()
    if old <= left:
        first, second = roots(old, left, known, proof)
        return first, sha(b"\1" + second + beside)
    first, second = roots(old - left, new - left, None, proof)
    return sha(b"\1" + beside + first), sha(b"\1" + beside + second)


def refuse(status, says):
    print(says)
    print(status, file=sys.stderr)
    sys.exit(1)


def main(dir, log, body):
    dir = pathlib.Path(dir)
    dir.mkdir(exist_ok=True)
    typed = b"\4" + public_key(dir)
    if not body:
        return print(f"{NAME}+{id_of(NAME, typed).hex()}+{b64(typed)}")
    head, checkpoint = pathlib.Path(body).read_bytes().decode().split("\n\n", 1)
    first, *proof = head.split("\n")
    text, signatures = checkpoint.split("\n\n")
    text += "\n"
    origin, size, root, *_ = text.split("\n")
    old, size, root = int(first.removeprefix("old ")), int(size), base64.b64decode(root, validate=True)
    proof = [base64.b64decode(line, validate=True) for line in proof]
    name, key_id, key = log.split("+", 2)
    key = base64.b64decode(key, validate=True)
    assert (key[0], key_id) == (1, id_of(name, key).hex())
    if origin != name:
        refuse(404, "unknown log")
    if not any(is_signed(dir, text, line, name, key) for line in signatures.splitlines()):
        refuse(403, "not signed by the log")
    state = dir / "head"
    known, known_root = state.read_text().split() if state.exists() else ("0", "")
    if old != int(known) or (old == size and b64(root) != known_root):
        refuse(409, known)
    if old and (roots(old, size, base64.b64decode(known_root), proof) != (base64.b64decode(known_root), root) or proof):
        refuse(422, "the proof does not hold")
    assert old or not proof
    state.write_text(f"{size} {b64(root)}")
    at = 1_700_000_000
    (dir / "text").write_bytes(f"cosignature/v1\ntime {at}\n{text}".encode())
    signature = openssl(dir, "pkeyutl", "-sign", "-rawin", "-inkey", "key", "-in", "text")
    print(f"\u2014 {NAME} {b64(id_of(NAME, typed) + struct.pack('>Q', at) + signature)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
