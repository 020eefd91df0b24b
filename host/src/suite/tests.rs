use super::*;

const GOOD: &str = r#"
name = "t"
metrics = ["win-rate"]
[products]
path = "products.json"
[[entry]]
id = "a"
prompt = { plugin = "p", parameters = { style = "studio" } }
background = { plugin = "b", steps = 30 }
[[judge]]
id = "j"
plugin = "j"
"#;

const OPTIMIZERS: &str = "name = \"t\"\n[[optimizer]]\nid = \"o\"\nplugin = \"dpo\"\n";

fn message(text: &str) -> String {
    Suite::parse(text, Path::new("dir/s.toml")).unwrap_err().to_string()
}

#[test]
fn a_small_suite_has_the_documented_defaults() {
    let suite = Suite::parse(GOOD, Path::new("dir/s.toml")).unwrap();
    assert_eq!((suite.size, suite.samples, suite.seed), ([512, 512], 1, 0));
    assert_eq!(suite.entries[0].prompt.parameters["style"], "studio");
    assert_eq!(suite.entries[0].background.steps, Some(30));
    assert_eq!(suite.resolve(&suite.products.path), Path::new("dir/products.json"));
}

#[test]
fn unknown_names_are_met_with_the_nearest_known_one() {
    let metric = message(&GOOD.replace("win-rate", "winrat"));
    assert!(metric.contains("s.toml:3") && metric.contains("unknown metric \"winrat\""), "{metric}");
    assert!(metric.contains("did you mean \"win-rate\"") && metric.contains("frechet-distance"), "{metric}");
    let key = message(&GOOD.replace("path =", "pth ="));
    assert!(key.contains("unknown key \"pth\"") && key.contains("did you mean \"path\""), "{key}");
}

#[test]
fn absurd_suites_are_refused_in_one_sentence() {
    let cases = [
        (GOOD.replace("name = \"t\"", "name = \"t\"\nsize = [0, 512]"), "size = [0, 512]"),
        (GOOD.replace("name = \"t\"", "name = \"t\"\nsize = [512, 9000]"), "between 1 and 8192"),
        (GOOD.replace("name = \"t\"", "name = \"../t\""), "one word"),
        (GOOD.replace("name = \"t\"", "name = \"t\"\nsamples = 0"), "samples = 0"),
        (GOOD.replace("products.json\"", "products.json\"\nlimit = 0"), "limit = 0"),
        (GOOD.replace("win-rate", "frechet-distance"), "[embedder]"),
        ("name = \"t\"\nproducts = { path = \"p\" }".into(), "no [[entry]]"),
        ("name = \"t\"".into(), "products"),
        (GOOD.replace("path = \"products.json\"", ""), "s.toml:"),
        (GOOD.replace("[products]\npath = \"products.json\"\n", ""), "no [products]"),
        (format!("{OPTIMIZERS}learning_rate = 0.0"), "learning_rate must be above 0"),
        (format!("{OPTIMIZERS}[bandit]\nseeds = 1"), "bandit.seeds = 1"),
        (format!("{OPTIMIZERS}[bandit]\ncreatives = 10"), "bandit.creatives = 10"),
        (GOOD.replace("style = \"studio\"", "share = nan"), "entry \"a\".prompt.parameters.share = nan"),
        (GOOD.replace("steps = 30", "parameters = { light = inf }"), "background.parameters.light = inf"),
        ("name = [".into(), "s.toml:1"),
    ];
    for (text, needle) in cases {
        let message = message(&text);
        assert!(message.contains(needle), "{needle}: {message}");
        assert!(!message.contains('\n') && message.len() < 300, "{message}");
    }
    let twice = GOOD.replace(
        "[[judge]]",
        "[[entry]]\nid = \"a\"\nprompt = { plugin = \"p\" }\nbackground = { plugin = \"b\" }\n[[judge]]",
    );
    assert!(message(&twice).contains("two entry tables have the id \"a\""));
}

#[test]
fn optimizers_need_neither_products_nor_entries() {
    let suite = Suite::parse(OPTIMIZERS, Path::new("s.toml")).unwrap();
    assert_eq!(
        (suite.optimizers[0].learning_rate, suite.bandit.seeds, suite.bandit.creatives),
        (0.05, 20, 6400)
    );
}

#[test]
fn nearest_does_not_guess_wildly() {
    assert_eq!(
        nearest("scene-backgroun", ["scene-background", "photo-background"]),
        Some("scene-background")
    );
    assert_eq!(nearest("zzz", ["scene-background"]), None);
}

#[test]
fn the_default_suite_is_a_suite() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/suites/default.toml");
    let suite = Suite::load(&file).unwrap();
    assert_eq!((suite.entries.len(), suite.judges.len(), suite.metrics.len()), (6, 1, 7));
    for path in [&suite.products.path, &suite.reference.as_ref().unwrap().path] {
        assert!(suite.resolve(path).exists(), "{}", path.display());
    }
}
