//! `adeval eval`: from files to numbers, and what is said of files that are wrong. The logs are synthetic.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a failing test")]

use adeval_tests::Room;
use serde_json::Value;
use std::path::{Path, PathBuf};

const FORMATS: [&str; 3] = ["csv", "jsonl", "parquet"];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/logs").join(name)
}

fn expected() -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture("expected.json")).unwrap()).unwrap()
}

/// Asserts that a number is the one that the fixtures' script computed by its definition.
#[track_caller]
fn near(found: &Value, expected: &Value) {
    let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
    assert!((found - expected).abs() < 1e-9 * expected.abs().max(1.0), "{found} is not {expected}");
}

fn room() -> Room {
    Room::with_plugins(&[])
}

/// The same bytes from every format, and the result.
fn in_all_formats(call: &dyn Fn(&Room, &str) -> String) -> Value {
    let room = room();
    let outputs = FORMATS.map(|format| call(&room, format));
    assert_eq!(outputs[0], outputs[1], "CSV and JSON lines differ");
    assert_eq!(outputs[0], outputs[2], "CSV and Parquet differ");
    serde_json::from_str(&outputs[0]).unwrap()
}

#[test]
fn pairs_have_the_accuracy_of_their_definition_in_every_format() {
    let found = in_all_formats(&|room, format| {
        room.adeval("--json eval pairs").arg(fixture(&format!("pairs.{format}"))).run().done().stdout
    });
    let (report, expected) = (&found["judges"][0]["report"], &expected()["pairs"]);
    near(&report["overall"]["accuracy"]["value"], &expected["accuracy"]);
    near(&report["swap_consistency"]["value"], &expected["swap_consistency"]);
    assert_eq!(report["overall"]["pairs"], expected["pairs"]);
    assert_eq!(found["rows"]["used"], 120);
    let categories = report["by_category"].as_array().unwrap();
    assert_eq!(
        categories.iter().map(|c| c["name"].as_str().unwrap()).collect::<Vec<_>>(),
        ["lamps", "mugs", "shoes"]
    );
}

#[test]
fn policies_have_the_values_of_their_definitions_in_every_format() {
    let found = in_all_formats(&|room, format| {
        let call = room.adeval("--json eval ope").arg(fixture(&format!("decisions.{format}")));
        call.arg("--policy").arg(fixture(&format!("policies.{format}"))).run().done().stdout
    });
    let expected = &expected()["ope"];
    for (at, name) in ["A", "B"].into_iter().enumerate() {
        let policy = &found["policies"][at];
        assert_eq!(policy["policy"], name);
        let rows = policy["report"]["estimates"].as_array().unwrap();
        let value = |estimator: Value| {
            let row = rows.iter().find(|row| row["tuned"] == false && row["estimator"] == estimator);
            &row.unwrap_or_else(|| panic!("no {estimator}"))["value"]["value"]
        };
        near(value(serde_json::json!({ "ipw": { "clip": null } })), &expected[name]["ipw"]);
        near(value("snipw".into()), &expected[name]["snipw"]);
        near(value("direct_method".into()), &expected[name]["dm"]);
        near(value(serde_json::json!({ "dr": { "clip": null } })), &expected[name]["dr"]);
        let overlap = &policy["report"]["overlap"];
        near(&overlap["effective_sample_size"], &expected[name]["effective_sample_size"]);
        near(&policy["report"]["logged"]["value"], &expected["logged"]);
    }
    let last = &found["comparisons"][2];
    assert_eq!((&last["policy"], &last["against"]), (&"B".into(), &"A".into()));
    let apart = expected["B"]["snipw"].as_f64().unwrap() - expected["A"]["snipw"].as_f64().unwrap();
    near(&last["difference"]["value"], &apart.into());
}

/// A policy's rows of `adeval eval ope --json` by the estimator's name.
fn row<'a>(found: &'a Value, policy: usize, estimator: &Value) -> &'a Value {
    let rows = found["policies"][policy]["report"]["estimates"].as_array().unwrap();
    let row = rows.iter().find(|row| row["tuned"] == false && row["estimator"] == *estimator);
    row.unwrap_or_else(|| panic!("no {estimator} in {rows:?}"))
}

