"""Measures the command on trails of many sizes, each figure beside its rival in the same run.

Prints Markdown tables; with `--plots DIR` it also draws how the cost grows. Everything it writes lies in
a temporary directory (TMPDIR), which should be on the disk that is of interest.

Rivals are given the same files and the same number of threads. A figure is the median of several
rounds, ours and the rival's taken in turn, so that a busy machine slows both.
"""

import argparse
import csv
import dataclasses
import datetime
import json
import os
import pathlib
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import uuid

ROUNDS = 5
THREADS = os.cpu_count() or 1
ENTRY_FIELDS = (
    "entry_id timestamp session_id error_type strategy attempt_number success changes_made"
    " files_modified rollback_performed next_action duration_seconds error_message recovery_message"
).split()
Entry = dataclasses.make_dataclass("Entry", ENTRY_FIELDS)


def entries(count, session, first=0):
    """Entries as recoveries of a project with 2,000 files leave them, the same every time."""
    draw = random.Random(first)
    start = datetime.datetime(2026, 1, 1)
    types = ["SyntaxError", "E0308", "ImportError", "ECONNREFUSED", "AssertionError", "ENOSPC"]
    files = [f"src/module_{number // 20}/file_{number}.rs" for number in range(2000)]
    for number in range(first, first + count):
        success = draw.random() < 0.4
        moment = start + datetime.timedelta(seconds=number)
        yield Entry(
            f"entry_{number:032x}",
            moment.isoformat(timespec="milliseconds") + "Z",
            session,
            draw.choice(types),
            draw.choice(["fix", "retry", "alternative", "rollback"]),
            number - first + 1,
            success,
            ["ran `cargo fmt`"],
            draw.sample(files, draw.randint(0, 3)),
            not success,
            "complete" if success else "retry",
            draw.randint(0, 60000) / 1000,
            'mismatched types: expected `u32`, found `"text"`',
            "`cargo fmt`: exit 0; `cargo check` still fails (exit 101)",
        )


def fill(directory, count, sessions):
    """A store of `count` entries in `sessions` trails of the same length."""
    directory.mkdir(mode=0o700)
    each = count // sessions
    for session in range(sessions):
        name = f"session_{session:08x}"
        with open(directory / f"{name}_audit.jsonl", "w") as file:
            for entry in entries(each, name, session * each):
                file.write(json.dumps(dataclasses.asdict(entry), separators=(",", ":")) + "\n")
    return directory


def run(argv, **options):
    """Runs a command that must succeed. Returns its wall time in seconds."""
    began = time.perf_counter()
    subprocess.run(argv, stdout=subprocess.DEVNULL, check=True, **options)
    return time.perf_counter() - began


def peak_memory(argv, **options):
    """The peak memory of a command in MiB. Somebody small must start it: a process begins as a copy of
    whoever did."""
    with tempfile.NamedTemporaryFile("r") as file:
        run(["time", "-f", "%M", "-o", file.name, *argv], **options)
        return int(file.read()) / 1024


def in_turn(ours, rival, rounds=ROUNDS, before=lambda: None):
    """The median times of a command of ours and of the rival, and the peak memory of ours."""
    mine, theirs = [], []
    for _ in range(rounds):
        theirs.append(rival())
        before()
        mine.append(run(ours))
    before()
    return statistics.median(mine), statistics.median(theirs), peak_memory(ours)


def timed(act):
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


class Table:
    """A table of figures beside their rivals'."""

    def __init__(self):
        print("| what | ours | rival | by | at least | memory |", flush=True)
        print("|---|--:|--:|--:|--:|--:|", flush=True)

    def row(self, what, ours, rival, limit, memory=None):
        """A row; `rival` is a name and a time, and more is better."""
        name, spent = rival
        peak = f"{memory:.0f} MiB" if memory else ""
        print(
            f"| {what} | {show(ours)} | {name} {show(spent)} | {spent / ours:.1f} × | {limit} | {peak} |",
            flush=True,
        )


def show(seconds):
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1000:.1f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.1f} µs"


