//! Suites and products that make no sense: one clear message each, and nothing is begun.

use adeval_tests::{Ended, Room, RunDir, Suite};

/// A bench of this suite's text, in a room with two products.
fn bench(text: impl AsRef<[u8]>) -> (Room, Ended) {
    let room = Room::new();
    room.products(2);
    let file = room.write("suite.toml", text);
    let ended = room.adeval("bench").arg(file).run();
    (room, ended)
}

/// Asserts that a suite is refused with these words, and that no run was begun.
#[track_caller]
fn refused(text: impl AsRef<[u8]>, words: &[&str]) {
    let (room, ended) = bench(text);
    ended.refused(1, words);
    assert!(RunDir::find_in(&room.path("runs")).is_none(), "a run was begun");
}

fn good() -> Suite {
    Suite::new("s").entry("e", "well-behaved", "").entry("f", "well-behaved", "red = 10")
}

#[test]
fn the_good_suite_of_these_tests_is_good() {
    bench(good().text()).1.done();
}

#[test]
fn absurd_numbers_are_named_with_their_range() {
    for (key, value, words) in [
        ("size", "[0, 0]", ["size = [0, 0]", "between 1 and 8192"]),
        ("size", "[1000000000, 64]", ["1000000000", "between 1 and 8192"]),
        ("samples", "0", ["samples = 0", "between 1 and 4096"]),
        ("samples", "1000000", ["samples = 1000000", "between 1 and 4096"]),
        ("resamples", "5", ["resamples = 5", "between 100"]),
        ("level", "1.0", ["level = 1", "0.95"]),
        ("level", "nan", ["level = nan", "must be finite"]),
    ] {
        refused(good().set(key, value).text(), &[words[0], words[1], "suite.toml"]);
    }
}

#[test]
fn numbers_of_another_type_are_named_with_their_line() {
    refused(good().set("size", "[-1, 64]").text(), &["suite.toml:5", "-1"]);
    refused(good().set("size", "[99999999999, 64]").text(), &["suite.toml:5", "99999999999"]);
    refused(good().set("samples", "\"many\"").text(), &["suite.toml", "many"]);
}

#[test]
fn entries_are_needed_and_need_ids_of_their_own() {
    refused(Suite::new("s").text(), &["there is no [[entry]]"]);
    let twice = Suite::new("s").entry("e", "well-behaved", "").entry("e", "well-behaved", "");
    refused(twice.text(), &["two entry tables have the id \"e\""]);
    refused(Suite::new("s").entry("a/../b", "well-behaved", "").text(), &["a/../b", "letters, digits"]);
    refused(Suite::new("../s").entry("e", "well-behaved", "").text(), &["../s", "letters, digits"]);
}