#[test]
fn the_order_of_rows_changes_nothing() {
    let room = room();
    let text = std::fs::read_to_string(fixture("decisions.csv")).unwrap();
    let (head, rows) = text.split_once('\n').unwrap();
    let policies = std::fs::read_to_string(fixture("policies.csv")).unwrap();
    let (policy_head, listed) = policies.split_once('\n').unwrap();
    // With products, with users, and of one product: with ids and without.
    let users = |row: &str| {
        format!("{row},u{}", row.len() * 7 % 40 + row.bytes().map(usize::from).sum::<usize>() % 90)
    };
    let one = |row: &str| row.split(',').nth(1) == Some("p7");
    let nameless = |row: &str| row.split_once(',').unwrap().1.to_owned();
    let cases: [(&str, String, Vec<String>, &str); 4] = [
        ("products", head.into(), rows.lines().map(str::to_owned).collect(), "product"),
        ("users", format!("{head},cluster"), rows.lines().map(users).collect(), "cluster"),
        ("one", head.into(), rows.lines().filter(|r| one(r)).map(str::to_owned).collect(), "round"),
        ("nameless", nameless(head), rows.lines().filter(|r| one(r)).map(nameless).collect(), "round"),
    ];
    for (name, head, rows, unit) in cases {
        let mut turned: Vec<&str> = rows.iter().map(String::as_str).collect();
        turned.reverse();
        turned.rotate_left(rows.len() / 3);
        let mut other: Vec<&str> = listed.lines().collect();
        other.reverse();
        // Policies stay in their order, which is that of the answer.
        other.sort_by_key(|row| row.split(',').next().map(str::to_owned));
        let file = |kind: &str, head: &str, rows: &[&str]| {
            room.write(&format!("{name}-{kind}.csv"), format!("{head}\n{}\n", rows.join("\n")))
        };
        let straight: Vec<&str> = rows.iter().map(String::as_str).collect();
        let call = |log: &Path, policies: &Path, more: &str| {
            let call = room.adeval(&format!("--json eval ope --resamples 500 {more}"));
            call.arg(log).arg("--policy").arg(policies).run().done().json()
        };
        let found = call(&file("a", &head, &straight), &fixture("policies.csv"), "");
        let again = call(&file("b", &head, &turned), &file("p", policy_head, &other), "");
        assert_eq!(found["unit"], unit);
        alike(&found, &again);
        if name == "users" {
            let bare: Vec<String> =
                listed.lines().map(|r| r.rsplit_once(',').unwrap().0.to_owned()).collect();
            let bare: Vec<&str> = bare.iter().map(String::as_str).collect();
            let bare = file("bare", "policy,product,creative,probability", &bare);
            let logs = [file("a", &head, &straight), file("b", &head, &turned)];
            let [found, again] = logs.map(|log| call(&log, &bare, "--cross-fit 4"));
            assert_eq!(found["cross_fit"], serde_json::json!({ "folds": 4, "by": "cluster" }));
            alike(&found, &again);
        }
    }
}

/// Asserts that two documents are alike but for rounding.
#[track_caller]
fn alike(a: &Value, b: &Value) {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            assert_eq!(x.keys().collect::<Vec<_>>(), y.keys().collect::<Vec<_>>());
            x.keys().for_each(|key| alike(&x[key], &y[key]));
        }
        (Value::Array(x), Value::Array(y)) => {
            assert_eq!(x.len(), y.len());
            x.iter().zip(y).for_each(|(a, b)| alike(a, b));
        }
        (Value::Number(x), Value::Number(y)) => {
            let (x, y) = (x.as_f64().unwrap(), y.as_f64().unwrap());
            assert!((x - y).abs() <= 1e-9 * x.abs().max(1.0), "{x} is not {y}");
        }
        _ => assert_eq!(a, b),
    }
}