def duckdb_statistics(pattern):
    """The sums of a session's statistics, from the same files, by DuckDB."""
    import duckdb

    columns = (
        "timestamp: 'VARCHAR', error_type: 'VARCHAR', strategy: 'VARCHAR', success: 'BOOLEAN',"
        " files_modified: 'VARCHAR[]', rollback_performed: 'BOOLEAN', duration_seconds: 'DOUBLE'"
    )
    query = f"""
        SELECT count(*), count(*) FILTER (success), sum(duration_seconds), avg(duration_seconds),
               count(*) FILTER (rollback_performed), min(timestamp), max(timestamp),
               histogram(strategy), histogram(error_type), list_distinct(flatten(list(files_modified)))
        FROM read_json('{pattern}', format = 'newline_delimited', columns = {{{columns}}})"""

    def act():
        connection = duckdb.connect()
        connection.execute(f"SET threads = {THREADS}")
        connection.execute(query).fetchall()

    return timed(act)


def polars_statistics(pattern):
    """The same by polars, but for the distinct files."""
    import polars

    def act():
        trail = polars.scan_ndjson(pattern)
        trail.select(
            polars.len(),
            polars.col("success").sum(),
            polars.col("duration_seconds").sum(),
            polars.col("rollback_performed").sum(),
            polars.col("timestamp").min().alias("first"),
            polars.col("timestamp").max().alias("last"),
        ).collect()

    return timed(act)


def original_write(directory, count):
    """What the original does for each attempt: build the entry, open, pretty-print, close."""
    kept = []

    def act():
        for entry in entries(count, "original"):
            entry = dataclasses.replace(entry, entry_id=f"entry_{uuid.uuid4().hex[:12]}")
            kept.append(entry)
            with open(directory / "original_audit.jsonl", "a") as file:
                file.write(json.dumps(dataclasses.asdict(entry), indent=2) + "\n")

    made = timed(lambda: list(entries(count, "original")))
    return (timed(act) - made) / count


