//! Odd inputs: every size, every alpha, every text. Served, or refused with an error that says why; never a panic.

use super::super::exercise::{Case, background_request, pair_request, prompt_request};
use super::super::material;
use super::super::rule::{Finding, Rule, Scope, Verdict, ensure};
use super::super::subject::Subject;
use super::{rule, served_or_refused};
use adeval_sdk::client::{BackgroundClient, EmbedderClient, PromptClient, RewardClient};
use adeval_sdk::{CallContext, EmbedRequest, Kind, PairRequest, PluginError, Product, Result, ScoreRequest};

pub static RULES: [Rule; 6] = [
    rule!(
        "creative-sizes",
        Standard,
        Scope::Kind(Kind::BackgroundGenerator),
        "creatives of odd and extreme sizes come back in that size, or are refused",
        creative_sizes
    ),
    rule!(
        "large-creative",
        Strict,
        Scope::Pictured,
        "creatives of 2048x2048 and 2048x3 are made, judged and embedded, or refused",
        large_creative
    ),
    rule!(
        "alpha-edges",
        Standard,
        Scope::Advertising,
        "cut-outs of any alpha and shape are served or refused",
        alpha
    ),
    rule!(
        "odd-texts",
        Standard,
        Scope::Advertising,
        "empty, long, right-to-left, emoji and NUL texts",
        texts
    ),
    rule!(
        "judged-sizes",
        Standard,
        Scope::Kind(Kind::RewardModel),
        "creatives of any two sizes are judged or refused",
        judged_sizes
    ),
    rule!(
        "embedded-sizes",
        Standard,
        Scope::Kind(Kind::ImageEmbedder),
        "images of any size give vectors of the stated dimension",
        embedded_sizes
    ),
];

/// Square, odd, thin, tiny.
const SIZES: [(u32, u32); 9] =
    [(512, 512), (1, 1), (1, 512), (512, 1), (7, 13), (333, 127), (640, 360), (64, 1024), (1000, 16)];

fn creative_sizes(subject: &Subject) -> Verdict {
    sizes(subject, &SIZES)
}

fn large_creative(subject: &Subject) -> Verdict {
    let large = [(2048, 2048), (2048, 3)];
    match subject.component()?.kind {
        Kind::RewardModel => judged(subject, &large),
        Kind::ImageEmbedder => embedded(subject, &large),
        _ => sizes(subject, &large),
    }
}

fn sizes(subject: &Subject, sizes: &[(u32, u32)]) -> Verdict {
    let client = BackgroundClient::new(subject.create()?);
    let mut refused = Vec::new();
    for &size in sizes {
        let what = format!("a creative of {}x{}", size.0, size.1);
        let request = background_request(&Case::new(subject.seed(), 0, size));
        let reply = single(client.generate(&[request], &CallContext::detached()));
        if served_or_refused(&what, reply)?.is_none() {
            refused.push(format!("{}x{}", size.0, size.1));
        }
    }
    served_all("size", sizes.len(), &refused)
}

/// The answer to a batch of one.
fn single<T>(replies: Result<Vec<Result<T>>>) -> Result<T> {
    replies?.pop().unwrap_or_else(|| Err(PluginError::violation("no reply came back")))
}

fn served_all(what: &str, tried: usize, refused: &[String]) -> Verdict {
    ensure!(refused.len() < tried, "every {what} was refused: {}", refused.join(", "));
    if refused.is_empty() {
        return Ok(format!("{tried} {what}s"));
    }
    Err(Finding::Warning(format!("refused, with an error that says so: {}", refused.join(", "))))
}

/// The main calls of a component for a product and a text: the prompt of a creative, else the product's title.
fn ask(subject: &Subject, product: Product, text: &str) -> Result<()> {
    let kind = subject.component().map_err(|_| PluginError::violation("no component"))?.kind;
    let mut case = Case { product, ..Case::new(subject.seed(), 0, (256, 256)) };
    let (endpoint, cx) = (subject.create()?, CallContext::detached());
    if kind == Kind::BackgroundGenerator {
        case.prompt = text.into();
        return single(BackgroundClient::new(endpoint).generate(&[background_request(&case)], &cx)).map(drop);
    }
    case.product.title = text.into();
    if kind == Kind::PromptGenerator {
        return single(PromptClient::new(endpoint).generate(&[prompt_request(&case)], &cx)).map(drop);
    }
    let (client, pair) = (RewardClient::new(endpoint), pair_request(&case));
    single(client.compare(std::slice::from_ref(&pair), &cx))?;
    let score = ScoreRequest { product: pair.product, creative: pair.left };
    single(client.score(&[score], &cx)).map(drop)
}