#[test]
fn other_intervals_and_weights_are_rows_where_the_log_has_what_they_need() {
    let room = room();
    let log = room.write(
        "log.csv",
        "product,creative,propensity,clicked\np,a,0.5,1\np,b,0.25,0\nq,a,0.5,1\nq,c,0.25,1\n",
    );
    let head = "policy,product,creative,probability,balanced_weight,embedding\n";
    let logged = "log,p,a,0.5,1,x\nlog,p,b,0.25,1,x\nlog,p,c,0.25,1,y\nlog,q,a,0.5,1,x\nlog,q,b,0.25,1,x\nlog,q,c,0.25,1,y\n";
    let new = "new,p,a,0.2,1,x\nnew,p,b,0.2,3,x\nnew,p,c,0.6,1,y\nnew,q,a,1,2,x\nnew,q,c,0,2,y\n";
    let policies = room.write("policies.csv", format!("{head}{logged}{new}"));
    let call = |more: &str| {
        let call = room.adeval(&format!("eval ope --resamples 200 {more}"));
        call.arg(&log).arg("--policy").arg(&policies)
    };
    let found = call("--json --logging log").run().done().json();
    assert_eq!(found["policies"].as_array().unwrap().len(), 1, "the logging policy is not evaluated");
    let value = |name: &str| row(&found, 0, &name.into())["value"]["value"].clone();
    // Weights of embeddings: p shows x with 0.4 of 0.75 and q with 1 of 0.75, y never.
    let [p, q] = [0.4 / 0.75, 1.0 / 0.75];
    near(&value("mipw"), &((p + q) / 4.0).into());
    near(&value("snmipw"), &((p + q) / (2.0 * p + q)).into());
    let balanced = row(&found, 0, &serde_json::json!({ "balanced_ipw": { "clip": null } }));
    near(&balanced["value"]["value"], &((1.0 + 2.0 + 2.0) / (1.0 + 3.0 + 2.0 + 2.0)).into());
    let ipw = row(&found, 0, &serde_json::json!({ "ipw": { "clip": null } }));
    let methods: Vec<_> =
        ipw["intervals"].as_array().unwrap().iter().map(|i| i["method"].as_str().unwrap()).collect();
    assert_eq!(methods, ["student_t", "empirical_bernstein", "hoeffding"]);
    // Two products of two rounds; weights up to 2: 2 x sqrt(ln(2 / 0.05) / (2 x 2)) either way, within [0, 2].
    let reach = 2.0 * (40.0_f64.ln() / 4.0).sqrt();
    near(&ipw["intervals"][2]["high"], &(0.6 + reach).min(2.0).into());
    near(&ipw["intervals"][2]["low"], &0.0.into());

    let page = call("--logging log --interval hoeffding --largest-weight 8").run().done().stdout;
    for word in ["by Hoeffding's bound", "MIPW", "Balanced IPW", "calibrated"] {
        assert!(page.contains(word), "{word}:\n{page}");
    }
    let page = call("--interval bernstein").run().done().stdout;
    assert!(
        page.contains("--logging")
            && page.contains("largest weight that occurred")
            && !page.contains("SNMIPW"),
        "{page}"
    );
    call("--largest-weight 1").run().refused(1, &["importance weight", "[0, 1]"]);
    call("--reward-range 0,0.5").run().refused(1, &["reward is 1", "[0, 0.5]"]);
    // A wrong command line is answered by the parser, with a line about --help.
    let wrong = call("--reward-range 1").run().with_code(2);
    assert!(wrong.stderr.contains("two numbers"), "{wrong:?}");
    call("--logging nobody").run().refused(1, &["no policy \"nobody\"", "log, new"]);
    call("--logging new").run().refused(1, &["line 2", "propensity", "--logging"]);
}

