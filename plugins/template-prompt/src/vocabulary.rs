//! The vocabulary: every phrase that any prompt can hold, numbered.

use crate::family::FAMILIES;
use crate::hue;
use crate::style::Style;
use std::collections::HashMap;
use std::sync::OnceLock;

/// The token of each phrase. Tokens are stable within one version of the library.
fn tokens() -> &'static HashMap<&'static str, u32> {
    static TOKENS: OnceLock<HashMap<&'static str, u32>> = OnceLock::new();
    TOKENS.get_or_init(|| {
        let styles = Style::ALL.iter().flat_map(|style| {
            let p = style.phrases();
            [p.openings, p.surfaces, p.backdrops, p.lights, p.seasons, p.props, p.depths].concat()
        });
        let families = FAMILIES.iter().flat_map(|f| [f.surfaces, f.backdrops, f.props].concat());
        let mut map = HashMap::new();
        for phrase in styles.chain(families).chain(hue::all()) {
            let next = map.len() as u32;
            map.entry(phrase).or_insert(next);
        }
        map
    })
}

/// The phrase's token.
pub(crate) fn token(phrase: &str) -> Option<u32> {
    tokens().get(phrase).copied()
}
