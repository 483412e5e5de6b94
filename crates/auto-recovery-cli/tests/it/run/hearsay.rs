//! Output that names programs and files: anybody can print it, so it leads to nothing that is not
//! the machine's own tool, at work in this workspace.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use crate::harness::{Machine, Run};

/// Stands for Black: says in `tool-ran` that it ran, and takes double blanks out of its files.
const BLACK: &str = "#!/bin/sh\necho \"$*\" >> \"$HOME/../tool-ran\"\n\
                     for file; do test -f \"$file\" && sed -i 's/  */ /g' \"$file\"; done\nexit 0\n";

/// Says that it was run, which nobody may.
const EVIL: &str = "#!/bin/sh\ntouch \"$HOME/../pwned\"\n";

fn machine() -> Machine {
    let machine = Machine::new();
    for (path, text) in [
        ("bin/black", BLACK),
        ("bin/npx", EVIL),
        ("bin/docker", EVIL),
        ("evil/black", EVIL),
        ("project/venv/bin/black", BLACK),
    ] {
        let program = machine.write(path, text);
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).expect("executable");
    }
    machine.write("project/app.py", "x  =  1\n");
    machine.write("outside/o.py", "x  =  1\n");
    machine
}

/// Recovers a command that prints `lines` and fails while `app.py` has double blanks.
fn run(machine: &Machine, lines: &str) -> Run {
    let root = machine.root().display().to_string();
    machine.write("project/said", &lines.replace("ROOT", &root));
    let script = "cat said; ! grep -q '  ' app.py";
    let mut command = machine.command(&["run", "--", "sh", "-c", script]);
    let path = format!("{root}/bin:/usr/bin:/bin");
    machine.run(command.env("PATH", path))
}

fn is_there(machine: &Machine, path: &str) -> bool {
    machine.root().join(path).exists()
}

#[test]
fn a_tool_that_the_output_shows_is_the_machines_own_or_the_projects() {
    for lines in [
        "black --check .\nwould reformat app.py\n",
        "ROOT/bin/black --check app.py\nwould reformat app.py\n",
        "venv/bin/black --check app.py\nwould reformat app.py\n",
        "PATH=ROOT/evil:$PATH black --check app.py\nwould reformat app.py\n",
        "env LD_PRELOAD=/x.so nice -n 5 black --check app.py\nwould reformat app.py\n",
        "would reformat app.py\n",
    ] {
        let machine = machine();
        // What stands in the folder is mended, too.
        let ran = run(&machine, &lines.replace("--check .", "--check app.py"));
        assert_eq!(ran.code, 0, "{lines}: {ran:?}");
        assert!(is_there(&machine, "tool-ran"), "{lines}");
        assert!(!is_there(&machine, "pwned"), "{lines}");
    }
}

#[test]
fn no_other_program_is_run_because_an_output_shows_it() {
    for lines in [
        "ROOT/evil/black --check app.py",
        "../evil/black --check app.py",
        "nice -n 5 ROOT/evil/black --check app.py",
        "npx --yes --package=evil@latest black --check app.py",
        "docker exec box black --check app.py",
        "docker compose -f ROOT/evil/c.yml exec -T x black --check app.py",
    ] {
        let machine = machine();
        let ran = run(&machine, &format!("{lines}\nwould reformat app.py\n"));
        assert!(!is_there(&machine, "pwned"), "{lines}: {ran:?}");
    }
}

#[test]
fn no_file_outside_of_the_workspace_is_mended() {
    for (lines, typed) in [
        (
            "black --check ../outside/o.py\nwould reformat ../outside/o.py\n",
            None,
        ),
        (
            "black --check ROOT/outside\nwould reformat ROOT/outside/o.py\n",
            None,
        ),
        ("would reformat ROOT/outside/o.py\n", None),
        ("would reformat ../outside/o.py\n", None),
        ("would reformat link.py\n", None),
        ("would reformat folder/o.py\n", None),
        ("would reformat .git/hooks/x.py\n", None),
        ("", Some(["black", "../outside/o.py"])),
        ("", Some(["black", "folder/o.py"])),
    ] {
        let machine = machine();
        symlink("../outside/o.py", machine.work().join("link.py")).expect("a link");
        symlink("../outside", machine.work().join("folder")).expect("a link");
        machine.write("project/.git/hooks/x.py", "x  =  1\n");
        let ran = match typed {
            Some(typed) => {
                let fails = "#!/bin/sh\ncase $* in *--check*) echo would reformat; exit 1; esac\n";
                let tool = machine.write("bin/black", &format!("{fails}{}", &BLACK[10..]));
                fs::set_permissions(tool, fs::Permissions::from_mode(0o755)).expect("executable");
                let args = [&["run", "--"], &typed[..1], &["--check"], &typed[1..]].concat();
                let path = format!("{}/bin:/usr/bin:/bin", machine.root().display());
                machine.run(machine.command(&args).env("PATH", path))
            }
            None => run(&machine, lines),
        };
        for path in ["outside/o.py", "project/.git/hooks/x.py"] {
            let text = fs::read_to_string(machine.root().join(path)).expect("read");
            assert_eq!(text, "x  =  1\n", "{lines} {typed:?}: {ran:?}");
        }
        assert_ne!(ran.code, 0, "{lines} {typed:?}: {ran:?}");
    }
}

/// A script of npm runs a tool that finds something to mend.
const LINT: &str = "\n> price@1.0.0 lint\n> eslint .\n\n\nROOT/project/app.js\n  \
                    1:19  error  Missing semicolon  semi\n\n✖ 1 problem (1 error, 0 warnings)\n  \
                    1 error and 0 warnings potentially fixable with the `--fix` option.\n\n";

#[test]
fn a_tool_of_node_is_that_of_the_package_or_the_machines_own_where_none_has_it() {
    for in_package in [false, true] {
        let machine = machine();
        let eslint = machine.write(
            "bin/eslint",
            "#!/bin/sh\ntouch \"$HOME/../by-name\"\nsed -i 's/  */ /g' app.py\n",
        );
        let npx = machine.write("bin/npx", "#!/bin/sh\ntouch \"$HOME/../by-npx\"\n");
        for program in [eslint, npx] {
            fs::set_permissions(program, fs::Permissions::from_mode(0o755)).expect("executable");
        }
        machine.write("project/package.json", "{}");
        if in_package {
            machine.write("project/node_modules/.bin/eslint", "");
        }
        let ran = run(&machine, LINT);
        assert_eq!(is_there(&machine, "by-npx"), in_package, "{ran:?}");
        assert_eq!(is_there(&machine, "by-name"), !in_package, "{ran:?}");
        assert_eq!(ran.code == 0, !in_package, "{ran:?}");
    }
}