#[test]
fn predictions_are_fitted_without_the_fold_that_they_are_for() {
    let room = room();
    let policies = std::fs::read_to_string(fixture("policies.csv")).unwrap();
    let bare: Vec<&str> = policies.lines().map(|row| row.rsplit_once(',').unwrap().0).collect();
    let bare = room.write("bare.csv", bare.join("\n"));
    let call = |policies: &Path, folds: &str| {
        let call = room.adeval(&format!("eval ope --resamples 500 --cross-fit {folds}"));
        call.arg("--json").arg(fixture("decisions.csv")).arg("--policy").arg(policies)
    };
    let found = call(&bare, "5").run().done().json();
    assert_eq!(found["cross_fit"], serde_json::json!({ "folds": 5, "by": "round" }));
    assert!(found["notes"].to_string().contains("the other of 5 folds of rounds"), "{found}");
    let value = |estimator: Value| row(&found, 1, &estimator)["value"].clone();
    let (dr, ipw) = (
        value(serde_json::json!({ "dr": { "clip": null } })),
        value(serde_json::json!({ "ipw": { "clip": null } })),
    );
    let width = |e: &Value| e["high"].as_f64().unwrap() - e["low"].as_f64().unwrap();
    // By the script's true rates B is worth 0.2028.
    assert!((dr["value"].as_f64().unwrap() - 0.2028).abs() < 0.01, "{dr}");
    assert!(width(&dr) < width(&ipw), "{dr} {ipw}");
    call(&fixture("policies.csv"), "5").run().refused(1, &["predicted", "--cross-fit"]);
    call(&bare, "1").run().refused(1, &["--cross-fit is 1", "2 to 100"]);
}

#[test]
fn slates_have_the_values_of_their_definitions_in_every_format() {
    let found = in_all_formats(&|room, format| {
        room.adeval("--json eval slates").arg(fixture(&format!("slates.{format}"))).run().done().stdout
    });
    let expected = &expected()["slates"];
    assert_eq!((&found["slates"], &found["positions"]), (&600.into(), &3.into()));
    for (at, name) in ["A", "B"].into_iter().enumerate() {
        let policy = &found["policies"][at];
        assert_eq!(policy["policy"], name);
        let rows = policy["report"]["estimates"].as_array().unwrap();
        assert_eq!(rows.len(), expected[name].as_object().unwrap().len());
        for row in rows {
            near(&row["value"]["value"], &expected[name][row["estimator"].as_str().unwrap()]);
        }
        near(&policy["report"]["logged"]["value"], &expected["logged"]);
        let rips = rows.iter().find(|row| row["estimator"] == "rips").unwrap();
        let value = &rips["value"];
        let truth = expected["truth"][name].as_f64();
        assert!(value["low"].as_f64() < truth && truth < value["high"].as_f64(), "{value} {truth:?}");
    }
    assert!(found["notes"].to_string().contains("A: cascade DR is left out"), "{}", found["notes"]);
    let page = room().adeval("eval slates").arg(fixture("slates.csv")).run().done().stdout;
    for word in ["VALUE OF B", "Cascade DR", "top down", "Effective rows"] {
        assert!(page.contains(word), "{word}:\n{page}");
    }
    assert!(page.lines().all(|line| line.starts_with("Note: ") || line.chars().count() <= 100), "{page}");
}

