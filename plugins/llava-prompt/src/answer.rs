//! What a model says, made into a prompt: talk around it removed, refusals and empty answers told apart.

/// Beginnings of refusals, in lower case.
const REFUSALS: [&str; 16] = [
    "i'm sorry",
    "i am sorry",
    "i apologize",
    "sorry,",
    "i cannot",
    "i can't",
    "i can not",
    "i am not able",
    "i'm not able",
    "i am unable",
    "i'm unable",
    "as an ai",
    "es tut mir leid",
    "je suis désolé",
    "lo siento",
    "抱歉",
];

/// Words before a colon that introduce an answer, in lower case.
const INTRODUCTIONS: [&str; 8] =
    ["prompt", "background", "sure", "certainly", "of course", "here is", "here's", "answer"];

/// The prompt in an answer; None for a refusal and for an answer without a word.
pub fn cleaned(answer: &str) -> Option<String> {
    let paragraphs = answer.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty());
    let mut paragraphs = paragraphs.skip_while(|paragraph| is_introduction(paragraph));
    let text = paragraphs.next().unwrap_or_default();
    let lines = text.lines().map(|line| line.trim().trim_start_matches(['-', '*', '•', '#', '>']).trim());
    let text = lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    let text = without_label(&text).trim().trim_matches(QUOTES).trim();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let lower = text.to_lowercase();
    let refused = REFUSALS.iter().any(|refusal| lower.starts_with(refusal));
    (text.chars().any(char::is_alphanumeric) && !refused).then_some(text)
}

/// What people and models put around a quotation.
const QUOTES: [char; 9] = ['"', '\'', '“', '”', '„', '«', '»', '`', '*'];

/// `Sure, here is a prompt for your bag:` and no more.
fn is_introduction(paragraph: &str) -> bool {
    paragraph.ends_with(':') && introduces(paragraph.trim_end_matches(':'))
}

fn introduces(text: &str) -> bool {
    let lower = text.trim().trim_matches(QUOTES).to_lowercase();
    lower.chars().count() < 120 && INTRODUCTIONS.iter().any(|word| lower.starts_with(word))
}

/// Without `Background prompt:`, `Sure! Here is one:`.
fn without_label(text: &str) -> &str {
    match text.split_once(':') {
        // A time or a ratio is no label.
        Some((label, rest))
            if introduces(label) && !rest.trim().is_empty() && !rest.starts_with(char::is_alphanumeric) =>
        {
            rest
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn talk_around_a_prompt_is_removed() {
        for (answer, expected) in [
            ("  on wet slate, dusk ", "on wet slate, dusk"),
            ("\"on wet slate,\n dusk\"", "on wet slate, dusk"),
            ("Prompt: on wet slate", "on wet slate"),
            ("**Background prompt:** on wet slate", "on wet slate"),
            (
                "Sure, here is a prompt for your bag:\n\n\"On wet slate\"\n\nI hope that this helps!",
                "On wet slate",
            ),
            ("Here is one: on wet slate", "on wet slate"),
            ("- on wet slate\n- neon light", "on wet slate neon light"),
            ("a kitchen at 10:30, soft light", "a kitchen at 10:30, soft light"),
            ("Background in a kitchen at 10:30", "Background in a kitchen at 10:30"),
            ("大理石台面,柔和的光线", "大理石台面,柔和的光线"),
        ] {
            assert_eq!(cleaned(answer).as_deref(), Some(expected), "{answer:?}");
        }
    }

    #[test]
    fn refusals_and_empty_answers_are_none() {
        for answer in [
            "",
            " \n\n ",
            "...",
            "\"\"",
            "I'm sorry, but I cannot see it.",
            "As an AI model, I",
            "抱歉,我不能",
        ] {
            assert_eq!(cleaned(answer), None, "{answer:?}");
        }
    }
}
