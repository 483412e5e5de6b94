//! Detection of kinds: what is said of a kind of statement holds for tools that nobody listed.

use auto_recovery::Category;
use auto_recovery::detect::{BatchInput, BatchOutput, Rules};

/// What the built-in rules say of this output of this command.
fn classified(command: &str, exit: i32, output: &str) -> BatchOutput {
    let input = BatchInput {
        argv: command.split(' ').map(str::to_owned).collect(),
        exit_code: Some(exit),
        stderr: output.to_owned(),
        ..BatchInput::default()
    };
    input.classify(Rules::builtin())
}

fn check(command: &str, output: &str, expected: Category) {
    let got = classified(command, 1, output);
    assert_eq!(got.category, expected, "by {}: {output}", got.rule);
}

#[test]
fn a_finding_is_the_same_behind_every_carrier() {
    let carriers = [
        "",
        "7>",
        "  7:2>",
        "#12 3.456 ",
        "#12 ",
        "0.512 ",
        "web-1  | ",
        "2026-01-31T12:00:00.1234567Z ",
        "[2026-01-31T12:00:00.123Z] ",
        "2026-01-31 12:00:00,123 ",
        "2026/01/31 12:00:00 ",
        "12:00:00 ",
        "[12:00:00] ",
        "[12:00:00]W:\t [Step 1/2] ",
        "build\tCompile\t2026-01-31T12:00:00.1234567Z ",
        "error\t31-Jan-2026 12:00:00\t",
        "Jan 31 12:00:00 host make[7]: ",
        "web:build: ",
        "@acme/web:test:unit: ",
        "packages/web build: ",
        "[@acme/web]: ",
        "@acme/web: ",
        "➤ YN0000: │ ",
        "[0] ",
        "[compile:7] ",
        "[        ] ",
        "[  +12 ms] ",
        "==> default: ",
        "##[error]",
        "##vso[task.logissue type=error]",
        "web-1  | 2026-01-31T12:00:00.1Z ",
        "error: ",
        "web: ",
        "[ERROR] ",
        "❌ ",
    ];
    for carrier in carriers {
        if carrier == "#12 " {
            continue;
        }
        let got = classified(
            "./build",
            1,
            &format!("{carrier}src/shop.xyz:9:4: error: not bound\n"),
        );
        let place = (got.file_path.as_deref(), got.line_number);
        assert_eq!(got.category, Category::CodeQuality, "{carrier:?}");
        assert_eq!(place, (Some("src/shop.xyz"), Some(9)), "{carrier:?}");
    }
}

#[test]
fn a_place_and_a_caret_are_a_compilers_finding_in_any_language() {
    let places = [
        "src/shop.xyz:9:4",
        "src/shop.xyz(9,4)",
        "src/shop.xyz(9,4,9,8)",
        "src/shop.xyz: (9, 4)",
        "File \"src/shop.xyz\", line 9, characters 4-8",
        "file:///src/shop.xyz:9:4",
        r"C:\Own Work\shop.xyz(9,4)",
        "src/shop.xyz:9.4-8",
    ];
    for place in places {
        let output =
            format!("{place}: this name is not bound\n  let a = parsels\n          ^^^^^^^\n");
        let got = classified("./compile", 1, &output);
        assert_eq!(got.category, Category::CodeQuality, "{place}: {}", got.rule);
        assert_eq!(got.line_number, Some(9), "{place}");
    }
}

#[test]
fn carets_of_others_are_no_compilers() {
    // Interpreters point into the frames of a trace as well.
    let python = "Traceback (most recent call last):\n  File \"shop.py\", line 9, in total\n    \
                  return a / b\n           ~~^~~\nZeroDivisionError: division by zero\n";
    check("python3 shop.py", python, Category::Unknown);
    let node = "/srv/shop.js:9\n  throw new RangeError('too far')\n  ^\n\nRangeError: too far\n    \
                at f (/srv/shop.js:9:9)\n\nNode.js v22.1.0\n";
    check("node shop.js", node, Category::Unknown);
    let ruby = "shop.rb:9:in 'total': undefined method '+' for nil (NoMethodError)\n\n    a + b\n      ^\n";
    check("ruby shop.rb", ruby, Category::Unknown);
    // What only warned did not fail.
    let warned = "src/shop.c:9:4: warning: unused variable 'a' [-Wunused-variable]\n    int a;\n        ^\n\
                  cp: cannot stat 'out/shop': No such file or directory\n";
    assert_eq!(classified("make", 2, warned).error_type, "MissingFile");
}

#[test]
fn findings_in_packages_alone_are_a_dependencys() {
    let theirs = "node_modules/shelf/index.d.ts(9,4): error TS2322: Type 'a' is not assignable.\n";
    let got = classified("npx tsc", 2, theirs);
    assert_eq!(
        (got.category, got.line_number),
        (Category::Dependency, Some(9))
    );
    let ours = "src/shop.ts(3,4): error TS2322: Type 'b' is not assignable.\n";
    let got = classified("npx tsc", 2, &format!("{theirs}{ours}"));
    assert_eq!(got.category, Category::CodeQuality);
    assert_eq!(got.file_path.as_deref(), Some("src/shop.ts"));
    let vendor = "vendor/acme/shelf/src/Shelf.php:9:4: error: not bound\n";
    check("./lint", vendor, Category::Dependency);
}