#[test]
fn slates_in_any_order_are_the_same_and_wrong_ones_are_named() {
    let room = room();
    let text = std::fs::read_to_string(fixture("slates.csv")).unwrap();
    let (head, rows) = text.split_once('\n').unwrap();
    let mut turned: Vec<&str> = rows.lines().collect();
    turned.reverse();
    let turned = room.write("turned.csv", format!("{head}\n{}\n", turned.join("\n")));
    let call = |file: &Path| room.adeval("--json eval slates --resamples 500").arg(file).run().done().json();
    assert_eq!(call(&turned), call(&fixture("slates.csv")));

    let head = "slate,position,creative,propensity,clicked,probability\n";
    let good = "s,1,a,0.5,1,0.4\ns,2,b,0.5,0,0.4\nt,1,a,0.5,1,0.4\n";
    let cases: [(&str, &[&str]); 6] = [
        ("t,2,b,0,0,0.4", &["line 5", "propensity", "(0, 1]"]),
        ("t,0,b,0.5,0,0.4", &["line 5", "position", "from 1"]),
        ("t,1,b,0.5,0,0.4", &["line 5", "position", "was there before"]),
        ("t,2,b,0.5,2,0.4", &["line 5", "clicked", "0 or 1"]),
        ("t,2,b,0.5,0,", &["line 5", "probability", "write 0"]),
        ("t,3,b,0.5,0,0.4", &["2 slates lack", "3 positions"]),
    ];
    for (at, (row, words)) in cases.into_iter().enumerate() {
        let file = room.write(&format!("{at}.csv"), format!("{head}{good}{row}\n"));
        room.adeval("eval slates").arg(file).run().refused(1, words);
    }
    let file =
        room.write("skip.csv", format!("{head}{good}t,2,b,0,0,0.4\nu,1,b,0.5,0,0.4\nu,2,a,0.5,0,0.4\n"));
    let found = room.adeval("--json eval slates --skip-bad-rows").arg(file).run().with_code(3).json();
    assert_eq!((&found["slates"], &found["incomplete"]), (&2.into(), &1.into()));
    let file = room.write("none.csv", "slate,position,creative,propensity,clicked\ns,1,a,0.5,1\n");
    room.adeval("eval slates").arg(file).run().refused(1, &["policy is missing", "probability_NAME"]);
}

#[test]
fn models_have_the_simulated_ctr_of_its_definition_in_every_format() {
    let found = in_all_formats(&|room, format| {
        room.adeval("--json eval ranking").arg(fixture(&format!("totals.{format}"))).run().done().stdout
    });
    for (at, model) in ["sharp", "blunt"].into_iter().enumerate() {
        assert_eq!(found["models"][at]["model"], model);
        near(&found["models"][at]["report"]["sctr"]["value"], &expected()["ranking"][model]);
    }
    let names: Vec<_> =
        found["policies"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "uniform",
            "epsilon-greedy, 0.1",
            "Thompson",
            "UCB, width 0.1",
            "scores of sharp",
            "scores of blunt"
        ]
    );
}

#[test]
fn tables_for_people_fit_and_say_what_to_do() {
    let room = room();
    let ope =
        room.adeval("eval ope").arg(fixture("decisions.csv")).arg("--policy").arg(fixture("policies.csv"));
    let pages = [
        (ope.run().done().stdout, ["VERDICT", "SNIPW", "B - A", "Overlap:"]),
        (
            room.adeval("eval pairs").arg(fixture("pairs.csv")).run().done().stdout,
            ["NOISE CEILING", "swap consistency", "CTR ratio", "MEAN PREDICTION"],
        ),
        (
            room.adeval("eval ranking").arg(fixture("totals.csv")).run().done().stdout,
            ["PLAYED BACK", "MODEL sharp", "GAUC", "uniformly at random"],
        ),
    ];
    for (page, words) in pages {
        words.iter().for_each(|word| assert!(page.contains(word), "{word}:\n{page}"));
        let tables =
            page.lines().filter(|line| !line.starts_with("Note: ") && !line.starts_with("Overlap: "));
        tables.for_each(|line| assert!(line.chars().count() <= 100, "{line}"));
    }
}

/// The first lines of a fixture with one replaced.
fn broken(name: &str, line: usize, with: &str) -> String {
    let text = std::fs::read_to_string(fixture(name)).unwrap();
    let lines = text.lines().take(12).enumerate();
    lines.map(|(at, text)| if at + 1 == line { with } else { text }.to_owned() + "\n").collect()
}

