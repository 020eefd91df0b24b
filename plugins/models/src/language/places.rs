//! Wordings with places to fill.

/// `wording` with every `(place, value)`, such as `("{title}", "a lamp")`, filled in. Each place is filled once: what is filled in is not
/// looked at again, whatever braces a title holds. Other braces stay.
pub fn filled(wording: &str, values: &[(&str, &str)]) -> String {
    let (mut out, mut rest) = (String::with_capacity(wording.len()), wording);
    while let Some(start) = rest.find('{') {
        out += &rest[..start];
        rest = &rest[start..];
        let place = values.iter().find(|(place, _)| rest.starts_with(place));
        let (length, value) = place.map_or((1, "{"), |(place, value)| (place.len(), *value));
        out += value;
        rest = &rest[length..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::filled;

    #[test]
    fn places_are_filled_once_and_other_braces_stay() {
        let values = [("{a}", "{b} {a}"), ("{b}", "2")];
        assert_eq!(filled("{a}, {b}, {c}, {", &values), "{b} {a}, 2, {c}, {");
    }
}
