//! The generator: which phrases each slot may hold, and the draw.

use crate::style::Style;
use crate::{family, hue, vocabulary};
use adeval_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of `template-prompt`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// The kind of picture that the prompts ask for.
    pub style: Style,
}

/// The `template-prompt` component.
pub struct TemplatePrompt {
    parameters: Parameters,
}

/// One place of the sentence and the phrases that it may hold, never empty.
struct Slot {
    role: Role,
    options: &'static [&'static str],
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Opening,
    Colour,
    Surface,
    Backdrop,
    Light,
    Season,
    Props,
    Depth,
}

impl Role {
    /// Names the slot's part of the seed.
    const fn name(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Colour => "colour",
            Self::Surface => "surface",
            Self::Backdrop => "backdrop",
            Self::Light => "light",
            Self::Season => "season",
            Self::Props => "props",
            Self::Depth => "depth",
        }
    }
}

/// The slots of a product under a style, in the order of the tokens.
fn slots(product: &Product, style: Style) -> Vec<Slot> {
    let family = family::of(&product.category, &product.title);
    let phrases = style.phrases();
    let or = |own: &'static [&'static str], other: &'static [&'static str]| {
        if own.is_empty() { other } else { own }
    };
    let all = [
        (Role::Opening, phrases.openings),
        (Role::Colour, hue::companions(product)),
        (Role::Surface, or(phrases.surfaces, family.surfaces)),
        (Role::Backdrop, or(phrases.backdrops, family.backdrops)),
        (Role::Light, phrases.lights),
        (Role::Season, phrases.seasons),
        (Role::Props, or(phrases.props, family.props)),
        (Role::Depth, phrases.depths),
    ];
    all.into_iter().filter(|(_, o)| !o.is_empty()).map(|(role, options)| Slot { role, options }).collect()
}

/// How many of `count` equally likely options a nucleus of `top_p` keeps.
fn nucleus(count: usize, top_p: f64) -> usize {
    // The small number keeps 0.6 * 5 from becoming 4 options through rounding.
    ((count as f64 * top_p - 1e-9).ceil() as usize).clamp(1, count)
}

/// Puts the chosen phrases into a sentence. A prompt that `max_tokens` cut short lacks its last phrases.
fn sentence(chosen: &[(Role, &str)]) -> String {
    let find = |role: Role| chosen.iter().find(|(r, _)| *r == role).map(|(_, phrase)| *phrase);
    let colour = find(Role::Colour).unwrap_or("neutral");
    let mut text = find(Role::Opening).unwrap_or_default().to_owned();
    for &(role, phrase) in chosen {
        let phrase = with_article(&phrase.replace("{c}", colour));
        text += &match role {
            Role::Opening | Role::Colour => continue,
            Role::Surface => format!(": the product on {phrase}"),
            Role::Backdrop => format!(" before {phrase}"),
            Role::Light | Role::Season | Role::Props | Role::Depth => format!(", {phrase}"),
        };
    }
    text.push('.');
    text
}

/// "a emerald wall" -> "an emerald wall", once a colour has been put in.
fn with_article(phrase: &str) -> String {
    let vowel = |c: char| "aeio".contains(c);
    match phrase.strip_prefix("a ") {
        Some(rest) if rest.starts_with(vowel) => format!("an {rest}"),
        _ => phrase.to_owned(),
    }
}

impl TemplatePrompt {
    fn sample(&self, request: &PromptRequest, slots: &[Slot], index: u32) -> Result<PromptSample> {
        let seed = rng::derive(request.seed, &[&index.to_string()]);
        let kept = slots.len().min(request.max_tokens as usize);
        let mut chosen = Vec::with_capacity(kept);
        let (mut tokens, mut log_probs) = (Vec::with_capacity(kept), Vec::with_capacity(kept));
        for slot in &slots[..kept] {
            let count = nucleus(slot.options.len(), request.top_p) as u64;
            let draw = rng::derive(seed, &[slot.role.name()]) % count;
            let phrase = slot.options[draw as usize];
            let token = vocabulary::token(phrase).ok_or_else(|| {
                PluginError::violation(format!("phrase \"{phrase}\" is not in the vocabulary"))
            })?;
            chosen.push((slot.role, phrase));
            tokens.push(token);
            log_probs.push(-(slot.options.len() as f64).ln());
        }
        let finish = if kept < slots.len() { FinishReason::Length } else { FinishReason::Stop };
        Ok(PromptSample { text: sentence(&chosen), tokens, log_probs, finish })
    }
}

impl Component for TemplatePrompt {
    type Parameters = Parameters;

    fn info() -> ComponentInfo {
        ComponentInfo::new(
            "template-prompt",
            "Background prompts from templates by category, colour and style",
        )
    }

    fn create(parameters: Parameters, _: &Environment) -> Result<Self> {
        Ok(Self { parameters })
    }
}

impl PromptGenerator for TemplatePrompt {
    /// Each slot is one token, drawn uniformly; `log_probs` are minus the logarithm of the number of options. A uniform
    /// distribution is the same at every temperature; `top_p` keeps the first options of each slot that hold that
    /// share (it steers the draw, not the reported log-probabilities, which are the policy's own). `max_tokens` below the
    /// number of slots cuts the sentence short.
    ///
    /// # Errors
    /// `InvalidRequest` for numbers out of range, `Cancelled`.
    fn generate(&self, request: &PromptRequest, cx: &CallContext<'_>) -> Result<Vec<PromptSample>> {
        request.validate()?;
        if request.max_tokens == 0 {
            return Err(PluginError::invalid_request(format!(
                "prompt request for \"{}\": max_tokens is 0, it must be at least 1",
                request.product.id
            )));
        }
        cx.check()?;
        let slots = slots(&request.product, self.parameters.style);
        (0..request.samples).map(|index| self.sample(request, &slots, index)).collect()
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