#[test]
fn wrong_rows_are_named_with_line_column_and_mend() {
    let cases = [
        ("pairs", 3, "p0,c1,c2,900,588,45,578,0.5,0.5,shoes", ["line 3", "left_clicks", "900 clicks of 588"]),
        ("pairs", 3, "p0,c1,c2,9,0,45,578,0.5,0.5,shoes", ["line 3", "left_impressions", "never shown"]),
        ("pairs", 3, "p0,c1,c1,9,58,45,578,0.5,0.5,shoes", ["line 3", "right", "two creatives"]),
        ("pairs", 3, "p0,c1,c0,9,58,45,578,0.5,0.5,shoes", ["line 3", "left", "was there before"]),
        ("pairs", 4, "p1,c1,c0,9,58,45,578,1.5,0.5,shoes", ["line 4", "p_left", "[0, 1]"]),
        ("pairs", 4, "p1,c1,c0,9.5,58,45,578,0.5,0.5,shoes", ["line 4", "left_clicks", "whole number"]),
        ("pairs", 4, "p1,c1,c0,9,58,45,578,0.5,shoes", ["line 4", "9 fields", "header has 10"]),
        ("totals", 5, "p0,c0,2026-03-04,3,4,0.1,0.1", ["line 5", "clicks", "4 clicks of 3"]),
        ("totals", 3, "p0,c0,2026-03-01,3,2,0.0915,0.075", ["line 3", "creative", "was there before"]),
        ("totals", 3, "p0,c9,2026-03-01,3,2,NaN,0.1", ["line 3", "score_sharp", "finite"]),
        ("decisions", 2, "d0,p34,c2,0,0", ["line 2", "propensity", "(0, 1]"]),
        ("decisions", 2, "d0,p34,c2,,0", ["line 2", "propensity", "no propensity"]),
        ("decisions", 2, "d0,p34,c2,-0.5,0", ["line 2", "propensity", "-0.5"]),
        ("decisions", 2, "d0,p34,c2,NaN,0", ["line 2", "propensity", "finite"]),
        ("decisions", 3, "d0,p34,c2,0.5,0", ["line 3", "id", "was there before"]),
        ("decisions", 3, "d1,p34,c2,0.5,2", ["line 3", "clicked", "0 or 1"]),
        ("decisions", 3, "d1,p999,c2,0.5,1", ["line 3", "product", "policy file"]),
    ];
    let room = room();
    for (table, line, with, words) in cases {
        let file = room.write(&format!("{table}.csv"), broken(&format!("{table}.csv"), line, with));
        let call = |more: &str| {
            let command = match table {
                "decisions" => "ope",
                "totals" => "ranking",
                _ => table,
            };
            let call = room.adeval(&format!("eval {command} {more}")).arg(&file);
            if table == "decisions" { call.arg("--policy").arg(fixture("policies.csv")) } else { call }
        };
        let skipped = call("--json --skip-bad-rows").run();
        call("").run().refused(1, &words);
        let rows = skipped.with_code(3).json()["rows"].clone();
        assert_eq!((&rows["read"], &rows["used"]), (&11.into(), &10.into()), "{with}");
        assert_eq!(rows["left_out"][0]["rows"], 1);
        assert_eq!(rows["left_out"][0]["first_row"], line as u64 - 1);
    }
}

