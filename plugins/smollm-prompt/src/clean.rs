//! What is left of an answer as a prompt.

/// Words that open an answer without being part of it; what follows the colon counts.
const OPENINGS: [&str; 6] = ["here", "sure", "certainly", "of course", "background", "scene"];

/// The answer's first paragraph, without an opening such as `Here is a scene:`, without quotes and marks around it, on one
/// line; none if no letter or digit is left.
pub fn clean(answer: &str) -> Option<String> {
    let answer = answer.trim();
    let mut rest = answer;
    // A paragraph that only introduces the next one is none.
    while let Some((first, behind)) = rest.split_once("\n\n") {
        if !first.trim_end().ends_with(':') {
            rest = first;
            break;
        }
        rest = behind.trim_start();
    }
    let lower = rest.to_lowercase();
    if OPENINGS.iter().any(|opening| lower.starts_with(opening))
        && let Some((before, behind)) = rest.split_once(':')
        && before.len() < 80
        && before.lines().count() == 1
        // A time or a ratio is no opening.
        && !behind.starts_with(char::is_alphanumeric)
    {
        rest = behind;
    }
    let words: Vec<&str> =
        rest.split_whitespace().filter(|word| !word.chars().all(|c| c == '\u{fffd}')).collect();
    let text = words.join(" ");
    let marks = |c: char| matches!(c, '"' | '\'' | '`' | '*' | '#' | '“' | '”' | '-') || c.is_whitespace();
    let text: String = text.trim_matches(marks).chars().filter(|c| !c.is_control()).collect();
    text.chars().any(char::is_alphanumeric).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn answers_become_prompts() {
        let of = |answer: &str| clean(answer).unwrap_or_default();
        assert_eq!(of("  \"A marble table.\"\n"), "A marble table.");
        assert_eq!(
            of("Here is a scene:\n\nA beach at dusk,\nwarm light.\n\nEnjoy!"),
            "A beach at dusk, warm light."
        );
        assert_eq!(of("Sure: **a quiet forest**"), "a quiet forest");
        assert_eq!(of("Ratio 16:9, a wide hall"), "Ratio 16:9, a wide hall");
        assert_eq!(of("Scene in a kitchen at 10:30, soft light"), "Scene in a kitchen at 10:30, soft light");
        assert_eq!(of("One.\n\nTwo."), "One.");
        assert_eq!(of("大理石桌面,柔和的光"), "大理石桌面,柔和的光");
        for empty in ["", " \n", "\"\"", "...", "\u{fffd}\u{fffd}", "Here it is:\n\n"] {
            assert_eq!(clean(empty), None, "{empty:?}");
        }
    }
}
