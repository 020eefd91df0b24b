//! `adeval data`: public layouts into tables, tables looked at, tables split. All data is synthetic.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a failing test")]

use adeval_tests::{Room, pictures};
use image::{DynamicImage, Rgb, RgbImage};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/logs").join(name)
}

fn room() -> Room {
    Room::with_plugins(&[])
}

/// The lines of a CSV file, without its header.
fn rows(path: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

#[test]
fn creative_ranking_becomes_pairs_by_the_papers_filter() {
    let room = room();
    let call = |out: &str| {
        let call = room.adeval("--json data import creative-ranking").arg(fixture("creative_ranking.txt"));
        call.args(["--to", "pairs", "--seed", "3", "--out", out]).run().done().json()
    };
    let found = call("pairs.csv");
    // Counted from the file by the definition: more than 1000 impressions, a click, a ratio from 1.05 to 1.20.
    let funnel = serde_json::json!({
        "items": 24, "creatives": 68, "shown_enough": 38, "clicked": 38, "pairs": 25, "kept": 8
    });
    assert_eq!(found["pairs"], funnel);
    assert_eq!((&found["rows"]["read"], &found["written"]), (&204.into(), &8.into()));
    let pairs = rows(&room.path("pairs.csv"));
    let mut left_wins = 0;
    for pair in &pairs {
        let number = |at: usize| -> f64 { pair[at].parse().unwrap() };
        let (left, right) = (number(3) / number(4), number(5) / number(6));
        let ratio = left.max(right) / left.min(right);
        assert!((1.05..=1.2).contains(&ratio) && number(4) > 1000.0 && number(6) > 1000.0, "{pair:?}");
        let smoothed = (number(3) + 2.0402) / (number(4) + 2.0402 + 54.0625);
        assert!((number(7) - smoothed).abs() < 1e-15, "{pair:?}");
        left_wins += usize::from(left > right);
    }
    assert!(left_wins > 0 && left_wins < pairs.len(), "sides are drawn: {left_wins} of {}", pairs.len());
    // The same pairs again in another format, and on other sides with another seed.
    call("again.parquet");
    let check = room.adeval("--json data check again.parquet").run().done().json();
    assert_eq!((&check["table"], &check["rows"]["used"]), (&"pairs".into(), &8.into()));
    let is_there = room.adeval("data import creative-ranking").arg(fixture("creative_ranking.txt"));
    is_there.args(["--out", "pairs.csv"]).run().refused(1, &["pairs.csv", "already"]);
    room.adeval("eval pairs pairs.csv").run().refused(1, &["pairs.csv", "p_left"]);
}

#[test]
fn creative_ranking_by_day_is_what_eval_ranking_reads() {
    let room = room();
    for out in ["days.csv", "days.parquet", "days.jsonl.gz"] {
        let call = room.adeval("data import creative-ranking").arg(fixture("creative_ranking.txt"));
        call.args(["--out", out]).run().done();
    }
    let of = |file: &str| room.adeval(&format!("--json eval ranking {file}")).run().done().stdout;
    assert_eq!(of("days.csv"), of("days.parquet"));
    assert_eq!(of("days.csv"), of("days.jsonl.gz"));
    let call = room.adeval("--json data import creative-ranking").arg(fixture("creative_ranking.txt"));
    assert_eq!(call.args(["--to", "creatives", "--out", "c.csv"]).run().done().json()["written"], 68);
    assert_eq!(room.adeval("--json eval ranking c.csv").run().done().json()["days"], 1);
}

#[test]
fn rows_that_are_left_out_are_counted_and_written_down() {
    let room = room();
    let text =
        "i\ta.jpg\t1\t10\t2\ni\ta.jpg\t1\t10\t2\ni\tb.jpg\t1\t3\t4\ni\tb.jpg\t1\tmany\t4\ni\tc.jpg\t1\t9\n";
    let file = room.write("list.txt", text);
    let call = |more: &[&str]| {
        let call = room.adeval("--json data import creative-ranking").arg(&file).args(more);
        call.run()
    };
    call(&["--out", "a.csv"]).refused(1, &["line 2", "image", "was there before", "--skip-bad-rows"]);
    assert!(!room.path("a.csv").exists(), "a file that was not finished is not there");
    let found = call(&["--out", "a.csv", "--skip-bad-rows", "--rejects", "rejects.csv"]).with_code(3).json();
    let reasons: Vec<&str> =
        found["rows"]["left_out"].as_array().unwrap().iter().map(|l| l["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["uneven_fields", "not_a_count", "clicks_above_impressions", "duplicate"]);
    let rejects = std::fs::read_to_string(room.path("rejects.csv")).unwrap();
    let lines: Vec<&str> = rejects.lines().collect();
    assert_eq!(lines.len(), 5);
    assert!(lines[2].contains("line 3,clicks,clicks above impressions"), "{rejects}");
    assert_eq!(rows(&room.path("a.csv")).len(), 1);
}

#[test]
fn open_bandit_becomes_a_bandit_log() {
    let room = room();
    let mut text = String::from(
        ",timestamp,item_id,position,click,propensity_score,user_feature_0,user-item_affinity_0,user-item_affinity_1\n",
    );
    for row in 0..60 {
        let (item, click) = (row % 4, u8::from(row % 7 == 0));
        text += &format!(
            "{row},2019-11-24 00:{row:02}:34.762830+00:00,{item},{},{click},0.25,81ce,0.0,1.0\n",
            row % 3 + 1
        );
    }
    let file = room.write("all.csv", text);
    let import = |out: &str, more: &[&str]| {
        let call = room.adeval("--json data import open-bandit").arg(&file).args(["--out", out]).args(more);
        call.run().done().json()
    };
    let found = import("log.parquet", &["--campaign", "all"]);
    assert_eq!(found["written"], 60);
    assert!(found["notes"][0].as_str().unwrap().starts_with("3 columns"), "{found}");
    let policy = "product,creative,probability\nall,0,0.7\nall,1,0.1\nall,2,0.1\nall,3,0.1\n";
    let policy = room.write("policy.csv", policy);
    let value = room.adeval("--json eval ope log.parquet --policy").arg(&policy).run().done().json();
    assert_eq!((&value["unit"], &value["units"]), (&"round".into(), &60.into()));
    import("positions.csv", &["--by-position"]);
    let check = room.adeval("--json data check positions.csv").run().done().json();
    assert_eq!((&check["inventory"]["products"], &check["inventory"]["clicks"]), (&3.into(), &9.into()));
    let bad = room.write("bad.csv", ",timestamp,item_id,position,click,propensity_score\n0,t,1,1,0,0\n");
    let call = room.adeval("data import open-bandit").arg(bad).args(["--out", "bad.jsonl"]);
    call.run().refused(1, &["line 2", "propensity_score", "(0, 1]"]);
}

#[test]
fn the_papers_json_is_told_by_what_is_in_it() {
    let room = room();
    let import = |name: &str, text: &str, out: &str| {
        let file = room.write(name, text);
        room.adeval("--json data import caig").arg(file).args(["--out", out]).run()
    };
    let side = |hash: &str, shown: u32, clicks: u32| {
        format!(
            r#"{{"creative_image_hash": "{hash}", "exp_impression_cnt": {shown}, "exp_click_cnt": {clicks}}}"#
        )
    };
    let pairs = format!(r#"{{"0": [{}, {}]}}"#, side("a", 2000, 44), side("b", 3000, 60));
    assert_eq!(import("counted.json", &pairs, "pairs.csv").done().json()["written"], 1);
    assert_eq!(rows(&room.path("pairs.csv"))[0], ["0", "a", "b", "44", "2000", "60", "3000"]);
    let label = |left: f64, answer: &str| {
        format!(
            r#"[{{"id": "0_1", "image": "0_1.png", "left_ctr": {left}, "right_ctr": 0.02, "target": "right",
            "conversations": [{{"from": "human", "value": "?"}}, {{"from": "gpt", "value": "{answer}"}}]}}]"#
        )
    };
    let found =
        import("test.json", &label(0.019, "The left part will attract more customers."), "labels.jsonl");
    let found = found.done().json();
    assert_eq!(found["written"], 1);
    assert!(found["notes"].to_string().contains("1 answers in words name the other side"), "{found}");
    import("wrong.json", &label(0.03, "Right"), "wrong.csv")
        .refused(1, &["wrong.json", "row 1", "target", "0.03"]);
    let products = r#"[{"id": "1", "image": "images/1.png", "new_caption": "a piano"}]"#;
    import("tiny.json", products, "products.json").done();
    let written: Value =
        serde_json::from_str(&std::fs::read_to_string(room.path("products.json")).unwrap()).unwrap();
    assert_eq!(written, serde_json::json!([{ "id": "1", "image": "images/1.png", "title": "a piano" }]));
    import("odd.json", r#"[{"x": 1}]"#, "odd.csv").refused(1, &["odd.json", "none of CAIG's"]);
    import("cut.json", &products[..40], "cut.json.json").refused(1, &["cut.json", "damaged"]);
}

#[test]
fn judgements_and_slates_are_checked_too() {
    let room = room();
    let rows = "p,x,y,left\np,y,x,x\nq,x,y,tie\nq,x,x,left\nq,x,y,nobody\nr,y,x,right\n";
    let file = room.write("judged.csv", format!("product,left,right,winner\n{rows}"));
    let found = room.adeval("--json data check").arg(&file).run().with_code(1).json();
    let inventory = &found["inventory"];
    assert_eq!((&found["table"], &found["rows"]["used"]), (&"judgements".into(), &4.into()));
    assert_eq!((&inventory["products"], &inventory["entries"]), (&3.into(), &2.into()));
    assert_eq!((&inventory["judges"], &inventory["pairs"]), (&1.into(), &serde_json::json!([3, 2])));
    let reasons = found["rows"]["left_out"].as_array().unwrap().iter().map(|l| l["reason"].clone());
    assert_eq!(reasons.collect::<Vec<_>>(), ["out_of_range", "same_creative"]);
    let page = room.adeval("data check").arg(&file).run().with_code(1).stdout;
    for word in ["a table of judgements", "entries", "2 of 3 pairs were asked about in one order only"] {
        assert!(page.contains(word), "{word}:\n{page}");
    }
    let slates = "slate,position,creative,propensity,clicked,probability\ns,1,a,0.5,1,0.4\ns,2,b,0.5,0,0.4\nt,1,a,0.5,1,0.4\n";
    let file = room.write("slates.csv", slates);
    let found = room.adeval("--json data check").arg(file).run().with_code(1).json();
    assert_eq!((&found["table"], &found["inventory"]["slates"]), (&"slates".into(), &2.into()));
    assert!(found["broken"][0].as_str().unwrap().contains("1 slates lack one of the 2 positions"), "{found}");
}

#[test]
fn a_check_counts_what_is_wrong_and_says_what_is_odd() {
    let room = room();
    let clean = room.adeval("--json data check").arg(fixture("decisions.csv")).run().done().json();
    assert_eq!((&clean["table"], &clean["rows"]["ignored"]), (&"decisions".into(), &Value::Null));
    for (name, kind) in [
        ("pairs.parquet", "pairs"),
        ("totals.jsonl", "totals"),
        ("policies.csv", "policies"),
        ("slates.parquet", "slates"),
    ] {
        assert_eq!(room.adeval("--json data check").arg(fixture(name)).run().done().json()["table"], kind);
    }
    let mut text =
        b"id,product,creative,propensity,clicked,region\n1,p,a,0.5,1,x\n1,p,a,0.5,1,x\n2,p,a,0,1,x\n"
            .to_vec();
    text.extend(b"3,p,a,,1,x\n4,pi\xe9,a,0.5,1,x\n5,p,a,0.5,7,x\n6,p,a,0.0001,1\n");
    let file = room.write("log.csv", text);
    let found = room.adeval("--json data check").arg(&file).run().with_code(1).json();
    let counts: Vec<(String, u64)> = found["rows"]["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| (l["reason"].as_str().unwrap().to_owned(), l["rows"].as_u64().unwrap()))
        .collect();
    let expected =
        [("uneven_fields", 1), ("not_utf8", 1), ("out_of_range", 1), ("propensity", 2), ("duplicate", 1)];
    assert_eq!(counts, expected.map(|(reason, rows)| (reason.to_owned(), rows)));
    assert_eq!(found["rows"]["ignored"][0], "region");
    assert_eq!((&found["inventory"]["single"], &found["rows"]["used"]), (&1.into(), &1.into()));
    let page = room.adeval("data check").arg(&file).run().with_code(1).stdout;
    for word in ["not UTF-8", "line 4, column \"propensity\"", "region", "one creative only"] {
        assert!(page.contains(word), "{word}:\n{page}");
    }
    assert!(
        page.lines().all(|line| line.starts_with("Note")
            || line.starts_with("Unknown")
            || line.chars().count() <= 100)
    );
    let parquet = std::fs::read(fixture("decisions.parquet")).unwrap();
    let half = room.write("half.parquet", &parquet[..parquet.len() / 2]);
    room.adeval("data check").arg(half).run().refused(1, &["half.parquet", "damaged"]);
    let wide: Vec<u8> = "product,creative\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let wide = room.write("wide.csv", [b"\xff\xfe".to_vec(), wide].concat());
    room.adeval("data check").arg(wide).run().refused(1, &["wide.csv", "UTF-16"]);
    let odd = room.write("odd.csv", "a,b\n1,2\n");
    room.adeval("data check").arg(odd).run().refused(1, &["odd.csv", "--table"]);
}

fn products_of(path: &Path, column: usize) -> BTreeSet<String> {
    rows(path).into_iter().map(|mut row| row.swap_remove(column)).collect()
}

#[test]
fn a_split_by_product_keeps_products_together_and_files_alike() {
    let room = room();
    let split = |file: &str, out: &str| {
        let call = room.adeval("--json data split --by product --seed 5 --out").arg(out).arg(fixture(file));
        call.run().done().json()
    };
    let manifest = split("totals.csv", "a");
    let parts = manifest["parts"].as_array().unwrap();
    let total: u64 = parts.iter().map(|p| p["rows"].as_u64().unwrap()).sum();
    assert_eq!(manifest["rows"]["used"], total);
    assert_eq!(manifest["leaks"]["products"], 0);
    let names = ["train", "validation", "test"];
    let sets = names.map(|name| products_of(&room.path(&format!("a/{name}.csv")), 0));
    assert!(sets[0].is_disjoint(&sets[1]) && sets[0].is_disjoint(&sets[2]) && sets[1].is_disjoint(&sets[2]));
    assert!(sets[0].len() > sets[2].len(), "{sets:?}");
    let again = split("totals.csv", "b");
    assert_eq!(again["parts"], manifest["parts"], "the same seed, the same files");
    let written: Value =
        serde_json::from_str(&std::fs::read_to_string(room.path("a/split.json")).unwrap()).unwrap();
    assert_eq!(written, manifest);
    // Another format has the same products in the same parts, and its numbers stay numbers.
    split("totals.parquet", "c");
    let check = room.adeval("--json data check c/train.parquet").run().done().json();
    assert_eq!(check["inventory"]["products"], sets[0].len());
    let of = |file: &str| room.adeval(&format!("--json eval ranking {file}")).run().done().stdout;
    assert_eq!(of("a/train.csv"), of("c/train.parquet"));
    let call = room.adeval("data split --by product --out a").arg(fixture("totals.csv"));
    call.run().refused(1, &["train.csv", "already"]);
}

#[test]
fn a_split_by_time_keeps_the_last_days_for_the_end() {
    let room = room();
    let call = |more: &[&str]| {
        let call = room.adeval("--json data split --by time --column day").arg(fixture("totals.csv"));
        call.args(more).run()
    };
    // Products are sold on all days: that they are in both parts is told.
    let found = call(&["--parts", "train=0.75,test=0.25", "--out", "a"]).with_code(3).json();
    assert!(found["leaks"]["products"].as_u64() > Some(0));
    let from = found["parts"][1]["from"].as_str().unwrap().to_owned();
    let (train, test) = (products_of(&room.path("a/train.csv"), 2), products_of(&room.path("a/test.csv"), 2));
    assert!(train.iter().all(|day| *day < from) && test.iter().all(|day| *day >= from));
    let share = found["parts"][0]["rows"].as_f64().unwrap() / found["rows"]["used"].as_f64().unwrap();
    assert!((share - 0.75).abs() < 0.2, "{share}");
    let cut = call(&["--parts", "train=0.5,test=0.5", "--cuts", &from, "--out", "b"]).with_code(3).json();
    assert_eq!(cut["parts"][0]["hash"], found["parts"][0]["hash"]);
    call(&["--parts", "a=0.5,b=0.4", "--out", "c"]).refused(1, &["--parts", "0.9"]);
    call(&["--cuts", "2,1", "--out", "c"]).refused(1, &["--cuts", "rise"]);
    call(&["--cuts", "1", "--out", "c"]).refused(1, &["1 --cuts make 2 parts"]);
    let call = room.adeval("data split --by time --column week --out d").arg(fixture("totals.csv"));
    call.run().refused(1, &["no column \"week\"", "\"day\""]);
}

#[test]
fn pictures_that_are_nearly_the_same_leak() {
    let room = room();
    // Squares of a grey of their own, so that no two pictures are alike.
    let squares = |k: u32| {
        RgbImage::from_fn(96, 96, move |x, y| {
            let mixed = (x / 12 * 73_856_093) ^ (y / 12 * 19_349_663) ^ (k * 83_492_791);
            let grey = (mixed.wrapping_mul(2_654_435_761) >> 24) as u8;
            Rgb([grey, grey, grey / 2])
        })
    };
    let mut text = String::from("product,creative,impressions,clicks\n");
    for product in 0..12_u32 {
        text += &format!("p{product},c{product},100,3\n");
        let picture = if product == 11 { squares(0) } else { squares(product) };
        // The copy is smaller than the original.
        let picture = DynamicImage::from(picture);
        let picture = if product == 11 { picture.thumbnail(64, 64) } else { picture };
        if product != 5 {
            room.write(&format!("pictures/c{product}.png"), pictures::png(&picture));
        }
    }
    let file = room.write("totals.csv", text);
    let mut leaked = 0;
    for seed in 0..6 {
        let call =
            room.adeval("--json data split --by product --parts a=0.5,b=0.5 --images pictures --distance 16");
        let call = call.args(["--seed", &seed.to_string(), "--out", &format!("s{seed}")]).arg(&file).run();
        let part = |file: &str, name: &str| std::fs::read_to_string(room.path(file)).unwrap().contains(name);
        let a = format!("s{seed}/a.csv");
        let apart = part(&a, "p0,") != part(&a, "p11,");
        let pictures = call.with_code(if apart { 3 } else { 0 }).json()["leaks"]["pictures"].clone();
        assert_eq!((&pictures["missing"], &pictures["first_missing"][0]), (&1.into(), &"c5".into()));
        assert_eq!(pictures["pairs"], u64::from(apart), "{pictures}");
        leaked += u32::from(apart);
    }
    assert!(leaked > 0 && leaked < 6, "some seeds part the copy from its original: {leaked}");
}