#[test]
fn wrong_files_are_refused_in_one_sentence() {
    let room = room();
    let text = std::fs::read_to_string(fixture("pairs.csv")).unwrap();
    let parquet = std::fs::read(fixture("pairs.parquet")).unwrap();
    let mut latin = text.clone().into_bytes();
    let at = text.find("shoes").unwrap();
    latin[at] = 0xe9;
    let json = std::fs::read_to_string(fixture("pairs.jsonl")).unwrap();
    let (first, second) = json.split_once('\n').unwrap();
    let twice = format!("{first}\n{}", second.replacen('{', "{\"p_left\": 0.5, ", 1));
    let cases: [(&str, Vec<u8>, &[&str]); 10] = [
        (
            "typo.csv",
            text.replace("left_clicks", "left_click").into(),
            &["left_click", "did you mean \"left_clicks\""],
        ),
        (
            "less.csv",
            text.replacen("p_left,p_left_swapped", "a,b", 1).into(),
            &["unknown column \"a\"", "--ignore"],
        ),
        ("latin.csv", latin, &["line 2", "category", "UTF-8"]),
        ("half.parquet", parquet[..parquet.len() / 2].to_vec(), &["half.parquet", "damaged"]),
        ("empty.csv", text.lines().next().unwrap().into(), &["empty.csv", "no row"]),
        ("pairs.xlsx", text.clone().into(), &["pairs.xlsx", ".parquet"]),
        ("list.jsonl", b"[1, 2]\n".to_vec(), &["line 1", "JSON object"]),
        ("keys.jsonl", b"{\"product\": 1}\n".to_vec(), &["\"left\" is missing"]),
        ("twice.jsonl", twice.into(), &["line 2", "\"p_left\"", "twice"]),
        ("text.csv.gz", text.clone().into(), &["text.csv.gz", "damaged"]),
    ];
    for (name, bytes, words) in cases {
        let file = room.write(name, bytes);
        room.adeval("eval pairs").arg(file).run().refused(1, words);
    }
    room.adeval("eval pairs nowhere.csv").run().refused(1, &["nowhere.csv", "cannot be opened"]);
    let policy = "product,creative,probability\np0,c0,0.5\np0,c1,0.4\n";
    let policy = room.write("policy.csv", policy);
    let call = room.adeval("eval ope").arg(fixture("decisions.csv")).arg("--policy").arg(policy);
    call.run().refused(1, &["policy.csv", "\"p0\"", "add up to 0.9"]);
}

#[test]
fn one_creative_a_product_is_no_choice() {
    let room = room();
    let file = room.write("t.csv", "product,creative,impressions,clicks\na,x,10,1\nb,y,10,2\n");
    room.adeval("eval ranking").arg(file).run().refused(1, &["products with two creatives"]);
    let file = room.write(
        "u.csv",
        "product,creative,impressions,clicks\na,x,10,1\nb,y,10,2\nb,z,10,3\nc,y,10,2\nc,z,10,3\n",
    );
    let found = room.adeval("--json eval ranking").arg(file).run().done().json();
    assert_eq!((&found["products"], &found["single"]), (&2.into(), &1.into()));
    assert!(found["notes"].to_string().contains("1 products have one creative"), "{found}");
}

#[test]
fn a_policy_by_scores_shows_the_best() {
    let room = room();
    let log = "product,creative,propensity,clicked\np,a,0.5,1\np,b,0.5,0\nq,a,0.5,1\nq,b,0.5,0\n";
    let (log, scores) = (
        room.write("log.csv", log),
        room.write("scores.csv", "product,creative,score\np,a,2\np,b,1\nq,a,1\nq,b,1\n"),
    );
    let call = |more: &str| {
        let call = room.adeval(&format!("--json eval ope {more}")).arg(&log).arg("--policy").arg(&scores);
        call.run().done().json()["policies"][0]["report"]["estimates"].clone()
    };
    let snipw = |rows: &Value| {
        let rows = rows.as_array().unwrap().clone();
        rows.into_iter().find(|r| r["estimator"] == "snipw").unwrap()["value"]["value"].clone()
    };
    // Weights: p shows a for certain (2, 0), q either (1, 1).
    near(&snipw(&call("")), &0.75.into());
    // With chance 1 any: all weights 1.
    near(&snipw(&call("--epsilon 1")), &0.5.into());
}

/// Judgements of three entries by two judges on twelve products, each pair in both orders.
fn judgements(second: &dyn Fn(usize, usize, usize) -> f64) -> String {
    let mut text = String::from("judge,product,left,right,p_left\n");
    for product in 0..12_usize {
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            // The first judge: the earlier entry wins, but "x" and "y" tie on every fourth product.
            let p = if (a, b) == (0, 1) && product.is_multiple_of(4) { 0.5 } else { 0.8 };
            for (judge, p) in [("one", p), ("two", second(product, a, b))] {
                let [a, b] = [a, b].map(|entry| ["x", "y", "z"][entry]);
                text += &format!("{judge},p{product},{a},{b},{p}\n{judge},p{product},{b},{a},{}\n", 1.0 - p);
            }
        }
    }
    text
}

