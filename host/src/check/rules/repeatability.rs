//! A result depends on its request, and on nothing else.

use super::super::exercise::{Case, Exercise, Reply, prompt_request, working_size};
use super::super::rule::{Finding, Rule, Scope, Verdict, ensure};
use super::super::subject::Subject;
use super::rule;
use adeval_sdk::client::PromptClient;
use adeval_sdk::{CallContext, Determinism, Kind, PluginError, rng};

pub static RULES: [Rule; 9] = [
    rule!(
        "ordinary-request",
        Basic,
        Scope::Any,
        "an ordinary request is served, in the contract's shape",
        ordinary
    ),
    rule!("batch-count", Basic, Scope::Any, "a batch gets as many answers as it has requests", counts),
    rule!(
        "same-seed",
        Standard,
        Scope::Any,
        "the same request gives the same result, in a new instance too",
        same_seed
    ),
    rule!("other-seed", Standard, Scope::Seeded, "another seed gives another result", other_seed),
    rule!(
        "batch-equals-single",
        Standard,
        Scope::Any,
        "a batch gives what its requests give one by one",
        batch
    ),
    rule!("batch-order", Standard, Scope::Any, "the order of a batch does not change its results", order),
    rule!("earlier-calls", Standard, Scope::Any, "earlier calls do not change a result", earlier),
    rule!(
        "sample-count",
        Standard,
        Scope::Kind(Kind::PromptGenerator),
        "a sample does not depend on how many are asked for",
        sample_count
    ),
    rule!("threads", Strict, Scope::Any, "calls from several threads give what they give alone", threads),
];

/// Cases of a check, an instance to ask, and how exactly it repeats itself.
struct Bench {
    exercise: Exercise,
    cases: Vec<Case>,
    determinism: Determinism,
}

impl Bench {
    fn new(subject: &Subject, cases: usize) -> Result<Self, Finding> {
        let exercise = instance(subject)?;
        let size = working_size(&exercise, subject.seed())?;
        let cases = (0..cases).map(|number| Case::new(subject.seed(), number, size)).collect();
        Ok(Self { exercise, cases, determinism: subject.component()?.info.determinism })
    }

    /// As above; skips a component that does not promise to repeat itself.
    fn repeatable(subject: &Subject, cases: usize) -> Result<Self, Finding> {
        if subject.component()?.info.determinism == Determinism::None {
            return Err(Finding::Skipped("the component does not promise to repeat itself".into()));
        }
        Self::new(subject, cases)
    }

    fn singles(&self) -> Result<Vec<Reply>, PluginError> {
        self.cases.iter().map(|case| self.exercise.one(case)).collect()
    }

    fn batch(&self, cases: &[Case]) -> Result<Vec<Reply>, PluginError> {
        self.exercise.batch(cases, &CallContext::detached())?.into_iter().collect()
    }

    fn all_same(&self, a: &[Reply], b: &[Reply], what: &str) -> Result<(), Finding> {
        for (number, (a, b)) in a.iter().zip(b).enumerate() {
            a.same(b, self.determinism)
                .map_err(|difference| Finding::Failed(format!("{what}: request {number}: {difference}")))?;
        }
        Ok(())
    }
}

fn instance(subject: &Subject) -> Result<Exercise, Finding> {
    Ok(Exercise::new(subject.component()?.kind, subject.create()?)?)
}

fn ordinary(subject: &Subject) -> Verdict {
    let bench = Bench::new(subject, 3)?;
    bench.singles()?;
    let (width, height) = bench.cases[0].size;
    Ok(if subject.component()?.kind == Kind::BackgroundGenerator {
        format!("3 creatives of {width}x{height}")
    } else {
        "3 requests".into()
    })
}

fn counts(subject: &Subject) -> Verdict {
    let bench = Bench::new(subject, 5)?;
    for count in [0, 1, 5] {
        let replies = bench.exercise.batch(&bench.cases[..count], &CallContext::detached())?;
        ensure!(replies.len() == count, "{count} requests got {} answers", replies.len());
    }
    Ok("batches of 0, 1 and 5".into())
}

