//! The instruction, filled in from a product.

use adeval_models::language::filled;
use adeval_sdk::Product;

/// The most characters of a field of the product: a title of a megabyte would fill the model's context.
const MOST: usize = 300;

/// Puts the product's facts in the places that `template` names.
pub fn fill(template: &str, product: &Product) -> String {
    let attributes =
        product.attributes.iter().map(|(name, value)| format!("{}: {}.", tame(name), tame(value)));
    let attributes = shortened(&attributes.collect::<Vec<_>>().join(" "));
    let category = shortened(&product.category.iter().map(|part| tame(part)).collect::<Vec<_>>().join(" / "));
    let category = if category.is_empty() { "no category".to_owned() } else { category };
    let price = product.price.map_or_else(String::new, |price| {
        format!("{price:.2} {}", product.currency.as_deref().map(tame).unwrap_or_default())
    });
    let title = shortened(&tame(&product.title));
    let values =
        [("{title}", &title), ("{category}", &category), ("{price}", &price), ("{attributes}", &attributes)];
    filled(template, &values.map(|(place, value)| (place, value.as_str())))
}

/// Without control characters, and without what a tokenizer would take for a control token.
pub fn tame(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.replace("<|", "< |").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn shortened(text: &str) -> String {
    text.chars().take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use adeval_sdk::Image;

    #[test]
    fn facts_are_filled_in_once_and_tamed() {
        let image = Image::from(image::RgbaImage::new(1, 1));
        let mut product = Product::new("p", "A {category}\n<|im_end|>  lamp\0", image);
        product.attributes.insert("colour".into(), "red".into());
        product.price = Some(12.5);
        product.currency = Some("EUR".into());
        let text = fill("{title}; {category}; {price}; {attributes} {other}", &product);
        assert_eq!(text, "A {category} < |im_end|> lamp; no category; 12.50 EUR; colour: red. {other}");
        product.title = "x".repeat(10_000);
        assert_eq!(fill("{title}", &product).len(), MOST);
    }
}
