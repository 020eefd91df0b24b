//! The board as the host will call it.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // Helpers of tests may fail and print.

use adeval_eval::leaderboard::{
    Comparison, EntryEvidence, Evidence, Failure, Item, JudgeEvidence, Leaderboard, Options,
    ReferenceFeatures, Score, leaderboard, to_markdown, to_table,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

const QUALITY: [(&str, f64); 4] = [("strong", 1.5), ("twin-a", 0.3), ("twin-b", 0.3), ("weak", -1.5)];

fn evidence(products: usize, dimension: usize) -> Evidence {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut uniform = move || (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let names: Vec<String> = (0..products).map(|p| format!("product-{p:03}")).collect();
    let mut judge = JudgeEvidence { id: "judge".into(), ..Default::default() };
    let mut entries = Vec::new();
    for (id, quality) in QUALITY {
        let mut items = Vec::new();
        for product in &names {
            let row = (0..dimension).map(|_| (uniform() - 0.1 * quality) as f32).collect();
            items.push(Item {
                product: product.clone(),
                sample: 0,
                seconds: Some(0.04 + 0.01 * uniform()),
                fidelity: Some(0.95 + 0.05 * uniform()),
                consistency: None,
                features: BTreeMap::from([("EfficientNet".to_owned(), row)]),
            });
            let ctr = 0.02 + 0.004 * quality + 0.002 * uniform();
            judge.scores.push(Score { entry: id.into(), product: product.clone(), sample: 0, ctr });
        }
        entries.push(EntryEvidence {
            id: id.into(),
            description: format!("{id} entry"),
            planned: products,
            items,
            failures: Vec::new(),
            peak_memory_bytes: Some(120 << 20),
        });
    }
    for product in &names {
        for (a, (left, ql)) in QUALITY.into_iter().enumerate() {
            for (right, qr) in QUALITY.into_iter().skip(a + 1) {
                let p = (1.0 / (1.0 + f64::exp(qr - ql)) + 0.6 * (uniform() - 0.5)).clamp(0.0, 1.0);
                let ask = |left: &str, right: &str, p_left: f64| Comparison {
                    product: product.clone(),
                    sample: 0,
                    left: left.into(),
                    right: right.into(),
                    p_left,
                };
                judge.comparisons.push(ask(left, right, p));
                judge.comparisons.push(ask(right, left, 1.0 - p));
            }
        }
    }
    let rows = (0..150).map(|_| (0..dimension).map(|_| uniform() as f32).collect()).collect();
    Evidence {
        title: "Test suite".into(),
        products: names,
        entries,
        judges: vec![judge],
        references: vec![ReferenceFeatures { encoder: "EfficientNet".into(), rows }],
        notes: vec!["The shop data are synthetic.".into()],
    }
}

fn options() -> Options {
    Options { resamples: 2000, ..Options::default() }
}

fn row<'a>(board: &'a Leaderboard, id: &str) -> &'a adeval_eval::leaderboard::Row {
    board.rows.iter().find(|r| r.entry == id).unwrap()
}

#[test]
fn ranks_show_ties_as_ties() {
    let board = leaderboard(&evidence(60, 8), &options()).unwrap();
    let ranks: Vec<_> =
        board.rows.iter().map(|r| (r.entry.as_str(), r.rank.map(|k| (k.best, k.worst)).unwrap())).collect();
    assert_eq!((ranks[0], ranks[3]), (("strong", (1, 1)), ("weak", (4, 4))));
    assert_eq!((ranks[1].1, ranks[2].1), ((2, 3), (2, 3)));
    assert_eq!(board.primary_column, "win_rate:judge");
    assert_eq!(board.columns[0].id, board.primary_column);
    assert_eq!(board.pairwise.len(), 6);
    assert_eq!(board.judges[0].swap_consistency, Some(1.0));
    let total: f64 = board.rows.iter().map(|r| r.cells["win_rate:judge"].value).sum();
    assert!((total - 2.0).abs() < 1e-9, "four entries share half the games: {total}");
    for column in &board.columns {
        assert!(board.rows.iter().all(|r| r.cells.contains_key(&column.id)), "{}", column.id);
    }
    let fd = |id: &str| row(&board, id).cells["fd:EfficientNet"];
    assert!(fd("strong").low.is_some() && fd("strong").n == 60);
}