#[test]
fn judgements_become_win_rates_strengths_and_agreement() {
    let room = room();
    let alike = |product: usize, a: usize, b: usize| {
        if (a, b) == (0, 1) && product.is_multiple_of(4) { 0.5 } else { 0.9 }
    };
    let file = room.write("alike.csv", judgements(&alike));
    let found = room.adeval("--json eval compare").arg(file).run().done().json();
    let judge = &found["judges"][0];
    let standing = |at: usize, key: &str| judge["entries"][at][key]["value"].clone();
    assert_eq!(
        judge["entries"].as_array().unwrap().iter().map(|e| &e["entry"]).collect::<Vec<_>>(),
        ["x", "y", "z"]
    );
    // x ties with y on 3 of 12 products: (9 + 1.5) / 12 against y, all against z.
    near(&standing(0, "win_rate"), &((10.5 / 12.0 + 1.0) / 2.0).into());
    near(&standing(1, "win_rate"), &((1.5 / 12.0 + 1.0) / 2.0).into());
    near(&standing(2, "win_rate"), &0.0.into());
    near(&judge["matrix"][0]["win_rate"]["value"], &(10.5 / 12.0).into());
    near(&judge["matrix"][0]["ties"], &0.25.into());
    near(&judge["ties"], &(3.0 / 36.0).into());
    assert_eq!((&judge["pairs"], &judge["swap_consistency"]), (&36.into(), &1.0.into()));
    let strengths: Vec<f64> = (0..3).map(|at| standing(at, "strength").as_f64().unwrap()).collect();
    assert!(strengths[0] > strengths[1] && strengths[1] > strengths[2], "{strengths:?}");
    assert!(strengths.iter().sum::<f64>().abs() < 1e-9, "log-odds have mean 0: {strengths:?}");
    near(&found["agreement"]["value"], &1.0.into());

    let against = |product: usize, a: usize, b: usize| 1.0 - alike(product, a, b);
    let file = room.write("against.csv", judgements(&against));
    let found = room.adeval("--json eval compare").arg(&file).run().done().json();
    assert!(found["agreement"]["value"].as_f64() < Some(-0.5), "{}", found["agreement"]);
    assert_eq!(found["judges"][1]["entries"][0]["entry"], "z");
    let page = room.adeval("eval compare").arg(file).run().done().stdout;
    for word in ["WIN RATE", "A WINS", "Krippendorff", "both orders"] {
        assert!(page.contains(word), "{word}:\n{page}");
    }
    assert!(page.lines().all(|line| line.starts_with("Note: ") || line.chars().count() <= 100), "{page}");
}

#[test]
fn judgements_by_winner_are_those_by_probability() {
    let room = room();
    let by_winner = "product,left,right,winner\np,x,y,left\np,y,x,x\nq,x,y,tie\nr,y,x,right\n";
    let by_chance = "product,left,right,p_left\np,x,y,1\np,y,x,0\nq,x,y,0.5\nr,y,x,0\n";
    let of = |name: &str, text: &str| {
        let file = room.write(name, text);
        room.adeval("--json eval compare").arg(file).run().done().json()
    };
    let found = of("winner.csv", by_winner);
    assert_eq!(found["judges"], of("chance.csv", by_chance)["judges"]);
    assert!(found["notes"].to_string().contains("2 of 3 pairs were asked in one order only"), "{found}");
    let cases: [(&str, &[&str]); 4] = [
        ("p,x,x,left", &["line 2", "right", "itself"]),
        ("p,x,y,z", &["line 2", "winner", "neither left"]),
        ("p,x,y,left\np,x,y,left", &["line 3", "left", "asked before"]),
        ("p,x,y,", &["line 2", "winner", "no value"]),
    ];
    for (at, (rows, words)) in cases.into_iter().enumerate() {
        let file = room.write(&format!("{at}.csv"), format!("product,left,right,winner\n{rows}\n"));
        room.adeval("eval compare").arg(file).run().refused(1, words);
    }
}
