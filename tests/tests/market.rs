//! `adeval market`: one seed, one market; logs that every command reads; truth that the estimates recover.
//! All clicks are synthetic.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a failing test")]

use adeval_tests::{Room, built, wait_for};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn room() -> Room {
    let room = Room::with_plugins(&[built::REAL.as_slice(), &[built::LEARNING]].concat());
    room.products(4);
    room
}

const SMALL: &str = "--json market products/products.json --size 96x96";

/// Makes a market and gives what it says of itself.
fn make(room: &Room, options: &str) -> Value {
    room.adeval(&format!("{SMALL} {options}")).run().done().json()
}

/// Every file below a folder, by its name.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// The rows of a CSV file without quotes, as objects; the last column may hold commas in quotes.
fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let text = fs::read_to_string(path).unwrap();
    let head: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    let row = |line: &str| {
        let cells = line.splitn(head.len(), ',').map(|cell| cell.trim_matches('"').to_owned());
        head.iter().map(ToString::to_string).zip(cells).collect()
    };
    text.lines().skip(1).map(row).collect()
}

fn number(row: &BTreeMap<String, String>, column: &str) -> f64 {
    row[column].parse().unwrap()
}

#[test]
fn one_seed_is_one_market_and_every_page_says_synthetic() {
    let room = room();
    let options = "--prompt-generator categorical-prompt --samples 2 --impressions 200 --log csv";
    let made = make(&room, &format!("{options} --seed 5 --out a"));
    let schema: Value = serde_json::from_str(include_str!("../../schemas/market.schema.json")).unwrap();
    jsonschema::validate(&schema, &made).unwrap();
    make(&room, &format!("{options} --seed 5 --out b"));
    make(&room, &format!("{options} --seed 6 --out c"));
    let [a, b, c] = ["a", "b", "c"].map(|folder| files(&room.path(folder)));
    assert_eq!(a, b);
    let pictures = a.keys().filter(|name| name.starts_with("creatives")).count();
    assert_eq!((pictures, &made["market"]["creatives"]), (8, &8.into()));
    for table in [
        "log.synthetic.csv",
        "creative_ranking.synthetic.txt",
        "totals.synthetic.csv",
        "designs.synthetic.jsonl",
        "policies.synthetic.csv",
        "truth/creatives.csv",
    ] {
        assert_ne!(a[Path::new(table)], c[Path::new(table)], "{table}");
    }
    for (name, bytes) in &a {
        let text = String::from_utf8_lossy(bytes).to_lowercase();
        let told = text.contains("synthetic") || name.to_string_lossy().contains("synthetic");
        // Pictures and lists of them are what the plugins made; the truth's table lies beside its README.
        let real = ["creatives", "pairs", "creatives.csv", "truth/creatives.csv"]
            .iter()
            .any(|own| name.starts_with(own));
        assert!(told || real, "{} does not say that it is synthetic", name.display());
    }
    let page =
        room.adeval("market products/products.json --size 64x64 --impressions 50 --out page").run().done();
    assert!(page.stdout.starts_with("SYNTHETIC") && page.stdout.contains("BEST POSSIBLE"), "{page:?}");
    room.adeval(&format!("{SMALL} --out a"))
        .run()
        .refused(1, &["a holds a finished market", "another folder"]);
    room.adeval(&format!("{SMALL} --appeal 40 --out d")).run().refused(1, &["appeal is 40", "[0, 10]"]);
}

#[test]
fn every_command_reads_the_logs_and_estimates_recover_the_truth() {
    let room = room();
    let made = make(&room, "--preset easy --samples 3 --impressions 3000 --seed 3 --out m");
    let (market, truth) = (&made["market"], &made["truth"]);
    let check = room.adeval("--json data check m/log.synthetic.parquet").run().done().json();
    assert_eq!((&check["table"], &check["rows"]["used"]), (&"decisions".into(), &market["impressions"]));
    assert_eq!(
        (&check["inventory"]["clicks"], &check["inventory"]["products"]),
        (&market["clicks"], &4.into())
    );
    room.adeval("data split m/log.synthetic.parquet --by product --out parts").run().done();

    let ope = "--json eval ope m/log.synthetic.parquet --policy m/policies.synthetic.csv --resamples 500";
    let ope = room.adeval(ope).run().done().json();
    let mut checked = 0;
    for policy in ope["policies"].as_array().unwrap() {
        let known = truth["values"][policy["policy"].as_str().unwrap()].as_f64().unwrap();
        for estimate in policy["report"]["estimates"].as_array().unwrap() {
            if estimate["estimator"] == "snipw" {
                let [low, high] = ["low", "high"].map(|end| estimate["value"][end].as_f64().unwrap());
                assert!((low..=high).contains(&known), "{known} is not in [{low}, {high}]: {policy}");
                checked += 1;
            }
        }
    }
    assert_eq!(checked, 2, "the logging policy and the uniform one");

    let days = "data import creative-ranking m/creative_ranking.synthetic.txt --out days.csv";
    room.adeval(days).run().done();
    let days = rows(&room.path("days.csv"));
    assert!(days.iter().all(|day| number(day, "clicks") <= number(day, "impressions")));
    let all: f64 = days.iter().map(|day| number(day, "impressions")).sum();
    assert_eq!(Some(all), market["impressions"].as_f64());
    let ranking = room.adeval("--json eval ranking days.csv --resamples 200").run().done().json();
    assert_eq!((&ranking["products"], &ranking["days"]), (&4.into(), &7.into()));
}