#[test]
fn the_order_of_the_evidence_changes_no_byte() {
    let evidence = evidence(30, 8);
    let mut shuffled = evidence.clone();
    shuffled.products.reverse();
    shuffled.entries.reverse();
    shuffled.entries.iter_mut().for_each(|e| e.items.reverse());
    shuffled.judges[0].comparisons.reverse();
    shuffled.judges[0].scores.rotate_left(17);
    let json = |e| serde_json::to_string(&leaderboard(e, &options()).unwrap()).unwrap();
    let one = json(&evidence);
    assert_eq!(one, json(&shuffled));
    let single = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one, single.install(|| json(&evidence)));
    let back: Leaderboard = serde_json::from_str(&one).unwrap();
    // serde_json reads floats to within the last digit unless asked otherwise.
    let (mut pairs, original) = (0, leaderboard(&evidence, &options()).unwrap());
    for (a, b) in back.rows.iter().zip(&original.rows) {
        assert_eq!((&a.entry, a.rank, a.coverage), (&b.entry, b.rank, b.coverage));
        for (id, cell) in &a.cells {
            pairs += 1;
            assert!((cell.value - b.cells[id].value).abs() <= 1e-12 * cell.value.abs(), "{id}");
        }
    }
    assert_eq!(pairs, 4 * original.columns.len());
}

#[test]
fn failures_cost_coverage_and_nothing_else() {
    let mut evidence = evidence(40, 8);
    let lost: Vec<String> = evidence.products[..5].to_vec();
    let weak = &mut evidence.entries[3];
    weak.items.retain(|i| !lost.contains(&i.product));
    for product in &lost {
        weak.failures.push(Failure {
            product: product.clone(),
            sample: 0,
            stage: "background".into(),
            message: "out of | memory".into(),
        });
    }
    evidence.judges[0]
        .comparisons
        .retain(|c| !(lost.contains(&c.product) && (c.left == "weak" || c.right == "weak")));
    evidence.judges[0].scores.retain(|s| !(s.entry == "weak" && lost.contains(&s.product)));
    // An entry of which nothing is left.
    evidence.entries.push(EntryEvidence { id: "dead".into(), planned: 40, ..Default::default() });
    let board = leaderboard(&evidence, &options()).unwrap();
    let weak = row(&board, "weak");
    assert_eq!((weak.coverage.done, weak.coverage.planned, weak.failures.len()), (35, 40, 5));
    assert_eq!(weak.cells["win_rate:judge"].n, 35);
    assert_eq!(weak.cells["fd:EfficientNet"].n, 35);
    let against = board.pairwise.iter().find(|p| p.b == "weak").unwrap();
    assert_eq!(against.difference.n, 35);
    let dead = board.rows.last().unwrap();
    assert_eq!((dead.entry.as_str(), dead.rank, dead.cells.len()), ("dead", None, 0));
    assert!(board.notes.iter().any(|n| n.starts_with("weak: 35 of 40")), "{:?}", board.notes);
    assert!(board.notes.iter().any(|n| n.contains("different numbers of images")), "{:?}", board.notes);
    let markdown = to_markdown(&board);
    assert!(markdown.contains("35/40, 5 failures") && markdown.contains("out of \\| memory"), "{markdown}");
}

#[test]
fn an_empty_board_is_a_board() {
    let board = leaderboard(&Evidence::default(), &options()).unwrap();
    assert!(board.rows.is_empty() && board.primary_column.is_empty());
    assert!(to_markdown(&board).contains("not ranked") && to_table(&board, 80, false).contains("not ranked"));
    let mut lone = evidence(5, 8);
    lone.entries.truncate(1);
    lone.judges[0].comparisons.clear();
    lone.judges[0].scores.retain(|s| s.entry == "strong");
    let board = leaderboard(&lone, &options()).unwrap();
    assert_eq!((board.rows[0].rank, board.pairwise.len()), (None, 0));
    assert!(board.rows[0].cells.contains_key("product_fidelity"));
}

