//! `adeval power`: sizes of studies, and what is said of numbers that cannot be.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a failing test")]

use adeval_tests::{Room, Suite};
use serde_json::Value;

fn rows(room: &Room, call: &str) -> Vec<Value> {
    let result = room.adeval(&format!("--json power {call}")).run().done().json();
    result["rows"].as_array().unwrap_or_else(|| panic!("{result}")).clone()
}

#[test]
fn sizes_are_those_of_the_textbooks() {
    let room = Room::with_plugins(&[]);
    // (1.959964 sqrt(2 p q) + 0.841621 sqrt(p1 q1 + p2 q2))^2 / (p1 - p2)^2 of 2% and 2.1%, and of 10% and 12%.
    assert_eq!(rows(&room, "ctr --base 0.02 --rise 0.05")[0]["impressions"], 315_206);
    assert_eq!(rows(&room, "ctr --base 0.1 --rise 0.2")[0]["impressions"], 3841);
    // A standardised difference of 0.5: 34 pairs (Cohen 1988, table 2.4.1).
    assert_eq!(rows(&room, "win-rate --rate 0.6 --deviation 0.2")[0]["products"], 34);
    // Shares of 15% and 5%: (1.959964 sqrt(0.2) + 0.841621 sqrt(0.2 - 0.01))^2 / 0.01.
    assert_eq!(rows(&room, "judges --first 0.6 --second 0.5 --disagree 0.2")[0]["pairs"], 155);
    let grouped =
        rows(&room, "judges --first 0.6 --second 0.5 --disagree 0.2 --group-size 4 --correlation 0.5");
    assert_eq!(grouped[0]["pairs"], 388, "155 x 2.5, rounded up");
}

#[test]
fn a_run_says_what_it_can_see() {
    let suite =
        Suite::new("two").entry("dark", "well-behaved", "red = 10").entry("red", "well-behaved", "red = 240");
    let (room, file) = Room::with_suite(3, &suite);
    let runs = |call: &str| room.adeval(call);
    room.adeval("power run two").run().refused(1, &["two", "runs"]);
    room.adeval("bench").arg(file).run().done();
    // Every product prefers the redder one: without a spread there is nothing to compute from.
    let result = runs("--json power run two").run().done().json();
    assert_eq!(result["rows"].as_array().map(Vec::len), Some(0));
    assert!(result["notes"].to_string().contains("alike on every product"), "{result}");
    // The same with the spread that a judge of more than one mind would leave.
    let run = room.run_in("runs");
    let board = run.path.join("result.json");
    let mut value = run.result();
    value["board"]["pairwise"][0]["deviation"] = 0.5.into();
    value["board"]["pairwise"][0]["difference"]["value"] = 0.25.into();
    std::fs::write(&board, value.to_string()).unwrap();
    let rows = rows(&room, "run two --products 34");
    assert_eq!(rows[0]["products_needed"], 34);
    let detectable = rows[0]["detectable"].as_array().unwrap();
    assert_eq!((&detectable[0]["products"], &detectable[1]["products"]), (&3.into(), &34.into()));
    let seen = detectable[1]["difference"].as_f64().unwrap();
    assert!(
        seen > 0.245 && seen <= 0.25,
        "34 products are the fewest that show 0.25, so they show little less: {seen}"
    );
    value["board"]["pairwise"][0].as_object_mut().unwrap().remove("deviation");
    std::fs::write(&board, value.to_string()).unwrap();
    runs("power run two").run().refused(1, &["no spread", "runs resume"]);
}

#[test]
fn pages_fit_and_say_what_was_assumed() {
    let room = Room::with_plugins(&[]);
    let pages = [
        ("win-rate", ["WIN RATE", "planned to be compared"]),
        ("ctr --base 0.003", ["IMPRESSIONS AN ARM", "independent impressions"]),
        ("judges --first 0.562 --second 0.531", ["independent mistakes", "ceiling"]),
    ];
    for (call, words) in pages {
        let page = room.adeval(&format!("power {call}")).run().done().stdout;
        words.iter().for_each(|word| assert!(page.contains(word), "{word}:\n{page}"));
        let tables = page.lines().filter(|line| !line.starts_with("Note: "));
        tables.for_each(|line| assert!(line.chars().count() <= 100, "{line}"));
    }
}

#[test]
fn impossible_numbers_are_refused_with_their_name() {
    let room = Room::with_plugins(&[]);
    let cases: [(&str, &[&str]); 13] = [
        ("win-rate --rate 0.5", &["--rate", "0.5"]),
        ("win-rate --rate 1", &["--rate", "(0, 1)"]),
        ("win-rate --rate 0.6 --deviation 0.7", &["--deviation", "0.7"]),
        ("win-rate --products 1", &["at least 2"]),
        ("win-rate --power 0.01", &["power", "0.01"]),
        ("win-rate --level 1", &["level", "1"]),
        ("ctr --base 2", &["--base", "2% is 0.02"]),
        ("ctr --base 0.02 --rise 0", &["--rise", "0"]),
        ("ctr --base 0.6 --rise 0.9", &["--rise", "1.14"]),
        ("ctr --base 0.02 --impressions 1.5", &["--impressions", "1.5"]),
        ("ctr --base 0.02 --group-size 8 --correlation 2", &["correlation", "2"]),
        ("judges --first 0.6 --second 0.6", &["equal"]),
        ("judges --first 0.9 --second 0.8 --disagree 0.5", &["--disagree", "0.1000 to 0.3000"]),
    ];
    for (call, words) in cases {
        room.adeval(&format!("power {call}")).run().refused(1, words);
    }
}