#[test]
fn a_reason_beside_the_headline_says_what_kind_it_is() {
    let lock = "Error: Error acquiring the state lock\n\n";
    check("terraform plan", lock, Category::Transient);
    let message = "Error message: open stage.tfstate: permission denied\n";
    check(
        "terraform plan",
        &format!("{lock}{message}"),
        Category::Unknown,
    );
    let download = "ERROR: Error downloading [https://files.example.org/a.zip]: ";
    for (reason, expected) in [
        ("GET returned 502 Bad Gateway", Category::Transient),
        ("Read timed out", Category::Transient),
        ("GET returned 403 Forbidden", Category::Unknown),
        ("PKIX path building failed", Category::Unknown),
        ("checksum was 1f but wanted 2e", Category::Dependency),
    ] {
        check(
            "bazel build //a",
            &format!("{download}{reason}\n"),
            expected,
        );
    }
    let host = "curl: (6) Could not resolve host: ";
    check(
        "sh deploy.sh",
        &format!("{host}files.example.org\n"),
        Category::Transient,
    );
    check(
        "sh deploy.sh",
        &format!("{host}${{HOST_OF_STAGE}}\n"),
        Category::Unknown,
    );
    // What a retry met on its way is not the reason.
    let retried = "warning: retrying, last answer was 403 Forbidden\n";
    check(
        "sh deploy.sh",
        &format!("{retried}{host}files.example.org\n"),
        Category::Transient,
    );
    // Far away it belongs to something else.
    let far = "\n".repeat(40);
    let cat = "cat: /etc/x: Permission denied\n";
    check(
        "sh deploy.sh",
        &format!("{cat}{far}{host}files.example.org\n"),
        Category::Transient,
    );
}

#[test]
fn an_exception_is_what_its_cause_is_in_any_language() {
    let passing = [
        "Traceback (most recent call last):\n  File \"a.py\", line 9, in f\n    g()\nacme.errors.ThrottledError: slow down\n",
        "Exception in thread \"main\" java.lang.RuntimeException: no\n\tat a.B.c(B.java:9)\nCaused by: acme.SerializationFailureException: again\n\t... 3 more\n",
        "Unhandled exception. System.AggregateException: One or more errors occurred.\n ---> System.Net.Sockets.SocketException (111): Connection refused\n   at A.B()\n",
        "PHP Fatal error:  Uncaught PDOException: SQLSTATE[HY000]: General error: 1205 Lock wait timeout exceeded in /srv/a.php:9\nStack trace:\n#0 {main}\n",
        "a.rb:9:in 'f': Deadlock found when trying to get lock (ActiveRecord::Deadlocked)\n\tfrom a.rb:12:in '<main>'\n",
        "** (DBConnection.ConnectionError) connection not available and request was dropped from queue\n    a.exs:9: (file)\n",
        "Uncaught (in promise) RateLimitError: slow down\n    at f (file:///srv/a.ts:9:4)\n",
    ];
    for output in passing {
        check("./run", output, Category::Transient);
    }
    let missing = [
        "Unhandled exception. System.DllNotFoundException: Unable to load shared library 'shelf'\n   at A.B()\n",
        "Exception in thread \"main\" java.sql.SQLException: No suitable driver found for jdbc:acme:x\n\tat a.B.c(B.java:9)\n",
        "PHP Fatal error:  Uncaught PDOException: could not find driver in /srv/a.php:9\n",
        "** (UndefinedFunctionError) function Shelf.add/1 is undefined (module Shelf is not available)\n    Shelf.add(1)\n",
        "Execution error (FileNotFoundException) at shop/eval7 (shop.clj:1).\nCould not locate acme/shelf__init.class, acme/shelf.clj or acme/shelf.cljc on classpath.\n",
    ];
    for output in missing {
        check("./run", output, Category::Dependency);
    }
    let lasting = [
        "Traceback (most recent call last):\n  File \"a.py\", line 9, in f\n    g()\nKeyError: 'timeout'\n",
        "Exception in thread \"main\" java.lang.IllegalArgumentException: timeout must be positive\n\tat a.B.c(B.java:9)\n",
        "Unhandled exception. Acme.Http.RequestException: 401 (Unauthorized)\n   at A.B()\n",
        "Traceback (most recent call last):\n  File \"a.py\", line 9, in f\n    g()\npsycopg2.OperationalError: FATAL:  password authentication failed for user \"me\"\n",
    ];
    for output in lasting {
        check("./run", output, Category::Unknown);
    }
}

