//! Parse errors that name the line, and the known name that was probably meant.

/// The known name nearest to `name`, when it is near enough to be a slip.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.into_iter().map(|k| (distance(name, k), k));
    scored.min().filter(|(d, k)| *d * 2 <= name.len().max(k.len())).map(|(_, k)| k)
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// What follows the file's name: `:LINE: message`, in plain words.
pub fn explain(error: &toml::de::Error, text: &str) -> String {
    let line = error.span().map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
    let place = line.map_or_else(String::new, |line| format!(":{line}"));
    format!("{place}: {}", plain(error.message()))
}

/// Serde's sentence, reworded, with the nearest known name.
fn plain(message: &str) -> String {
    let words = [("unknown variant ", "metric"), ("unknown field ", "key")];
    for (start, what) in words {
        let Some(rest) = message.strip_prefix(start) else { continue };
        let mut quoted = rest.split('`').skip(1).step_by(2);
        let Some(name) = quoted.next() else { continue };
        let known: Vec<&str> = quoted.collect();
        let mend = match nearest(name, known.iter().copied()) {
            Some(near) => format!("; did you mean \"{near}\"?"),
            None => String::new(),
        };
        return format!("unknown {what} \"{name}\"; known: {}{mend}", known.join(", "));
    }
    RUST_TYPES.iter().fold(message.trim().to_owned(), |message, (name, words)| message.replace(name, words))
}

/// Serde's names for types, and ours.
const RUST_TYPES: [(&str, &str); 6] = [
    ("expected u32", "expected an integer from 0 to 4294967295"),
    ("expected u64", "expected an integer of at least 0"),
    ("expected usize", "expected an integer of at least 0"),
    ("expected f64", "expected a number"),
    ("expected an array of length 2", "expected two numbers"),
    ("floating point", "number"),
];
