//! Prompt generators: what they write can be drawn.

use super::super::exercise::{Case, prompt_request};
use super::super::rule::{Rule, Scope, Verdict, ensure};
use super::super::subject::Subject;
use super::rule;
use adeval_sdk::client::PromptClient;
use adeval_sdk::{CallContext, Kind};

pub static RULES: [Rule; 1] = [rule!(
    "prompt-text",
    Basic,
    Scope::Kind(Kind::PromptGenerator),
    "prompts have words, and not without end",
    text
)];

/// The longest sensible prompt in characters; image models read some 77 tokens.
const LONGEST: usize = 10_000;

fn text(subject: &Subject) -> Verdict {
    let client = PromptClient::new(subject.create()?);
    let requests: Vec<_> =
        (0..6).map(|number| prompt_request(&Case::new(subject.seed(), number, (64, 64)))).collect();
    let mut longest = 0;
    for reply in client.generate(&requests, &CallContext::detached())? {
        for sample in reply? {
            let length = sample.text.chars().count();
            ensure!(!sample.text.trim().is_empty(), "a prompt is empty");
            ensure!(length <= LONGEST, "a prompt has {length} characters");
            ensure!(!sample.text.contains('\0'), "a prompt holds a NUL character: {:?}", sample.text);
            longest = longest.max(length);
        }
    }
    Ok(format!("12 prompts of up to {longest} characters"))
}