def original_export(path, count, style):
    """What the original does to export entries that it has in memory. Scaled from a tenth of them."""
    tenth = list(entries(count // 10, "original"))

    def as_json():
        document = {
            "session_id": "s",
            "total_entries": len(tenth),
            "entries": [dataclasses.asdict(entry) for entry in tenth],
        }
        with open(path, "w") as file:
            json.dump(document, file, indent=2)

    def as_csv():
        with open(path, "w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=ENTRY_FIELDS)
            writer.writeheader()
            for entry in tenth:
                writer.writerow(dataclasses.asdict(entry))

    return timed(as_json if style == "json" else as_csv) * 10


def bare_syncs(path, lines, group):
    """Writes lines with one fdatasync for each group of them."""
    with open(path, "wb", buffering=0) as file:

        def act():
            for at in range(0, len(lines), group):
                file.write(b"".join(lines[at : at + group]))
                os.fdatasync(file.fileno())

        return timed(act)


def sqlite_inserts(path, rows, group):
    """Inserts rows durably, so many in a transaction. The file is as a store would make it: a table of
    the same fields without indexes, a write-ahead log, a sync for each transaction."""
    path.unlink(missing_ok=True)
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute(f"CREATE TABLE entries ({', '.join(ENTRY_FIELDS)})")
    insert = f"INSERT INTO entries VALUES ({', '.join('?' * len(ENTRY_FIELDS))})"

    def act():
        for at in range(0, len(rows), group):
            database.execute("BEGIN")
            database.executemany(insert, rows[at : at + group])
            database.execute("COMMIT")

    spent = timed(act)
    database.close()
    return spent


def log_one_by_one(argv, lines):
    """Gives `recover log` each line when it has acknowledged the one before."""
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:

        def act():
            for line in lines:
                process.stdin.write(line)
                if not process.stdout.readline():
                    sys.exit("a line was not acknowledged")

        return timed(act)


def stat_walk(directory):
    """One look at each file, by a program that does nothing else."""
    return run(["find", str(directory), "-maxdepth", "1", "-name", "*.jsonl", "-size", "+0"])


def statistics_rows(table, recover, one, many):
    name = "session_00000000"
    of_one = [recover, "--store", f"jsonl:{one}", "stats", name, "--json"]
    of_all = [recover, "--store", f"jsonl:{many}", "stats", "--all", "--json"]
    for what, argv, store in (("one session", of_one, one), ("10,000 sessions", of_all, many)):
        pattern = f"{store}/*.jsonl"
        forget = lambda: shutil.rmtree(store / "rollups", ignore_errors=True)
        ours, rival, memory = in_turn(argv, lambda: duckdb_statistics(pattern), before=forget)
        title = f"statistics of 1 M entries, {what}, cold"
        table.row(title, ours, (f"DuckDB, {THREADS} threads", rival), "2 ×", memory)
        ours, rival, memory = in_turn(argv, lambda: polars_statistics(pattern), before=forget)
        table.row(f"the same beside polars, {what}", ours, ("polars", rival), "", memory)
    run(of_one)
    ours, rival, memory = in_turn(of_one, lambda: duckdb_statistics(f"{one}/*.jsonl"))
    table.row("statistics of 1 M entries, one session, again", ours, ("DuckDB", rival), "≤ 20 ms", memory)
    run(of_all)
    ours, rival, memory = in_turn(of_all, lambda: stat_walk(many))
    table.row("10,000 sessions, again", ours, ("a bare stat walk", rival), "0.33 ×", memory)


def append_to(store, recover, count):
    line = {"session_id": "session_00000000", "strategy": "fix", "success": False, "error_type": "E0308"}
    subprocess.run(
        [recover, "--store", f"jsonl:{store}", "log"],
        input=(json.dumps(line) + "\n").encode() * count,
        stdout=subprocess.DEVNULL,
        check=True,
    )


def reading_rows(table, recover, one, out):
    command = [recover, "--store", f"jsonl:{one}"]
    name = "session_00000000"
    append_to(one, recover, 100)
    argv = [*command, "stats", name, "--json"]
    ours, rival, memory = in_turn(argv, lambda: duckdb_statistics(f"{one}/*.jsonl"), 1)
    table.row("again after 100 more entries", ours, ("DuckDB", rival), "≤ 20 ms", memory)
    argv = [*command, "history", name, "--last", "20"]
    trail = str(one / f"{name}_audit.jsonl")
    ours, rival, memory = in_turn(argv, lambda: run(["tail", "-n", "20", trail]))
    table.row("history --last 20 of 1 M entries", ours, ("tail", rival), "", memory)
    for style in ("json", "csv"):
        argv = [*command, "-q", "export", name, "--format", style, "-o", str(out / f"ours.{style}")]
        theirs = lambda: original_export(out / f"theirs.{style}", 1_000_000, style)
        ours, rival, memory = in_turn(argv, theirs, 3)
        table.row(f"export of 1 M entries as {style.upper()}", ours, ("the original", rival), "10 ×", memory)
    argv = [*command, "-q", "report", name, "--format", "json", "-o", str(out / "report.json")]
    ours, rival, memory = in_turn(argv, lambda: run(["sha256sum", trail]), 3)
    table.row("report of 1 M entries", ours, ("sha256sum of the trail", rival), "", memory)


def writing_rows(table, recover, out):
    count = 64 * 400
    stored, rows, given = [], [], []
    text = out / "given.jsonl"
    for entry in entries(count, "piped"):
        whole = dataclasses.asdict(entry)
        stored.append(json.dumps(whole, separators=(",", ":")).encode() + b"\n")
        rows.append([json.dumps(value) if isinstance(value, list) else value for value in whole.values()])
        line = {key: whole[key] for key in whole if key not in ("entry_id", "attempt_number")}
        given.append(json.dumps(line).encode() + b"\n")
    text.write_bytes(b"".join(given))
    one_by_one(table, [recover, "--store", f"jsonl:{out}/answered", "log"], given[:1000], rows[:1000], out)
    piped = ["sh", "-c", f"exec {recover} --store jsonl:{out}/piped log < {text}"]
    title = f"recover log, {count:,} lines, durable"
    ours, rival, memory = in_turn(piped, lambda: bare_syncs(out / "bare", stored, 64))
    table.row(title, ours, ("bare writes, 64 lines a sync", rival), "0.7 ×", memory)
    ours, rival, memory = in_turn(piped, lambda: sqlite_inserts(out / "rows", rows, 64))
    table.row("the same beside SQLite", ours, ("SQLite, 64 rows a transaction", rival), "", memory)
    rival = original_write(out, 20_000)
    flushed = f"RECOVER_DURABILITY=flush exec {recover} --store jsonl:{out}/flushed log < {text}"
    each = statistics.median(run(["sh", "-c", flushed]) for _ in range(ROUNDS)) / count
    table.row("recover log without syncs, a line", each, ("the original, an entry", rival), "")


def one_by_one(table, argv, given, rows, out):
    """Durable appends each of which is waited for, ours through two pipes."""
    ours, rival = [], []
    for _ in range(ROUNDS):
        rival.append(sqlite_inserts(out / "rows", rows, 1) / len(rows))
        ours.append(log_one_by_one(argv, given) / len(given))
    rival = ("SQLite, a transaction", statistics.median(rival))
    table.row("recover log, a durable line and its answer", statistics.median(ours), rival, "")


def growth(recover, work, plots):
    """How the cost of statistics grows with entries and with sessions, cold and again."""
    print("\n| entries | sessions | statistics, cold | again |", flush=True)
    print("|--:|--:|--:|--:|", flush=True)
    points = []
    shapes = [(10**power, 1) for power in range(4, 8)] + [(10**6, 100), (10**6, 10_000)]
    for count, sessions in shapes:
        store = fill(work / f"grow_{count}_{sessions}", count, sessions)
        argv = [recover, "--store", f"jsonl:{store}", "stats", "--all", "--json"]
        cold = []
        for _ in range(3):
            shutil.rmtree(store / "rollups", ignore_errors=True)
            cold.append(run(argv))
        again = statistics.median(run(argv) for _ in range(3))
        points.append((count, sessions, statistics.median(cold), again))
        print(f"| {count:,} | {sessions:,} | {show(points[-1][2])} | {show(again)} |", flush=True)
        shutil.rmtree(store)
    writers = writers_growth(recover, work)
    if plots:
        draw(points, writers, plots)


def writers_growth(recover, work):
    """Entries a second that so many processes append durably to one session."""
    print("\n| processes that write one session | entries/s, durable |", flush=True)
    print("|--:|--:|", flush=True)
    line = json.dumps({"session_id": "s", "strategy": "fix", "success": False, "error_type": "E0308"})
    points = []
    for writers in (1, 8, 64):
        each = 3200 // writers
        text = ((line + "\n") * each).encode()
        argv = [recover, "--store", f"jsonl:{work}/writers_{writers}", "log"]
        began = time.perf_counter()
        processes = [
            subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) for _ in range(writers)
        ]
        for process in processes:
            process.stdin.write(text)
            process.stdin.close()
        if any(process.wait() for process in processes):
            sys.exit("a writer failed")
        rate = writers * each / (time.perf_counter() - began)
        points.append((writers, rate))
        print(f"| {writers} | {rate:,.0f} |", flush=True)
    return points


def draw(points, writers, plots):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "auto-recovery"
    from matplotlib import pyplot

    figure, (left, middle, right) = pyplot.subplots(1, 3, figsize=(13, 3.6))
    one = [(count, cold, again) for count, sessions, cold, again in points if sessions == 1]
    million = [(sessions, cold, again) for count, sessions, cold, again in points if count == 10**6]
    for axes, shown, xlabel in (
        (left, one, "entries in one session"),
        (middle, million, "sessions of 1,000,000 entries"),
    ):
        axes.loglog([p[0] for p in shown], [p[1] for p in shown], "o-", label="cold")
        axes.loglog([p[0] for p in shown], [p[2] for p in shown], "s-", label="again")
        axes.set(xlabel=xlabel, ylabel="seconds", title="recover stats")
        axes.grid(alpha=0.3)
        axes.legend()
    right.plot([p[0] for p in writers], [p[1] for p in writers], "o-")
    right.set(xlabel="processes writing one session", ylabel="entries/s, durable", title="recover log", ylim=(0, None))
    right.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(pathlib.Path(plots) / "growth.svg", metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recover", help="the program to measure")
    parser.add_argument("--plots", help="directory for the plots")
    arguments = parser.parse_args()
    recover = os.path.abspath(arguments.recover)
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        os.environ["HOME"] = name
        one = fill(work / "one", 1_000_000, 1)
        many = fill(work / "many", 1_000_000, 10_000)
        table = Table()
        statistics_rows(table, recover, one, many)
        reading_rows(table, recover, one, work)
        writing_rows(table, recover, work)
        shutil.rmtree(one)
        shutil.rmtree(many)
        growth(recover, work, arguments.plots)


if __name__ == "__main__":
    main()
