#!/usr/bin/env python3
"""Write what a store in SQLite seals as the files that verify.py reads: from_sqlite.py DATABASE DIR.
Each line is a leaf, to the byte: a seal, a record of the journal, an entry as `recover export` gives it."""
import json, pathlib, re, sqlite3, sys, urllib.parse

NAMES = ("entry_id timestamp session_id error_type strategy attempt_number success changes_made files_modified "
         "rollback_performed next_action duration_seconds error_message recovery_message").split()

def entry(raw, *row):
    """The JSON of an entry: its text or, where the columns give the same, what they give."""
    if raw is not None:
        return raw
    values = [json.dumps(value, ensure_ascii=False) for value in row]
    for name in ("success", "rollback_performed"):
        values[NAMES.index(name)] = json.dumps(row[NAMES.index(name)] != 0)
    for name in ("changes_made", "files_modified"):  # JSON as they stand there
        values[NAMES.index(name)] = row[NAMES.index(name)]
    values[NAMES.index("duration_seconds")] = repr(row[NAMES.index("duration_seconds")] / 1000)
    return plain("{" + ",".join(f'"{name}":{value}' for name, value in zip(NAMES, values)) + "}", "\\u0000")

def plain(text, nul):
    """A column's text: a NUL is kept as U+10FFFE and 0, and U+10FFFE as that and 1."""
    return re.sub("\U0010fffe(.)", lambda mark: nul if mark[1] == "0" else "\U0010fffe", text)

def main(database, to):
    rows = sqlite3.connect(f"file:{urllib.parse.quote(database)}?mode=ro", uri=True).execute
    to = pathlib.Path(to)
    to.mkdir()
    def write(name, texts):
        (to / name).write_bytes("".join(text + "\n" for text in texts).encode())
    seals = rows("SELECT v, at, note FROM seal ORDER BY id")
    write("seals.jsonl", (json.dumps(dict(zip(("v", "at", "note"), row)), ensure_ascii=False) for row in seals))
    write("journal.jsonl", (row[0] for row in rows("SELECT record FROM journal ORDER BY id")))
    columns = ", ".join(NAMES).replace("duration_seconds", "duration_ms")
    entries = f"SELECT raw, {columns} FROM session s JOIN entry e ON e.id >> 32 = s.id WHERE s.id = ? ORDER BY e.id"
    for number, session in list(rows("SELECT id, session_id FROM session")):
        name = urllib.parse.quote(plain(session, "\0"), safe="").replace("~", "%7E")
        write(re.sub(r"^\.", "%2E", name) + "_audit.jsonl", (entry(*row) for row in rows(entries, (number,))))

if __name__ == "__main__":
    main(*sys.argv[1:])