fn alpha(subject: &Subject) -> Verdict {
    type Alpha = fn(u32, u32) -> u8;
    let cases: [(&str, (u32, u32), Alpha); 8] = [
        ("opaque", (64, 64), |_, _| 255),
        ("one visible pixel", (64, 64), |x, y| if (x, y) == (17, 40) { 255 } else { 0 }),
        ("barely visible", (64, 64), |_, _| 1),
        ("a soft edge", (64, 64), |x, _| (x * 4) as u8),
        ("1x1", (1, 1), |_, _| 255),
        ("1x400", (1, 400), |_, _| 255),
        ("400x1", (400, 1), |_, _| 255),
        ("two islands", (64, 64), |x, y| if (x < 9 && y < 9) || (x > 54 && y > 54) { 255 } else { 0 }),
    ];
    let mut refused = Vec::new();
    for (what, size, alpha) in cases {
        let product = material::product_with_alpha(size, alpha);
        if served_or_refused(what, ask(subject, product, "on a marble table"))?.is_none() {
            refused.push(what.to_owned());
        }
    }
    // There is nothing to place, so refusing it is right and serving it (with an empty place) is tolerated.
    let nothing = material::product_with_alpha((64, 64), |_, _| 0);
    served_or_refused("an invisible product", ask(subject, nothing, "on a marble table"))?;
    served_all("cut-out", cases.len(), &refused)
}

fn texts(subject: &Subject) -> Verdict {
    let long = "a long text about a marble table ".repeat(320);
    let texts = [
        ("an empty text", ""),
        ("10,000 characters", &long[..10_000]),
        ("right-to-left text", "على طاولة رخامية בבוקר"),
        ("emoji", "🧴✨ on 🪵 with 👨‍👩‍👧‍👦"),
        ("a NUL", "before\0after"),
        ("control characters", "\u{1b}[31m\r\n\t\u{7f}"),
        ("braces and quotes", "{\"a\": '<b>&{}%s$(x)'}"),
        ("combining marks", "Z\u{335}\u{336}a\u{310}\u{311}l\u{301}go"),
    ];
    let mut refused = Vec::new();
    for (what, text) in texts {
        if served_or_refused(what, ask(subject, material::product(1), text))?.is_none() {
            refused.push(what.to_owned());
        }
    }
    served_all("text", texts.len(), &refused)
}

fn judged_sizes(subject: &Subject) -> Verdict {
    judged(subject, &SIZES)
}

fn judged(subject: &Subject, sizes: &[(u32, u32)]) -> Verdict {
    let client = RewardClient::new(subject.create()?);
    let cx = CallContext::detached();
    let mut refused = Vec::new();
    for (number, &size) in sizes.iter().enumerate() {
        let what = format!("a creative of {}x{}", size.0, size.1);
        let left = material::creative(subject.seed() ^ number as u64, size);
        let right = material::creative(subject.seed(), sizes[(number + 1) % sizes.len()]);
        let product = material::product(number);
        let pair = PairRequest { product: product.clone(), left: left.clone(), right };
        let compared = served_or_refused(&what, single(client.compare(&[pair], &cx)))?;
        let score = ScoreRequest { product, creative: left };
        let scored = served_or_refused(&what, single(client.score(&[score], &cx)))?;
        if compared.is_none() || scored.is_none() {
            refused.push(format!("{}x{}", size.0, size.1));
        }
    }
    served_all("size", sizes.len(), &refused)
}

fn embedded_sizes(subject: &Subject) -> Verdict {
    embedded(subject, &SIZES)
}

fn embedded(subject: &Subject, sizes: &[(u32, u32)]) -> Verdict {
    let client = EmbedderClient::new(subject.create()?);
    let cx = CallContext::detached();
    let dimension = client.describe(&cx)?.dimension as usize;
    let mut refused = Vec::new();
    for &size in sizes {
        let what = format!("an image of {}x{}", size.0, size.1);
        let request = EmbedRequest { image: material::creative(subject.seed(), size), spatial: false };
        match served_or_refused(&what, single(client.embed(&[request], &cx)))? {
            Some(embedding) => {
                let length = embedding.vector.len();
                ensure!(length == dimension, "{what} gave {length} features; the encoder states {dimension}");
            }
            None => refused.push(format!("{}x{}", size.0, size.1)),
        }
    }
    served_all("size", sizes.len(), &refused)
}