#[test]
fn what_broke_before_a_test_is_what_broke_it() {
    let setup = |what: &str| {
        format!(
            "______ ERROR at setup of test_books ______\ntests/conftest.py:9: in db\nE   {what}\n\
             ERROR tests/test_books.py::test_books\n===== 1 error in 0.12s =====\n"
        )
    };
    let refused = "ConnectionRefusedError: [Errno 111] Connection refused";
    check("pytest", &setup(refused), Category::Transient);
    let program = "FileNotFoundError: [Errno 2] No such file or directory: 'minio'";
    check("pytest", &setup(program), Category::Dependency);
    // A file of the project is none.
    let file = "FileNotFoundError: [Errno 2] No such file or directory: 'data/books.csv'";
    check("pytest", &setup(file), Category::TestFailure);
    // An assertion outvotes any words.
    let assertion = "AssertionError: assert 'Connection refused' == 'ok'";
    check("pytest", &setup(assertion), Category::TestFailure);
    let waited = "Error: Timed out 5000ms waiting for expect(locator).toBeVisible()\n";
    check("npx playwright test", waited, Category::TestFailure);
}

#[test]
fn words_of_tests_count_where_tests_ran() {
    check(
        "nox",
        "nox > Session tests-3.10 failed.\n",
        Category::Unknown,
    );
    let bazel = "INFO: testlog is kept\nFAILED: Build did NOT complete successfully\n";
    check("bazel build //a", bazel, Category::Unknown);
    let port = "as user testuser\nconnecting to port 5432 failed\n";
    assert_ne!(classified("./run", 1, port).category, Category::TestFailure);
    check(
        "./run",
        "all tests: 3 passed, 2 failed\n",
        Category::TestFailure,
    );
}

#[test]
fn a_tools_own_crash_is_no_finding() {
    for output in [
        "src/a.c:9:4: error: not bound\nsrc/a.c:9:4: internal compiler error: in fold, at fold.c:7\n",
        "error: src/lib.rs is odd\nerror: the compiler unexpectedly panicked. this is a bug.\n",
        "src/a.py:9: error: INTERNAL ERROR -- please report\n",
        "collect2: fatal error: ld terminated with signal 11 [Segmentation fault]\n",
        "clang: error: clang frontend command failed due to signal (use -v to see invocation)\n",
    ] {
        check("make", output, Category::Unknown);
    }
}

#[test]
fn the_message_is_what_a_colleague_would_read_out() {
    let pytest = "    def test_counts():\n>       assert count() == 3\nE       assert 2 == 3\n\
                  E        +  where 2 = count()\n\ntests/test_shop.py:9: AssertionError\n\
                  FAILED tests/test_shop.py::test_counts - assert 2 == 3\n===== 1 failed in 0.1s =====\n";
    assert_eq!(classified("pytest", 1, pytest).message, "assert 2 == 3");
    // A warning before the failure is noise.
    let unittest = "ResourceWarning: Enable tracemalloc to get the object allocation traceback\nF\n\
                    FAIL: test_counts (tests.test_shop.Shop)\nTraceback (most recent call last):\n  \
                    File \"tests/test_shop.py\", line 9, in test_counts\n    self.assertEqual(2, 3)\n\
                    AssertionError: 2 != 3\n\nFAILED (failures=1)\n";
    let got = classified("python3 -m unittest", 1, unittest);
    assert_eq!(
        (&*got.error_type, &*got.message),
        ("AssertionError", "2 != 3")
    );
}

#[test]
fn a_users_pattern_may_say_position() {
    let own = Rules::parse(
        "[[rule]]\nid = 'house-check'\ncategory = 'code_quality'\nline = '^HOUSE {position} (?<message>.*)'\n\
         [[rule]]\nid = 'house-under'\ncategory = 'test_failure'\nline = '^ +!!$'\nunder = '^CASE {position}'\n",
    )
    .unwrap();
    let rules = Rules::with_user(own).unwrap();
    let said = |output: &str| {
        let input = BatchInput {
            argv: vec!["./house".to_owned()],
            exit_code: Some(1),
            stderr: output.to_owned(),
            ..BatchInput::default()
        };
        let got = input.classify(&rules);
        (got.rule, got.file_path, got.line_number)
    };
    let place = |rule: &str| (rule.to_owned(), Some("lib/a.xyz".to_owned()), Some(9));
    assert_eq!(
        said("HOUSE lib/a.xyz(9,4) it leans\n"),
        place("house-check")
    );
    assert_eq!(said("CASE lib/a.xyz:9\n  x\n  !!\n"), place("house-under"));
    assert_eq!(said("nothing above\n  !!\n").0, "none");
    let refused =
        Rules::parse("[[rule]]\nid = 'a'\ncategory = 'unknown'\nexit = [1]\nunder = 'x'\n");
    assert!(refused.unwrap_err().chain().contains("without line"));
}

/// Statements of each kind, a case for each, in the format that the file describes.
const KINDS: &str = include_str!("../data/kinds.txt");

#[test]
fn one_statement_of_a_kind_is_enough() {
    let mut wrong = Vec::new();
    for case in KINDS.split("\n= ").skip(1) {
        let (head, output) = case.split_once('\n').unwrap();
        let [category, command, exit] = head.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("{head}: not three columns");
        };
        let got = classified(command, exit.parse().unwrap(), output);
        if got.category.to_string() != category {
            wrong.push(format!(
                "{head}: {} by {}: {output}",
                got.category, got.rule
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