fn same_seed(subject: &Subject) -> Verdict {
    let bench = Bench::repeatable(subject, 3)?;
    let first = bench.singles()?;
    bench.all_same(&first, &bench.singles()?, "asked twice")?;
    let other = Bench { exercise: instance(subject)?, ..Bench::repeatable(subject, 3)? };
    bench.all_same(&first, &other.singles()?, "asked of a new instance")?;
    Ok("3 requests, twice and of a new instance".into())
}

fn other_seed(subject: &Subject) -> Verdict {
    let bench = Bench::new(subject, 1)?;
    let first = bench.exercise.one(&bench.cases[0])?;
    for number in 0..16 {
        let seed = rng::derive(subject.seed(), &["other", &number.to_string()]);
        if bench.exercise.one(&Case { seed, ..bench.cases[0].clone() })? != first {
            return Ok(format!("{} other seeds tried", number + 1));
        }
    }
    let seen = "16 other seeds gave the very same result".to_owned();
    if subject.component()?.kind == Kind::PromptGenerator {
        // A fixed text is a poor generator, but no liar: its samples are what they seem.
        return Err(Finding::Warning(format!("{seen}; all samples of a product will be one prompt")));
    }
    Err(Finding::Failed(format!("{seen}: the seed is ignored")))
}

fn batch(subject: &Subject) -> Verdict {
    let bench = Bench::repeatable(subject, 4)?;
    bench.all_same(&bench.singles()?, &bench.batch(&bench.cases)?, "alone against in a batch")?;
    Ok("4 requests".into())
}

fn order(subject: &Subject) -> Verdict {
    let bench = Bench::repeatable(subject, 4)?;
    let forward = bench.batch(&bench.cases)?;
    let backward: Vec<Case> = bench.cases.iter().rev().cloned().collect();
    let mut replies = bench.batch(&backward)?;
    replies.reverse();
    bench.all_same(&forward, &replies, "in another order")?;
    Ok("4 requests".into())
}

fn earlier(subject: &Subject) -> Verdict {
    let bench = Bench::repeatable(subject, 6)?;
    let fresh = instance(subject)?.one(&bench.cases[0])?;
    bench.singles()?;
    let later = bench.exercise.one(&bench.cases[0])?;
    bench.all_same(&[fresh], &[later], "fresh against after six other calls")?;
    Ok("a request after 6 others".into())
}

fn sample_count(subject: &Subject) -> Verdict {
    let bench = Bench::repeatable(subject, 1)?;
    let client = PromptClient::new(subject.create()?);
    let ask = |samples: u32| -> Result<Vec<String>, Finding> {
        let request = adeval_sdk::PromptRequest { samples, ..prompt_request(&bench.cases[0]) };
        let mut replies = client.generate(&[request], &CallContext::detached())?;
        let reply = replies.pop().ok_or_else(|| Finding::Failed("no reply came back".into()))??;
        Ok(reply.into_iter().map(|sample| sample.text).collect())
    };
    let (few, many) = (ask(2)?, ask(5)?);
    ensure!(
        few == many[..2],
        "the first two of five samples are not the two samples: draw sample k from derive(seed, [k])"
    );
    Ok("2 samples against 5".into())
}

fn threads(subject: &Subject) -> Verdict {
    let bench = Bench::repeatable(subject, 4)?;
    let alone = bench.singles()?;
    let together: Vec<Result<Vec<Reply>, PluginError>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| bench.singles())).collect();
        let panicked = |_| Err(PluginError::violation("a calling thread panicked"));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
    });
    for (number, replies) in together.into_iter().enumerate() {
        bench.all_same(&alone, &replies?, &format!("alone against thread {number} of 4"))?;
    }
    Ok("4 threads, 4 requests each".into())
}
