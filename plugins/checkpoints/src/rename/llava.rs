//! LLaVA: four spellings of the same tensors, brought to the one that transformers 5 writes.
//!
//! | part | transformers 5 | transformers 4 | original code |
//! |---|---|---|---|
//! | language model | `model.language_model.layers` | `language_model.model.layers` | `model.layers` |
//! | its head | `lm_head` | `language_model.lm_head` | `lm_head` |
//! | tower | `model.vision_tower.encoder` | `vision_tower.vision_model.encoder` | `model.vision_tower.vision_tower.vision_model.encoder` |
//! | projector | `model.multi_modal_projector.linear_1` | `multi_modal_projector.linear_1` | `model.mm_projector.0`, or `model.mm_projector` |
//! | new line | `model.image_newline` | `image_newline` | `model.image_newline` |

/// None for what is no weight: position ids and the frequencies of rotary embeddings, which old checkpoints hold.
pub(super) fn current(name: &str) -> Option<String> {
    if name.ends_with("position_ids") || name.ends_with("rotary_emb.inv_freq") {
        return None;
    }
    if let Some(rest) = name.strip_prefix("language_model.") {
        return Some(match rest.strip_prefix("model.") {
            Some(rest) => format!("model.language_model.{rest}"),
            None if rest.starts_with("lm_head.") => rest.to_owned(),
            None => format!("model.language_model.{rest}"),
        });
    }
    let inner = name.strip_prefix("model.").unwrap_or(name);
    if let Some(rest) = inner.strip_prefix("vision_tower.") {
        let rest = rest.strip_prefix("vision_tower.").unwrap_or(rest);
        return Some(format!("model.vision_tower.{}", rest.strip_prefix("vision_model.").unwrap_or(rest)));
    }
    if let Some(rest) = inner.strip_prefix("mm_projector.") {
        return Some(format!("model.multi_modal_projector.{}", projector(rest)));
    }
    if inner.starts_with("multi_modal_projector.") || inner == "image_newline" {
        return Some(format!("model.{inner}"));
    }
    let text = ["layers.", "embed_tokens.", "norm."];
    if inner.len() < name.len() && text.iter().any(|part| inner.starts_with(part)) {
        return Some(format!("model.language_model.{inner}"));
    }
    Some(name.to_owned())
}

/// A sequence of linear layers and activations in turn: `0.weight` is the first layer, `2.weight` the second. A single linear
/// layer has no number.
fn projector(rest: &str) -> String {
    match rest.split_once('.').and_then(|(number, kind)| Some((number.parse::<usize>().ok()?, kind))) {
        Some((number, kind)) if number.is_multiple_of(2) => format!("linear_{}.{kind}", number / 2 + 1),
        None if matches!(rest, "weight" | "bias") => format!("linear_1.{rest}"),
        _ => rest.to_owned(),
    }
}