#[test]
fn unknown_names_are_mended() {
    let metrics = good().set("metrics", r#"["win-rat"]"#).text();
    refused(metrics, &["unknown metric \"win-rat\"", "did you mean \"win-rate\"?"]);
    refused(good().set("sede", "1").text(), &["unknown key \"sede\"", "did you mean \"seed\"?"]);
    let words = ["entry \"e\": background", "well-behavd", "did you mean \"well-behaved\"?"];
    refused(Suite::new("s").entry("e", "well-behavd", "").text(), &words);
    let words = ["entry \"e\": prompt", "plain-promt", "did you mean \"plain-prompt\"?"];
    refused(Suite::new("s").entry_with_prompt("e", "plain-promt", "well-behaved", "").text(), &words);
    refused(good().judge("brightnes").text(), &["judge \"eye\"", "did you mean \"brightness\"?"]);
    let words = ["\"plain-prompt\" is a prompt-generator, not a background-generator"];
    refused(Suite::new("s").entry("e", "plain-prompt", "").text(), &words);
}

#[test]
fn parameters_outside_their_schema_are_named_before_anything_is_computed() {
    let of = |parameters: &str| Suite::new("s").entry("e", "sleeps", parameters).text();
    let words = ["entry \"e\": background", "\"milliseconds\" is 0", "from 1 to 60000"];
    refused(of("milliseconds = 0"), &words);
    refused(of("milliseconds = \"long\""), &["\"milliseconds\" is \"long\"", "an integer"]);
    refused(of("millisecond = 5"), &["no parameter \"millisecond\"", "did you mean \"milliseconds\"?"]);
    refused(of("milliseconds = nan"), &["entry \"e\"", "milliseconds"]);
}

#[test]
fn files_that_are_no_suites_are_refused_in_a_line() {
    refused("", &["suite.toml", "name"]);
    refused([0_u8, 159, 146, 150, 255, 0, 7], &["suite.toml"]);
    refused("name = \"s\"\n[products\n", &["suite.toml:2"]);
    refused("{\"name\": \"json\"}", &["suite.toml:1"]);
    let room = Room::new();
    room.adeval("bench nowhere.toml").run().refused(1, &["nowhere.toml", "check the path"]);
    room.adeval("bench .").run().refused(1, &["."]);
}

#[test]
fn ten_megabytes_of_toml_are_read_or_refused_without_a_flood() {
    let mut text = good().text();
    text.push_str(&"# a long comment of no use to anyone\n".repeat(280_000));
    assert!(text.len() > 10_000_000);
    bench(&text).1.done();
    let mut many = good().set("metrics", r#"["product-fidelity"]"#).text();
    for k in 0..100_000 {
        many.push_str(&format!(
            "[[entry]]\nid = \"n{k}\"\nprompt = {{ plugin = \"x\" }}\nbackground = {{ plugin = \"y\" }}\n"
        ));
    }
    refused(&many, &["there is no prompt-generator \"x\""]);
    let nested = format!("name = {}1{}", "[".repeat(100_000), "]".repeat(100_000));
    refused(nested, &["suite.toml"]);
}

#[test]
fn metrics_without_what_they_need_are_refused() {
    let no_judge = good().text().replace("[[judge]]\nid = \"eye\"\nplugin = \"brightness\"\n", "");
    refused(no_judge, &["need a [[judge]]"]);
    let frechet = good().set("metrics", r#"["frechet-distance"]"#);
    refused(frechet.text(), &["need an [embedder] and a [reference]"]);
    let nowhere = frechet.table("[embedder]\nplugin = \"mean-colour\"\n[reference]\npath = \"nowhere\"");
    refused(nowhere.text(), &["nowhere", "reference set"]);
}

#[test]
fn lists_of_products_are_checked() {
    let with_list = |text: &str, words: &[&str]| {
        let room = Room::new();
        room.products(1);
        room.write("products/products.json", text);
        let file = room.suite(&good());
        room.adeval("bench").arg(file).run().refused(1, words);
    };
    with_list("[]", &["products.json"]);
    with_list("{", &["products.json", "not a list of products"]);
    with_list("", &["products.json", "not a list of products"]);
    let twice = r#"[{"id":"p","image":"p0.png","title":"t"},{"id":"p","image":"p0.png","title":"t"}]"#;
    with_list(twice, &["\"p\"", "its own"]);
    with_list(r#"[{"id":"p","image":"p0.png","titel":"t"}]"#, &["products.json", "titel"]);
    let room = Room::new();
    let file = room.suite(&good());
    room.adeval("bench").arg(file).run().refused(1, &["products/products.json", "check the path"]);
}

#[test]
fn a_command_line_that_is_wrong_ends_with_2_and_names_the_word() {
    let room = Room::new();
    for (command, word) in [
        ("bench --limit many", "many"),
        ("bench --timeout 0", "above 0"),
        ("bench --timeout soon", "soon"),
        ("bench --no-such-option", "--no-such-option"),
        ("bake", "bake"),
        ("runs compare one", "<B>"),
        ("schema nothing", "nothing"),
    ] {
        let ended = room.adeval(command).run().with_code(2);
        assert!(ended.stderr.contains(word), "{command}: {ended:?}");
    }
}