#[test]
fn a_judge_who_knows_the_truth_reaches_the_ceiling_that_is_told() {
    let room = room();
    let made = make(&room, "--samples 6 --impressions 4000 --seed 9 --out m");
    let known: BTreeMap<String, f64> = rows(&room.path("m/truth/creatives.csv"))
        .iter()
        .map(|row| (row["creative"].clone(), number(row, "true_ctr")))
        .collect();
    let mut judged = String::from(
        "product,left,right,left_clicks,left_impressions,right_clicks,right_impressions,p_left\n",
    );
    let pairs = rows(&room.path("m/pairs.synthetic.csv"));
    for pair in &pairs {
        let columns = [
            "product",
            "left",
            "right",
            "left_clicks",
            "left_impressions",
            "right_clicks",
            "right_impressions",
        ];
        let cells = columns.map(|column| pair[column].clone()).join(",");
        let left = f64::from(u8::from(known[&pair["left"]] > known[&pair["right"]]));
        judged += &format!("{cells},{left}\n");
    }
    assert!(pairs.len() >= 5, "{} pairs", pairs.len());
    room.write("judged.csv", judged);
    let report = room.adeval("--json eval pairs judged.csv --resamples 200").run().done().json();
    let accuracy = report["judges"][0]["report"]["overall"]["accuracy"]["value"].as_f64().unwrap();
    let told = &made["truth"]["paper_pairs"];
    assert_eq!(told["pairs"].as_u64(), Some(pairs.len() as u64));
    assert!((accuracy - told["drawn"].as_f64().unwrap()).abs() < 1e-12, "{accuracy}: {told}");

    let labelled =
        room.adeval("--json data import caig m/pairs.synthetic.json --out labelled.csv").run().done().json();
    assert_eq!(labelled["written"].as_u64(), Some(pairs.len() as u64));
    for row in rows(&room.path("labelled.csv")) {
        let size = image::image_dimensions(room.path("m").join(&row["image"])).unwrap();
        assert_eq!(size, (192, 96), "two creatives side by side");
    }
}

#[test]
fn pixels_move_the_true_ctr_and_words_do_not() {
    let room = room();
    // One prompt generator and one seed: the same words, drawn in two ways.
    let entry = |id: &str, parameters: &str| {
        format!(
            "[[entry]]\nid = \"{id}\"\nprompt = {{ plugin = \"template-prompt\" }}\nbackground = {{ plugin = \"scene-background\", parameters = {{ {parameters} }} }}\n"
        )
    };
    let text = format!(
        "name = \"twice\"\nsize = [96, 96]\nsamples = 2\nmetrics = [\"win-rate\"]\n[products]\npath = \"products/products.json\"\n{}{}",
        entry("low", "horizon = 0.2"),
        entry("high", "horizon = 1.2")
    );
    // A judge that is not installed is not missed, since none is asked.
    let suite = room.write("twice.toml", text + "[[judge]]\nid = \"j\"\nplugin = \"nowhere\"\n");
    room.adeval("market --impressions 50 --preset easy --out m").arg(&suite).run().done();
    let made = rows(&room.path("m/creatives.csv"));
    let truth: BTreeMap<String, String> = rows(&room.path("m/truth/creatives.csv"))
        .into_iter()
        .map(|row| (row["creative"].clone(), row["true_ctr"].clone()))
        .collect();
    let (mut compared, mut moved) = (0, 0);
    for low in made.iter().filter(|row| row["entry"] == "low") {
        let is_twin = |row: &&BTreeMap<String, String>| {
            row["entry"] == "high" && row["product"] == low["product"] && row["sample"] == low["sample"]
        };
        let high = made.iter().find(is_twin).unwrap();
        assert_eq!(low["prompt"], high["prompt"]);
        let pixels = |row: &BTreeMap<String, String>| fs::read(room.path("m").join(&row["image"])).unwrap();
        let same = pixels(low) == pixels(high);
        assert_eq!(same, truth[&low["creative"]] == truth[&high["creative"]]);
        compared += 1;
        moved += usize::from(!same);
    }
    assert!(compared == 8 && moved >= 6, "{moved} of {compared} moved");
    let distinct: BTreeSet<&String> = truth.values().collect();
    assert!(distinct.len() > 8, "{} different true CTRs", distinct.len());
}

#[test]
fn an_interrupted_market_goes_on_and_ends_with_the_same_bytes() {
    let room = room();
    let options = "--samples 100 --impressions 20 --log csv";
    make(&room, &format!("{options} --out whole"));
    let kept = room.path("stopped/.rendering/records.jsonl");
    let records = || fs::read_to_string(&kept).map_or(0, |text| text.lines().count());
    let running = room.adeval(&format!("{SMALL} {options} --out stopped")).start();
    wait_for("the first creatives", || records() > 6);
    running.signal(Signal::INT);
    let ended = running.wait().with_code(130);
    assert!(ended.stderr.contains("goes on from there"), "{ended:?}");
    assert!(records() > 6 && !room.path("stopped/market.json").exists());
    make(&room, &format!("{options} --out stopped"));
    assert_eq!(files(&room.path("whole")), files(&room.path("stopped")));
}