#[test]
fn bad_values_are_named() {
    let fails = |spoil: &dyn Fn(&mut Evidence), words: &[&str]| {
        let mut evidence = evidence(6, 8);
        spoil(&mut evidence);
        let error = leaderboard(&evidence, &options()).unwrap_err().to_string();
        assert!(words.iter().all(|w| error.contains(w)), "{error} lacks one of {words:?}");
    };
    fails(
        &|e| e.entries[1].items[2].fidelity = Some(f64::NAN),
        &["twin-a", "product-002", "fidelity", "NaN"],
    );
    fails(&|e| e.entries[0].items[0].seconds = Some(-1.0), &["strong", "product-000", "seconds"]);
    fails(&|e| e.judges[0].scores[7].ctr = 1.5, &["judge", "twin-a", "product-001", "predicted CTR"]);
    fails(
        &|e| e.judges[0].comparisons[0].p_left = f64::INFINITY,
        &["judge", "product-000", "P(left)", "inf"],
    );
    fails(&|e| e.judges[0].comparisons[0].left = "ghost".into(), &["unknown entry \"ghost\"", "twin-a"]);
    fails(&|e| e.judges[0].comparisons[1] = e.judges[0].comparisons[0].clone(), &["more than once"]);
    fails(&|e| e.entries[0].items[1].product = "nothing".into(), &["unknown product", "strong"]);
    fails(&|e| e.entries[1].id = "strong".into(), &["entry \"strong\" occurs more than once"]);
    fails(&|e| e.entries[0].items[0].features.values_mut().for_each(|f| f[3] = f32::NAN), &["strong", "NaN"]);
    fails(&|e| e.entries[0].items[0].features.values_mut().for_each(|f| f.truncate(3)), &["size 3", "8"]);
    fails(&|e| e.references[0].rows[4][0] = f32::INFINITY, &["reference", "row 4"]);
    let unknown = Options { primary_judge: Some("nobody".into()), ..options() };
    let error = leaderboard(&evidence(6, 8), &unknown).unwrap_err().to_string();
    assert!(error.contains("nobody") && error.contains("judge"), "{error}");
}

#[test]
fn renderers_say_what_a_reader_needs() {
    let board = leaderboard(&evidence(60, 80), &options()).unwrap();
    let markdown = to_markdown(&board);
    for words in
        ["(synthetic data)", "| 1 | strong |", "2-3", "FD-EfficientNet", "lower is better", "biased upwards"]
    {
        assert!(markdown.contains(words), "{words} in {markdown}");
    }
    let columns: Vec<usize> =
        markdown.lines().filter(|l| l.starts_with('|')).take(6).map(|l| l.matches('|').count()).collect();
    assert!(columns.windows(2).all(|w| w[0] == w[1]), "{columns:?}");
    for width in [60, 80, 100] {
        let table = to_table(&board, width, false);
        println!("{table}");
        assert!(
            table.contains("(synthetic data)") && table.contains("strong") && table.contains("2-3"),
            "{table}"
        );
        assert!(!table.contains('\u{1b}'));
        let widest = table.lines().map(|l| l.chars().count()).max().unwrap();
        assert!(widest <= usize::from(width), "{widest} columns for {width}");
    }
    assert!(to_table(&board, 100, true).contains("\u{1b}["));
}

#[test]
fn the_schema_names_every_field() {
    let schema = serde_json::to_value(schemars::schema_for!(Leaderboard)).unwrap();
    let board = serde_json::to_value(leaderboard(&evidence(8, 8), &options()).unwrap()).unwrap();
    for key in board.as_object().unwrap().keys() {
        assert!(schema["properties"].get(key).is_some(), "{key}");
    }
}

#[test]
fn ten_thousand_resamples_are_quick() {
    let mut evidence = evidence(100, 16);
    for extra in ["fifth", "sixth"] {
        let mut entry = evidence.entries[0].clone();
        entry.id = extra.into();
        evidence.entries.push(entry);
        let copies: Vec<_> =
            evidence.judges[0].comparisons.iter().filter(|c| c.left == "strong").cloned().collect();
        evidence.judges[0]
            .comparisons
            .extend(copies.into_iter().map(|c| Comparison { left: extra.into(), ..c }));
    }
    let start = std::time::Instant::now();
    let board = leaderboard(&evidence, &Options::default()).unwrap();
    let took = start.elapsed();
    println!("100 products x 6 entries x 10,000 resamples: {took:?}");
    assert_eq!(board.rows.len(), 6);
    // Generous: the machine may be busy. Measured figures are in docs/metrics.md.
    assert!(took.as_secs_f64() < 5.0, "{took:?}");
}

#[test]
fn fid_is_the_name_of_one_encoder_only() {
    use adeval_eval::distribution::frechet_title;
    use adeval_sdk::EncoderInfo;
    assert_eq!(frechet_title(EncoderInfo::FID), "FID");
    assert_eq!(frechet_title(EncoderInfo::CLEAN_FID), "Clean-FID");
    for other in ["Inception-v3(random)", "Inception-v3", "FID", "EfficientNet-Lite0"] {
        assert_eq!(frechet_title(other), format!("FD-{other}"));
    }
}
